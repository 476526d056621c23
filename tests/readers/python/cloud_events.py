"""Reads records as CloudEvents, with the official SDK."""

from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import REQUIRED_ATTRIBUTES, CloudEvent

PARTITION_KEY = "partitionkey"


def cloud_event(record):
    """The attributes that the record itself has, and the data."""
    headers = {}
    for name, value in record.headers() or []:
        if name in headers:
            raise ValueError(f"the header {name} is there twice")
        headers[name] = value
    named = {}

    def event_of(attributes, data):
        # The SDK makes up an id, a time and a version where there are none: they must be there before it does.
        missing = [name for name in REQUIRED_ATTRIBUTES if name not in attributes]
        if missing:
            raise ValueError(f"a CloudEvent without {', '.join(missing)}: {attributes}")
        # This one it takes from the record's key.
        named.update((name, value) for name, value in attributes.items() if name != PARTITION_KEY)
        return CloudEvent(attributes, data)

    event = from_kafka(KafkaMessage(headers, record.key(), record.value()), JSONFormat(), event_of)
    data = event.get_data()
    # Bytes that happen to be UTF-8 come as a text.
    return named, data.encode() if isinstance(data, str) else data
