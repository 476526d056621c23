//! Headers of an event's record: trace context.

use rdkafka::message::{BorrowedHeaders, Header, Headers, OwnedHeaders};

/// W3C trace context travels along.
pub(super) fn trace_context(original: Option<&BorrowedHeaders>) -> Option<OwnedHeaders> {
    let traces = original?.iter().filter(|header| matches!(header.key, "traceparent" | "tracestate"));
    let mut copied: Option<OwnedHeaders> = None;
    for Header { key, value } in traces {
        copied = Some(copied.unwrap_or_else(|| OwnedHeaders::new_with_capacity(2)).insert(Header { key, value }));
    }
    copied
}
