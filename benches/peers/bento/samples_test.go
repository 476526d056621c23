package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"
)

const (
	schemaPath = "../../../schemas/envelope.avsc"
	timestamp  = int64(1_775_000_000_123)
)

// Every sample gives what the event normalizer gives, through the pipeline of config.yaml.
func TestSamples(t *testing.T) {
	schema, err := filepath.Abs(schemaPath)
	check(t, err)
	for name, value := range map[string]string{
		"SCHEMA": schema, "SCHEMA_ID": "16909060", "EVENTS": "events", "DEAD_LETTERS": "dead",
	} {
		t.Setenv(name, value)
	}
	schemaText, err := os.ReadFile(schema)
	check(t, err)
	codec, err := goavro.NewCodec(string(schemaText))
	check(t, err)
	send := pipeline(t)
	files, err := filepath.Glob("../samples/*.json")
	check(t, err)
	if len(files) < 7 {
		t.Fatalf("found only %d samples", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			check(t, err)
			text, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".expected.jsonl")
			check(t, err)
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			if strings.Contains(lines[0], `"ignored"`) {
				lines = nil
			}
			found := send(body)
			if len(found) != len(lines) {
				t.Fatalf("expected %d messages, found %d", len(lines), len(found))
			}
			for index, line := range lines {
				expected := parse(t, []byte(line)).(map[string]any)
				if reject, isDeadLetter := expected["dead_letter"]; isDeadLetter {
					checkDeadLetter(t, found[index], reject.(map[string]any), body, len(lines))
				} else {
					checkEvent(t, codec, found[index], expected, body, index, len(lines))
				}
			}
		})
	}
}

// pipeline runs the processors of config.yaml between two functions.
func pipeline(t *testing.T) func([]byte) service.MessageBatch {
	text, err := os.ReadFile("config.yaml")
	check(t, err)
	var config struct {
		Pipeline struct {
			Processors []any
		}
	}
	check(t, yaml.Unmarshal(text, &config))
	builder := service.NewStreamBuilder()
	check(t, builder.SetLoggerYAML("level: OFF"))
	for _, processor := range config.Pipeline.Processors {
		text, err := yaml.Marshal(processor)
		check(t, err)
		check(t, builder.AddProcessorYAML(string(text)))
	}
	produce, err := builder.AddBatchProducerFunc()
	check(t, err)
	var found service.MessageBatch
	check(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		found = append(found, batch.Copy()...)
		return nil
	}))
	stream, err := builder.Build()
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stream.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return func(body []byte) service.MessageBatch {
		found = nil
		message := service.NewMessage(body)
		message.MetaSetMut("kafka_key", "raw-key")
		message.MetaSetMut("kafka_topic", "raw")
		message.MetaSetMut("kafka_partition", 3)
		message.MetaSetMut("kafka_offset", 41)
		message.MetaSetMut("kafka_timestamp_unix", timestamp/1000)
		message.MetaSetMut("kafka_timestamp_unix_ms", timestamp)
		message.MetaSetMut("kafka_tombstone_message", false)
		check(t, produce(ctx, service.MessageBatch{message}))
		return found
	}
}

func checkEvent(
	t *testing.T, codec *goavro.Codec, message *service.Message, expected map[string]any, body []byte, index, count int,
) {
	if topic := meta(message, "topic"); topic != "events" {
		t.Fatalf("item %d went to %s: %s", index, topic, meta(message, "normalizer.dead-letter.detail"))
	}
	value, err := message.AsBytes()
	check(t, err)
	if !bytes.HasPrefix(value, []byte{0, 1, 2, 3, 4}) {
		t.Fatalf("frame % x", value[:5])
	}
	native, rest, err := codec.NativeFromBinary(value[5:])
	check(t, err)
	if len(rest) > 0 {
		t.Fatalf("%d bytes too many", len(rest))
	}
	envelope := native.(map[string]any)
	if received := envelope["received_at"].(time.Time).UnixMilli(); received != timestamp {
		t.Errorf("received at %d", received)
	}
	delete(envelope, "received_at")
	source := map[string]any{
		"kafka_topic": "raw", "kafka_partition": int32(3), "kafka_offset": int64(41),
		"item_index": int32(index), "item_count": int32(count),
	}
	if !reflect.DeepEqual(envelope["source"], source) {
		t.Errorf("source %v", envelope["source"])
	}
	delete(envelope, "source")
	payload := envelope["payload"].(map[string]any)["bytes"].([]byte)
	if !bytes.Contains(body, payload) {
		t.Errorf("the payload is not as it arrived: %s", payload)
	}
	delete(envelope, "payload")
	found := plain(envelope).(map[string]any)
	found["payload"] = parse(t, payload)
	if !reflect.DeepEqual(found, expected) {
		t.Errorf("item %d\nexpected %v\nfound    %v", index, expected, found)
	}
	key, isKnown := expected["event_id"], false
	for _, path := range [][2]string{{"contact", "address"}, {"message", "message_id"}} {
		group, _ := expected[path[0]].(map[string]any)
		if value, has := group[path[1]]; has {
			key, isKnown = value, true
		}
	}
	if meta(message, "key") != key {
		t.Errorf("key %s, expected %v (%v)", meta(message, "key"), key, isKnown)
	}
}

func checkDeadLetter(t *testing.T, message *service.Message, reject map[string]any, body []byte, count int) {
	for name, expected := range map[string]string{
		"topic":                         "dead",
		"key":                           "raw-key",
		"normalizer.dead-letter.reason": reject["reason"].(string),
		"normalizer.dead-letter.item":   fmt.Sprint(reject["item"]),
		"normalizer.dead-letter.items":  fmt.Sprint(count),
		"__streams.errors.offset":       "41",
	} {
		if found := meta(message, name); found != expected {
			t.Errorf("%s of item %v: expected %s, found %s (%s)", name, reject["item"], expected, found,
				meta(message, "normalizer.dead-letter.detail"))
		}
	}
	value, err := message.AsBytes()
	check(t, err)
	if count == 1 && !bytes.Equal(value, body) || count > 1 && !bytes.Contains(body, append(append([]byte(","), value...), ',')) {
		t.Errorf("the dead letter is not as it arrived: %q", value)
	}
}

// plain takes off the names of union members and leaves out nulls and empty maps, as the event normalizer prints it.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 1 {
			for name, member := range value {
				switch name {
				case "string", "int", "boolean", "long.timestamp-millis":
					return plain(member)
				}
				if strings.HasPrefix(name, "event_normalizer.") {
					return plain(member)
				}
			}
		}
		object := map[string]any{}
		for name, member := range value {
			member := plain(member)
			if inner, isObject := member.(map[string]any); member != nil && !(isObject && len(inner) == 0) {
				object[name] = member
			}
		}
		return object
	case time.Time:
		return value.UTC().Format("2006-01-02T15:04:05.000Z")
	case int32:
		return json.Number(fmt.Sprint(value))
	}
	return value
}

func meta(message *service.Message, name string) string {
	value, _ := message.MetaGet(name)
	return value
}

func parse(t *testing.T, text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	check(t, decoder.Decode(&value))
	return value
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
