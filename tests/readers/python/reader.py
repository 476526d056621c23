"""Prints the envelopes of Kafka topics, one JSON object a line, in the form that `compare.rs` reads.

Usage: reader.py BROKERS single-object|confluent|cloud-events REGISTRY SCHEMA TOPIC...
"""

import io
import json
import sys
from datetime import datetime, timezone
from importlib.metadata import version

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from cloud_events import cloud_event


def single_object_decoder(schema_path):
    """Avro's single-object encoding, by fastavro: the marker, the schema's fingerprint, the datum."""
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    # In the order of the encoding: the lowest byte first.
    header = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    parsed = fastavro.parse_schema(schema)

    def decode(topic, value):
        if not value.startswith(header):
            raise ValueError(f"a value of {topic} begins with {value[:10].hex()}, not with {header.hex()}")
        datum = io.BytesIO(value[10:])
        envelope = fastavro.schemaless_reader(datum, parsed, None)
        if datum.read(1):
            raise ValueError(f"a value of {topic} goes on after its datum")
        return envelope

    return decode


def confluent_decoder(registry_url):
    """Confluent's frame, by Confluent's own deserializer."""
    deserializer = AvroDeserializer(SchemaRegistryClient({"url": registry_url}))
    return lambda topic, value: deserializer(value, SerializationContext(topic, MessageField.VALUE))


def records(brokers, topics):
    """The committed records of all partitions, up to their ends."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "event-normalizer-test-python",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    metadata = consumer.list_topics(timeout=30)
    partitions = [TopicPartition(topic, number, 0) for topic in topics for number in metadata.topics[topic].partitions]
    consumer.assign(partitions)
    still_open = len(partitions)
    while still_open:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error() is None:
            yield message
        elif message.error().code() == KafkaError._PARTITION_EOF:
            still_open -= 1
        else:
            raise KafkaException(message.error())
    consumer.close()


def printable(value):
    """What JSON lacks: times are texts in UTC with milliseconds, bytes are hexadecimal digits."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"no form for {type(value)}")


def main():
    brokers, mode, registry_url, schema_path, *topics = sys.argv[1:]
    if mode == "single-object":
        package, decode = "fastavro", single_object_decoder(schema_path)
    else:
        package, decode = "confluent-kafka", confluent_decoder(registry_url)
    print(json.dumps({"version": version("cloudevents" if mode == "cloud-events" else package)}))
    for record in records(brokers, topics):
        if mode == "cloud-events":
            attributes, data = cloud_event(record)
            envelope = decode(record.topic(), data) | {"cloud_event": attributes}
        else:
            envelope = decode(record.topic(), record.value())
        print(json.dumps(envelope, default=printable))


main()
