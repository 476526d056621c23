//! The golden payloads of all vendors as raw records, and the envelopes that must come of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bumpalo::Bump;
use event_normalizer::commands::translate;
use event_normalizer::vendors::{ADAPTERS, Adapter, Outcome, Reading};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::fixtures::{Fixture, HintFile};

/// The raw records' time begins so long ago and goes on by a step for each. Kafka deletes what is older than a week.
const FIRST_AGE_MS: i64 = 86_400_000;
const TIME_STEP_MS: i64 = 7_013;

/// Record headers that say what the hints of a case say of its record.
const CHANNEL_HEADER: &str = "x-channel";
const EVENT_HEADER: &str = "x-event";
const FORMAT_HEADER: &str = "x-format";

pub struct Corpus {
    pub sources: Vec<Source>,
    pub expected: BTreeMap<Place, Expected>,
}

/// A raw topic with one partition. Account, zone and region are known for a whole topic: each combination has its own.
pub struct Source {
    pub topic: String,
    /// Its entry in the settings.
    pub settings: Value,
    /// In the order of their offsets.
    pub records: Vec<Raw>,
}

pub struct Raw {
    pub body: Vec<u8>,
    pub time_ms: i64,
    pub headers: Vec<(&'static str, String)>,
}

/// Where an item stands: raw topic, partition, offset, item of the body.
pub type Place = (String, i64, i64, i64);

#[derive(Clone)]
pub struct Expected {
    /// Vendor and case.
    pub case: String,
    /// What `translate` prints for the item, and the fields that tell of the raw record. The payload is in hexadecimal
    /// digits: a reader must give its very bytes.
    pub envelope: Map<String, Value>,
}

impl Corpus {
    /// All golden payloads, in raw topics whose names begin with `prefix`.
    pub fn read(prefix: &str) -> Result<Corpus> {
        let mut sources: BTreeMap<[Option<String>; 4], Source> = BTreeMap::new();
        let mut expected = BTreeMap::new();
        let mut time_ms = Timestamp::now().as_millisecond() - FIRST_AGE_MS;
        for adapter in ADAPTERS {
            for fixture in Fixture::all(adapter) {
                let HintFile { channel, event, format, account, zone, region } = &fixture.hint_file;
                let key = [Some(adapter.vendor.to_owned()), account.clone(), zone.clone(), region.clone()];
                let number = sources.len();
                let source = sources.entry(key).or_insert_with(|| {
                    let topic = format!("{prefix}.raw.{number}");
                    let settings = json!({
                        "topic": &topic, "vendor": adapter.vendor, "account": account, "zone": zone, "region": region,
                        "hint_headers": { "channel": CHANNEL_HEADER, "event": EVENT_HEADER, "format": FORMAT_HEADER },
                    });
                    Source { topic, settings, records: Vec::new() }
                });
                let place = (source.topic.as_str(), source.records.len() as i64);
                let events = events(adapter, &fixture, place, time_ms);
                expected.extend(events.with_context(|| format!("{}::{}", adapter.vendor, fixture.name))?);
                let headers = [(CHANNEL_HEADER, channel), (EVENT_HEADER, event), (FORMAT_HEADER, format)];
                let headers = headers.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect();
                source.records.push(Raw { body: fixture.body, time_ms, headers });
                time_ms += TIME_STEP_MS;
            }
        }
        Ok(Corpus { sources: sources.into_values().collect(), expected })
    }
}

/// The envelopes of one raw record.
fn events(adapter: &Adapter, fixture: &Fixture, (topic, offset): (&str, i64), time_ms: i64) -> Result<Vec<(Place, Expected)>> {
    let hints = fixture.hints();
    let arena = Bump::new();
    let received_at = Timestamp::from_millisecond(time_ms)?.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let mut lines = Vec::new();
    adapter.normalize(&fixture.body, &hints, &Reading::default(), &arena, |normalized| {
        if matches!(normalized.outcome, Outcome::Event(_)) {
            let (item, count, bytes) = (normalized.index, normalized.count, normalized.bytes);
            lines.push((item, count, bytes, translate::line(adapter.vendor, hints.account, normalized, &arena)));
        }
    });
    let mut events = Vec::new();
    for (item, count, bytes, line) in lines {
        let mut envelope: Map<String, Value> = serde_json::from_str(&line?)?;
        envelope.insert("payload".to_owned(), hexadecimal(bytes).into());
        envelope.insert("received_at".to_owned(), received_at.as_str().into());
        let source = json!({
            "kafka_topic": topic, "kafka_partition": 0, "kafka_offset": offset, "item_index": item, "item_count": count,
        });
        envelope.insert("source".to_owned(), source);
        let case = format!("{}::{}", adapter.vendor, fixture.name);
        events.push(((topic.to_owned(), 0, offset, item.into()), Expected { case, envelope }));
    }
    Ok(events)
}

/// Bytes as readers print them.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
