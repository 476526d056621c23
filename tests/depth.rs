//! Nothing that a vendor prints is lost: every value of every golden payload is in its envelope, in a field, in an
//! attribute or in a JSON text. No documented field is left out on purpose.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

mod fixtures;

use std::collections::BTreeMap;

use bumpalo::Bump;
use event_normalizer::commands::translate;
use event_normalizer::envelope::{Envelope, Origin, Source};
use event_normalizer::event::Instant;
use event_normalizer::vendors::{ADAPTERS, Adapter, Outcome, Reading, Zone};
use fixtures::Fixture;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Cases about fields that no vendor documents: a typed shape skips those.
const UNDOCUMENTED: &str = "unknown_extra_fields";

#[test]
fn every_printed_value_is_in_the_envelope() {
    let mut lost: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut values = 0;
    for adapter in ADAPTERS {
        for fixture in Fixture::all(adapter) {
            if fixture.name.ends_with(UNDOCUMENTED) {
                continue;
            }
            let zone = fixture.hints().zone.map_or("UTC", Zone::name).to_owned();
            for (item, envelope) in envelopes(adapter, &fixture) {
                let kept = Kept::of(&envelope, &zone);
                for (path, value) in leaves(&item) {
                    values += 1;
                    if !kept.has(&value) {
                        lost.entry(format!("{} {path}", adapter.vendor)).or_default().push(fixture.name.clone());
                    }
                }
            }
        }
    }
    assert!(values > 10_000, "only {values} values were found");
    assert!(lost.is_empty(), "values that are lost, with the cases:\n{lost:#?}");
}

/// Each item that gives an event, as JSON, with its envelope.
fn envelopes(adapter: &Adapter, fixture: &Fixture) -> Vec<(Value, Value)> {
    let arena = Bump::new();
    let hints = fixture.hints();
    let mut found = Vec::new();
    adapter.normalize(&fixture.body, &hints, &Reading::default(), &arena, |normalized| {
        let Outcome::Event(event) = normalized.outcome else { return };
        // A repaired item is no JSON as it arrived.
        let Ok(item) = serde_json::from_slice(normalized.bytes) else { return };
        let source = Source { kafka_topic: "", kafka_partition: 0, kafka_offset: 0, item_index: 0, item_count: 1 };
        let origin = Origin { vendor: adapter.vendor, account: hints.account, received_at: Instant(0), source };
        let envelope = Envelope::wrap(event, origin, normalized.bytes, false, &arena);
        found.push((item, Value::Object(translate::envelope_object(&envelope).unwrap())));
    });
    found
}

/// Paths with values of all that is no null and no empty text; elements of an array stand under its path.
fn leaves(value: &Value) -> Vec<(String, Value)> {
    fn walk(path: &str, value: &Value, out: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(&path, value, out);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| walk(path, element, out)),
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            value => out.push((path.to_owned(), value.clone())),
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

/// The values of an envelope, those of the JSON texts in it too.
struct Kept {
    texts: Vec<String>,
    /// Zone of printed times without one.
    zone: TimeZone,
}

impl Kept {
    fn of(envelope: &Value, zone: &str) -> Self {
        let mut texts = Vec::new();
        for (_, value) in leaves(envelope) {
            let text = text(&value);
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(&text) {
                texts.extend(leaves(&inner).iter().map(|(_, value)| self::text(value)));
            }
            texts.push(text);
        }
        Self { texts, zone: TimeZone::get(zone).unwrap() }
    }

    /// Whether a value is kept: as printed, or as the instant, the number, the flag or the word that it stands for.
    fn has(&self, value: &Value) -> bool {
        let printed = text(value);
        let lower = printed.to_lowercase();
        let instant = instant(&printed, &self.zone);
        self.texts.iter().any(|kept| {
            *kept == printed
                || kept.to_lowercase() == lower
                // A first name in a full name.
                || kept.split(' ').any(|word| word == printed)
                || (instant.is_some() && self::instant(kept, &self.zone) == instant)
                || same_number(kept, &printed)
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn instant(text: &str, zone: &TimeZone) -> Option<i64> {
    let number = text.parse::<i64>().ok().filter(|_| matches!(text.len(), 10 | 13));
    let seconds = number.map(|number| if text.len() == 10 { number * 1000 } else { number });
    let printed = || text.parse::<Timestamp>().ok();
    let local = || zone.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    seconds.or_else(|| printed().or_else(local).map(Timestamp::as_millisecond))
}

/// Equal numbers, or seconds that became milliseconds.
fn same_number(kept: &str, printed: &str) -> bool {
    let (Ok(kept), Ok(printed)) = (kept.parse::<f64>(), printed.parse::<f64>()) else { return false };
    (kept - printed).abs() < 1e-9 || (kept - printed * 1000.0).abs() < 1e-6
}
