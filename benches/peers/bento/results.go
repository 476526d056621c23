package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/warpstreamlabs/bento/public/service"
)

// Bento's own `unarchive` and `split` print the elements of an array anew. The envelope keeps them as they arrived, so
// this processor cuts them out of the body: one message for each result, with its place in the metadata.
func init() {
	spec := service.NewConfigSpec().
		Summary("Splits a body of results into messages, each with a result's bytes as they arrived.")
	constructor := func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
		return results{}, nil
	}
	if err := service.RegisterProcessor("results", spec, constructor); err != nil {
		panic(err)
	}
}

var (
	errJSON  = errors.New("invalid_json: expected JSON")
	errShape = errors.New("invalid_shape: /results: expected an array of records")
)

type results struct{}

func (results) Process(_ context.Context, message *service.Message) (service.MessageBatch, error) {
	// For the dead letter of a body that can't be split.
	message.MetaSetMut("item_index", 0)
	message.MetaSetMut("item_count", 1)
	if tombstone, _ := message.MetaGetMut("kafka_tombstone_message"); tombstone == true {
		return nil, nil
	}
	payload, err := message.AsBytes()
	if err != nil {
		return nil, err
	}
	var body struct {
		Results json.RawMessage `json:"results"`
	}
	var items []json.RawMessage
	if err := json.Unmarshal(payload, &body); err != nil {
		if _, isType := errors.AsType[*json.UnmarshalTypeError](err); isType {
			return nil, errShape
		}
		return nil, errJSON
	}
	if !bytes.HasPrefix(body.Results, []byte("[")) || json.Unmarshal(body.Results, &items) != nil {
		return nil, errShape
	}
	batch := make(service.MessageBatch, 0, len(items))
	for index, item := range items {
		part := message.Copy()
		part.SetBytes(item)
		part.MetaSetMut("item_index", index)
		part.MetaSetMut("item_count", len(items))
		batch = append(batch, part)
	}
	return batch, nil
}

func (results) Close(context.Context) error { return nil }
