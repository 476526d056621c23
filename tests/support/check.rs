//! Compares what came out with what had to come out.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::feed::Feed;
use super::load::{DeadLetter, Output, Raw, own_of};
use super::reader::{Decoder, Envelope, Record, envelope_schema};

/// How many differences of one kind are printed.
const SHOWN: usize = 5;

/// Where a raw record stands: topic, partition, offset.
type Place = (String, i32, i64);

/// What must come out, from the load and where its records landed.
pub struct Expected<'f> {
    outputs: HashMap<u64, (&'f Output, &'f Raw, Place)>,
    /// By place and item.
    dead_letters: HashMap<(Place, Option<usize>), (&'f DeadLetter, &'f Raw)>,
    prefix: &'f str,
}

/// The differences, by kind. All empty is what a test wants.
#[derive(Default)]
pub struct Report {
    pub outputs_read: usize,
    pub dead_letters_read: usize,
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
    pub unexpected: Vec<String>,
    /// In the right number, but with the wrong topic, key, time, header or bytes.
    pub wrong: Vec<String>,
    pub out_of_order: Vec<String>,
}

impl<'f> Expected<'f> {
    pub fn of(feed: &'f Feed, prefix: &'f str) -> Expected<'f> {
        let (mut outputs, mut dead_letters) = (HashMap::new(), HashMap::new());
        for (raw, topic, partition, offset) in feed.landed() {
            let place = (topic, partition, offset);
            for output in &raw.outputs {
                let twin = outputs.insert(output.own, (output, raw, place.clone()));
                assert!(twin.is_none(), "the load has own id {} twice", output.own);
            }
            for dead_letter in &raw.dead_letters {
                dead_letters.insert((place.clone(), dead_letter.item), (dead_letter, raw));
            }
        }
        Expected { outputs, dead_letters, prefix }
    }

    /// Compares with what was read from the output topics and the dead-letter topic.
    pub fn compare(&self, records: &[Record]) -> Report {
        let mut report = Report::default();
        let dead_letter_topic = dead_letter_topic(self.prefix);
        let (dead_letters, outputs): (Vec<&Record>, Vec<&Record>) =
            records.iter().partition(|record| record.topic == dead_letter_topic);
        self.compare_outputs(&outputs, &mut report);
        self.compare_dead_letters(&dead_letters, &mut report);
        report
    }

    fn compare_outputs(&self, records: &[&Record], report: &mut Report) {
        let schema = envelope_schema();
        let decoder = Decoder::new(&schema);
        let mut event_ids: HashMap<u64, String> = HashMap::with_capacity(self.outputs.len());
        // Where a key's events stand, and the last one seen.
        let mut last_by_key: HashMap<&str, (i32, u64)> = HashMap::new();
        report.outputs_read = records.len();
        for record in records {
            let at = at(record);
            let envelope = match decoder.decode(record.value.as_deref().unwrap_or_default()) {
                Ok(envelope) => envelope,
                Err(error) => {
                    report.unexpected.push(format!("{at}: no envelope: {error:.300}"));
                    continue;
                }
            };
            let Some((own, (output, raw, place))) = own_id(&envelope).and_then(|own| Some((own, self.outputs.get(&own)?)))
            else {
                report.unexpected.push(format!("{at}: event {} of {:?}", envelope.event_id, envelope.source));
                continue;
            };
            if let Some(event_id) = event_ids.get(&own) {
                report.doubled.push(format!("{at}: own id {own}"));
                if *event_id != envelope.event_id {
                    report.wrong.push(format!("{at}: own id {own} came again with another event_id"));
                }
                continue;
            }

            let topic = stream_topic(self.prefix, output.stream);
            let mut differs = |what: &str, is: &dyn fmt::Debug, should: &dyn fmt::Debug| {
                report.wrong.push(format!("{at}: own id {own}: {what} is {is:?}, should be {should:?}"));
            };
            if record.topic != topic {
                differs("topic", &record.topic, &topic);
            }
            if record.key.as_deref() != Some(output.key.as_bytes()) {
                differs("key", &text(&record.key), &output.key);
            }
            if record.timestamp != Some(raw.timestamp) {
                differs("timestamp", &record.timestamp, &raw.timestamp);
            }
            if record.header("traceparent") != raw.header("traceparent") {
                differs("traceparent", &record.header("traceparent"), &raw.header("traceparent"));
            }
            if envelope.vendor != raw.vendor.name() {
                differs("vendor", &envelope.vendor, &raw.vendor);
            }
            if envelope.source != *place {
                differs("source", &envelope.source, place);
            }

            let last = last_by_key.entry(&output.key).or_insert((record.partition, own));
            if last.0 != record.partition || last.1 > own {
                report.out_of_order.push(format!("{at}: own id {own} after {last:?} (partition, own id)"));
            }
            *last = (record.partition, own);
            event_ids.insert(own, envelope.event_id);
        }

        let lost = self.outputs.iter().filter(|(own, _)| !event_ids.contains_key(own));
        report.lost.extend(lost.map(|(own, (output, _, place))| {
            format!("own id {own} for {} from {place:?}", stream_topic(self.prefix, output.stream))
        }));
        let distinct: HashSet<&String> = event_ids.values().collect();
        if distinct.len() < event_ids.len() {
            let shared = event_ids.len() - distinct.len();
            report.wrong.push(format!("{shared} events have an event_id that another event has too"));
        }
    }

    fn compare_dead_letters(&self, records: &[&Record], report: &mut Report) {
        report.dead_letters_read = records.len();
        let mut seen = HashSet::new();
        for record in records {
            let at = at(record);
            let Some((place, item)) = origin(record) else {
                report.unexpected.push(format!("{at}: a dead letter that doesn't say whence: {:?}", names(record)));
                continue;
            };
            // A body that can't be split has no items: its dead letter is of the whole.
            let whole = (place.clone(), None);
            let id = if self.dead_letters.contains_key(&whole) { whole } else { (place, item) };
            let Some((dead_letter, raw)) = self.dead_letters.get(&id) else {
                let reason = record.header("normalizer.dead-letter.reason");
                report.unexpected.push(format!("{at}: a dead letter of {id:?}, reason {reason:?}"));
                continue;
            };
            if !seen.insert(id.clone()) {
                report.doubled.push(format!("{at}: the dead letter of {id:?}"));
                continue;
            }

            let mut differs = |what: &str, is: &dyn fmt::Debug, should: &dyn fmt::Debug| {
                report.wrong.push(format!("{at}: dead letter of {id:?}: {what} is {is:?}, should be {should:?}"));
            };
            let reason = record.header("normalizer.dead-letter.reason");
            if reason != Some(dead_letter.reason) {
                differs("reason", &reason, &dead_letter.reason);
            }
            let vendor = record.header("normalizer.dead-letter.vendor");
            if vendor != Some(raw.vendor.name()) {
                differs("vendor", &vendor, &raw.vendor);
            }
            let value = record.value.as_deref().filter(|value| dead_letter.value.is_some() || !value.is_empty());
            if value != dead_letter.value.as_deref() {
                let length = |value: Option<&[u8]>| value.map(<[u8]>::len);
                differs("length of the value (the bytes differ)", &length(value), &length(dead_letter.value.as_deref()));
            }
            if record.key.as_deref() != Some(raw.key.as_bytes()) {
                differs("key", &text(&record.key), &raw.key);
            }
            if record.timestamp != Some(raw.timestamp) {
                differs("timestamp", &record.timestamp, &raw.timestamp);
            }
            for (name, value) in &raw.headers {
                if record.header(name) != Some(value) {
                    differs(name, &record.header(name), value);
                }
            }
        }
        let lost = self.dead_letters.keys().filter(|id| !seen.contains(*id));
        report.lost.extend(lost.map(|id| format!("the dead letter of {id:?}")));
    }
}

