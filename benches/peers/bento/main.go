// A Bento with the two things that this job needs beside Bento's own components: results.go and fact_id.go.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/warpstreamlabs/bento/public/components/avro"
	_ "github.com/warpstreamlabs/bento/public/components/kafka"
	_ "github.com/warpstreamlabs/bento/public/components/pure"
	"github.com/warpstreamlabs/bento/public/service"
)

func main() {
	if err := checkEnvironment(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(78)
	}
	service.RunCLI(context.Background())
}

// checkEnvironment leaves what is missing to Bento, which names the variables that config.yaml requires.
func checkEnvironment() error {
	switch os.Getenv("GUARANTEE") {
	case "exactly-once":
		return fmt.Errorf("GUARANTEE: Bento has no exactly-once delivery; only at-least-once can be had")
	case "", "at-least-once":
	default:
		return fmt.Errorf("GUARANTEE: expected at-least-once")
	}
	// Bento takes a schema's path as a URL.
	schema, err := filepath.Abs(os.Getenv("SCHEMA"))
	if err != nil {
		return fmt.Errorf("SCHEMA: %w", err)
	}
	return os.Setenv("SCHEMA", schema)
}
