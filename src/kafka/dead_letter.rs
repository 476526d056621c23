//! The headers of a dead letter: what is wrong, where the item came from, and all that applied when it was read.

use rdkafka::message::{BorrowedHeaders, Header, OwnedHeaders};

use super::source::Source;
use crate::reject::Reject;
use crate::vendors::{Hints, Zone};

/// Where an item stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub partition: i32,
    pub offset: i64,
    pub item: i32,
    pub items: i32,
}

/// The original headers, then ours. Headers of an earlier pass stay; readers take the last of a name.
pub(super) fn headers(
    original: Option<&BorrowedHeaders>,
    source: &Source,
    place: Place,
    hints: &Hints<'_>,
    reject: &Reject,
    has_payload: bool,
) -> OwnedHeaders {
    let mut headers = original.map_or_else(|| OwnedHeaders::new_with_capacity(16), BorrowedHeaders::detach);
    let mut put = |key: &str, value: &str| {
        let taken = std::mem::replace(&mut headers, OwnedHeaders::new_with_capacity(0));
        headers = taken.insert(Header { key, value: Some(value) });
    };
    put("normalizer.dead-letter.reason", reject.reason.name());
    put("normalizer.dead-letter.detail", &reject.detail);
    put("normalizer.dead-letter.vendor", source.adapter.vendor);
    put("normalizer.dead-letter.version", env!("CARGO_PKG_VERSION"));
    put("normalizer.dead-letter.item", &place.item.to_string());
    put("normalizer.dead-letter.items", &place.items.to_string());
    put("__streams.errors.topic", &source.topic);
    put("__streams.errors.partition", &place.partition.to_string());
    put("__streams.errors.offset", &place.offset.to_string());
    for (key, value) in [
        ("normalizer.dead-letter.hint.channel", hints.channel),
        ("normalizer.dead-letter.hint.event", hints.event),
        ("normalizer.dead-letter.hint.format", hints.format),
        ("normalizer.dead-letter.hint.account", hints.account),
        ("normalizer.dead-letter.hint.zone", hints.zone.map(Zone::name)),
        ("normalizer.dead-letter.hint.region", source.region_text()),
    ] {
        if let Some(value) = value {
            put(key, value);
        }
    }
    if !has_payload {
        put("normalizer.dead-letter.payload", "omitted");
    }
    headers
}
