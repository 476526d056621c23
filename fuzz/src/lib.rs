//! What every fuzz target does: a body goes through the whole core, and what comes out must hold together.

use std::sync::LazyLock;

use bumpalo::Bump;
use event_normalizer::avro::Encoder;
use event_normalizer::envelope::{Envelope, Origin, Source};
use event_normalizer::event::Instant;
use event_normalizer::vendors::{self, Hints, Outcome, Reading};

static ENCODER: LazyLock<Encoder> = LazyLock::new(|| Encoder::verified().expect("the encoder fits the schema"));

/// Normalizes and encodes a body. The body's length chooses the hints, so that a payload is a corpus entry as it is.
///
/// # Panics
/// A promise is broken; the fuzzer keeps the body.
pub fn normalize(vendor: &str, body: &[u8]) {
    let adapter = vendors::find(vendor).expect("a vendor");
    // One length in as many as there are rows, and one more, gives no hint.
    let row = adapter.rows.get(body.len() % (adapter.rows.len() + 1));
    let hints = Hints {
        channel: row.map(|row| row.channel.slug()),
        event: row.map(|row| row.event),
        format: row.and_then(|row| row.format),
        ..Hints::default()
    };
    let arena = Bump::new();
    let mut framed = Vec::new();
    let mut count = 0;
    adapter.normalize(body, &hints, &Reading::default(), &arena, |normalized| {
        count += 1;
        if let Outcome::Event(event) = normalized.outcome {
            let source = Source { kafka_topic: "raw", kafka_partition: 0, kafka_offset: 0, item_index: 0, item_count: 1 };
            let origin = Origin { vendor: adapter.vendor, account: None, received_at: Instant(0), source };
            let envelope = Envelope::wrap(event, origin, normalized.bytes, true, &arena);
            assert!(envelope.stream().is_some() && !envelope.key().is_empty());
            ENCODER.encode(&envelope, &mut framed);
        }
    });
    assert!(count > 0, "a body has a fate");
}
