package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/warpstreamlabs/bento/public/bloblang"
)

// Bloblang has SHA-256, but nothing that writes a length as eight bytes.
func init() {
	spec := bloblang.NewPluginSpec().
		Description("128 bits of SHA-256 over an array of texts, each preceded by its length, as hexadecimal digits. Null counts as empty.")
	constructor := func(*bloblang.ParsedParams) (bloblang.Method, error) {
		return bloblang.ArrayMethod(factID), nil
	}
	if err := bloblang.RegisterMethodV2("fact_id", spec, constructor); err != nil {
		panic(err)
	}
}

func factID(values []any) (any, error) {
	buffer := make([]byte, 0, 512)
	for _, value := range values {
		switch value := value.(type) {
		case nil:
			buffer = binary.LittleEndian.AppendUint64(buffer, 0)
		case string:
			buffer = binary.LittleEndian.AppendUint64(buffer, uint64(len(value)))
			buffer = append(buffer, value...)
		case []byte:
			buffer = binary.LittleEndian.AppendUint64(buffer, uint64(len(value)))
			buffer = append(buffer, value...)
		default:
			return nil, fmt.Errorf("expected texts, found %T", value)
		}
	}
	sum := sha256.Sum256(buffer)
	return hex.EncodeToString(sum[:16]), nil
}
