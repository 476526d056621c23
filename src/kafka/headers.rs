//! Headers of an event's record: trace context, and a CloudEvent's attributes where the settings ask for them.

use rdkafka::message::{BorrowedHeaders, Header, Headers, OwnedHeaders};

use crate::envelope::Envelope;

/// W3C trace context travels along.
pub(super) fn trace_context(original: Option<&BorrowedHeaders>) -> Option<OwnedHeaders> {
    let traces = original?.iter().filter(|header| matches!(header.key, "traceparent" | "tracestate"));
    let mut copied: Option<OwnedHeaders> = None;
    for Header { key, value } in traces {
        copied = Some(copied.unwrap_or_else(|| OwnedHeaders::new_with_capacity(2)).insert(Header { key, value }));
    }
    copied
}

/// Adds the attributes of CloudEvents 1.0 in Kafka's binary mode. `ce_source` and `ce_id` together tell an event from every
/// other one; the id is the same when the event is made again. `schema` is where the schema can be had.
pub(super) fn cloud_event(headers: Option<OwnedHeaders>, envelope: &Envelope<'_>, schema: Option<&str>) -> OwnedHeaders {
    let headers = headers.unwrap_or_else(|| OwnedHeaders::new_with_capacity(7));
    let time = envelope.occurred_at.map(|at| at.to_string());
    [
        ("ce_specversion", Some("1.0")),
        ("ce_id", Some(envelope.event_id)),
        ("ce_source", Some(format!("urn:event-normalizer:{}", envelope.vendor).as_str())),
        ("ce_type", Some(format!("event_normalizer.{}", envelope.event_type.0).as_str())),
        ("ce_time", time.as_deref()),
        ("ce_dataschema", schema),
        ("content-type", Some("application/avro")),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
    .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}