impl Report {
    /// Fails unless everything came out exactly once, in order, as expected.
    pub fn assert_exactly_once(&self) {
        assert!(self.doubled.is_empty() && self.is_complete(), "{self}");
    }

    /// Fails unless everything came out at least once. First comings are in order.
    pub fn assert_at_least_once(&self) {
        assert!(self.is_complete(), "{self}");
    }

    fn is_complete(&self) -> bool {
        [&self.lost, &self.unexpected, &self.wrong, &self.out_of_order].iter().all(|kind| kind.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "read {} events and {} dead letters", self.outputs_read, self.dead_letters_read)?;
        let kinds = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("unexpected", &self.unexpected),
            ("wrong", &self.wrong),
            ("out of order", &self.out_of_order),
        ];
        for (kind, differences) in kinds {
            writeln!(f, "{kind}: {}", differences.len())?;
            for difference in differences.iter().take(SHOWN) {
                writeln!(f, "  {difference}")?;
            }
        }
        Ok(())
    }
}

/// The output topic of a stream in the test with this prefix.
pub fn stream_topic(prefix: &str, stream: &str) -> String {
    format!("{prefix}.events.{stream}")
}

/// The dead-letter topic of the test with this prefix.
pub fn dead_letter_topic(prefix: &str) -> String {
    stream_topic(prefix, "dead-letters")
}

fn own_id(envelope: &Envelope) -> Option<u64> {
    envelope.reference.as_deref().or(envelope.launch_id.as_deref()).and_then(own_of)
}

/// Where a dead letter's raw record stands, and which item of it this is, from the headers.
fn origin(record: &Record) -> Option<(Place, Option<usize>)> {
    let topic = record.header("__streams.errors.topic")?.to_owned();
    let partition = record.header("__streams.errors.partition")?.parse().ok()?;
    let offset = record.header("__streams.errors.offset")?.parse().ok()?;
    let item = record.header("normalizer.dead-letter.item").and_then(|item| item.parse().ok());
    Some(((topic, partition, offset), item))
}

fn at(record: &Record) -> String {
    format!("{}/{}@{}", record.topic, record.partition, record.offset)
}

fn names(record: &Record) -> Vec<&str> {
    record.headers.iter().map(|(name, _)| name.as_str()).collect()
}

fn text(bytes: &Option<Vec<u8>>) -> Option<String> {
    bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}
