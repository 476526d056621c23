//! Compares what came out with what had to come out.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::feed::Feed;
use super::load::{DeadLetter, Output, Raw, own_of};
use super::reader::{Decoder, Envelope, Record, last_header};

/// How many differences of one kind are printed.
const SHOWN: usize = 5;

/// Where a raw record stands: topic, partition, offset.
pub type Place = (String, i32, i64);

/// What was read of an output or a dead letter, without its bytes: a run may have millions.
pub struct Seen {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    key: Option<Vec<u8>>,
    timestamp: Option<i64>,
    pub content: Content,
}

pub enum Content {
    Event {
        own: Option<u64>,
        envelope: Envelope,
        traceparent: Option<String>,
    },
    DeadLetter(Box<Letter>),
    /// Neither, and why.
    Unreadable(String),
}

/// A dead letter by its headers, and the hash of its bytes.
pub struct Letter {
    pub place: Place,
    item: Option<usize>,
    reason: Option<String>,
    vendor: Option<String>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    value: u64,
}

/// Decodes what is read from the topics of the test with this prefix.
pub struct Eye {
    decoder: Decoder,
    dead_letter_topic: String,
}

impl Eye {
    pub fn new(prefix: &str) -> Eye {
        Eye { decoder: Decoder::new(), dead_letter_topic: dead_letter_topic(prefix) }
    }

    /// Where events are framed with a registry's id.
    pub fn with_schema_id(prefix: &str, id: u32) -> Eye {
        Eye { decoder: Decoder::with_schema_id(id), dead_letter_topic: dead_letter_topic(prefix) }
    }

    pub fn see(&self, record: Record) -> Seen {
        let content = if record.topic == self.dead_letter_topic { letter(&record) } else { self.event(&record) };
        let Record { topic, partition, offset, key, timestamp, .. } = record;
        Seen { topic, partition, offset, key, timestamp, content }
    }

    fn event(&self, record: &Record) -> Content {
        match self.decoder.decode(record.value.as_deref().unwrap_or_default()) {
            Ok(envelope) => Content::Event {
                own: envelope.reference.as_deref().or(envelope.launch_id.as_deref()).and_then(own_of),
                envelope,
                traceparent: record.header("traceparent").map(str::to_owned),
            },
            Err(error) => Content::Unreadable(format!("no envelope: {error:.300}")),
        }
    }
}

fn letter(record: &Record) -> Content {
    let Some((place, item)) = origin(record) else {
        return Content::Unreadable(format!("a dead letter that doesn't say whence: {:?}", names(record)));
    };
    Content::DeadLetter(Box::new(Letter {
        place,
        item,
        reason: record.header("normalizer.dead-letter.reason").map(str::to_owned),
        vendor: record.header("normalizer.dead-letter.vendor").map(str::to_owned),
        headers: record.headers.clone(),
        value: hash(record.value.as_deref().unwrap_or_default()),
    }))
}

impl Seen {
    /// Where the raw record stands that this came of.
    pub fn source(&self) -> Option<&Place> {
        match &self.content {
            Content::Event { envelope, .. } => Some(&envelope.source),
            Content::DeadLetter(letter) => Some(&letter.place),
            Content::Unreadable(_) => None,
        }
    }
}

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

    /// Compares with what was read from the output topics and the dead-letter topic, each partition's records in order.
    pub fn compare(&self, seen: &[Seen]) -> Report {
        let mut comparison = Comparison { expected: self, report: Report::default(), event_ids: HashMap::new() };
        let mut dead_letters = HashSet::new();
        // Where a key's events stand, and the last one seen.
        let mut last_by_key = HashMap::new();
        for seen in seen {
            match &seen.content {
                Content::Event { own, envelope, traceparent } => {
                    comparison.report.outputs_read += 1;
                    let first = comparison.event(seen, *own, envelope, traceparent.as_deref());
                    if let Some((own, output)) = first {
                        let last = last_by_key.entry(output.key.as_str()).or_insert((seen.partition, own));
                        if last.0 != seen.partition || last.1 > own {
                            let text = format!("{}: own id {own} after {last:?} (partition, own id)", at(seen));
                            comparison.report.out_of_order.push(text);
                        }
                        *last = (seen.partition, own);
                    }
                }
                Content::DeadLetter(letter) => {
                    comparison.report.dead_letters_read += 1;
                    comparison.dead_letter(seen, letter, &mut dead_letters);
                }
                Content::Unreadable(why) => comparison.report.unexpected.push(format!("{}: {why}", at(seen))),
            }
        }
        let Comparison { mut report, event_ids, .. } = comparison;
        let lost = self.outputs.iter().filter(|(own, _)| !event_ids.contains_key(own));
        report.lost.extend(lost.map(|(own, (output, _, place))| {
            format!("own id {own} for {} from {place:?}", stream_topic(self.prefix, output.stream))
        }));
        let lost = self.dead_letters.keys().filter(|id| !dead_letters.contains(*id));
        report.lost.extend(lost.map(|id| format!("the dead letter of {id:?}")));
        let distinct: HashSet<&&str> = event_ids.values().collect();
        if distinct.len() < event_ids.len() {
            let shared = event_ids.len() - distinct.len();
            report.wrong.push(format!("{shared} events have an event_id that another event has too"));
        }
        report
    }
}

struct Comparison<'e> {
    expected: &'e Expected<'e>,
    report: Report,
    /// By own id, of the events seen so far.
    event_ids: HashMap<u64, &'e str>,
}

impl<'e> Comparison<'e> {
    /// Compares an event; returns it where it is the first of its own id.
    fn event(
        &mut self,
        seen: &Seen,
        own: Option<u64>,
        envelope: &'e Envelope,
        traceparent: Option<&str>,
    ) -> Option<(u64, &'e Output)> {
        let known = own.and_then(|own| Some((own, self.expected.outputs.get(&own)?)));
        let Some((own, (output, raw, place))) = known else {
            let text = format!("{}: event {} of {:?}", at(seen), envelope.event_id, envelope.source);
            self.report.unexpected.push(text);
            return None;
        };
        if let Some(event_id) = self.event_ids.get(&own) {
            self.report.doubled.push(format!("{}: own id {own} of {place:?}", at(seen)));
            if *event_id != envelope.event_id {
                self.report.wrong.push(format!("{}: own id {own} came again with another event_id", at(seen)));
            }
            return None;
        }
        let mut differs = |what: &str, is: &dyn fmt::Debug, should: &dyn fmt::Debug| {
            self.report.wrong.push(format!("{}: own id {own}: {what} is {is:?}, should be {should:?}", at(seen)));
        };
        let topic = stream_topic(self.expected.prefix, output.stream);
        if seen.topic != topic {
            differs("topic", &seen.topic, &topic);
        }
        if seen.key.as_deref() != Some(output.key.as_bytes()) {
            differs("key", &text(&seen.key), &output.key);
        }
        if seen.timestamp != Some(raw.timestamp) {
            differs("timestamp", &seen.timestamp, &raw.timestamp);
        }
        if traceparent != raw.header("traceparent") {
            differs("traceparent", &traceparent, &raw.header("traceparent"));
        }
        if envelope.vendor != raw.vendor.name() {
            differs("vendor", &envelope.vendor, &raw.vendor);
        }
        if envelope.source != *place {
            differs("source", &envelope.source, place);
        }
        self.event_ids.insert(own, &envelope.event_id);
        Some((own, output))
    }

    fn dead_letter(&mut self, seen: &Seen, letter: &Letter, known: &mut HashSet<(Place, Option<usize>)>) {
        // A body that can't be split has no items: its dead letter is of the whole.
        let whole = (letter.place.clone(), None);
        let is_whole = self.expected.dead_letters.contains_key(&whole);
        let id = if is_whole { whole } else { (letter.place.clone(), letter.item) };
        let Some((dead_letter, raw)) = self.expected.dead_letters.get(&id) else {
            let text = format!("{}: a dead letter of {id:?}, reason {:?}", at(seen), letter.reason);
            self.report.unexpected.push(text);
            return;
        };
        if !known.insert(id.clone()) {
            self.report.doubled.push(format!("{}: the dead letter of {id:?}", at(seen)));
            return;
        }
        let mut differs = |what: &str, is: &dyn fmt::Debug, should: &dyn fmt::Debug| {
            self.report.wrong.push(format!("{}: dead letter of {id:?}: {what} is {is:?}, should be {should:?}", at(seen)));
        };
        if letter.reason.as_deref() != Some(dead_letter.reason) {
            differs("reason", &letter.reason, &dead_letter.reason);
        }
        if letter.vendor.as_deref() != Some(raw.vendor.name()) {
            differs("vendor", &letter.vendor, &raw.vendor);
        }
        if letter.value != hash(dead_letter.value.as_deref().unwrap_or_default()) {
            differs("hash of the value", &letter.value, &dead_letter.value.as_deref().map(hash));
        }
        if seen.key.as_deref() != Some(raw.key.as_bytes()) {
            differs("key", &text(&seen.key), &raw.key);
        }
        if seen.timestamp != Some(raw.timestamp) {
            differs("timestamp", &seen.timestamp, &raw.timestamp);
        }
        for (name, value) in &raw.headers {
            let is = last_header(&letter.headers, name);
            if is != Some(value) {
                differs(name, &is, value);
            }
        }
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

    pub fn is_complete(&self) -> bool {
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

/// Where a dead letter's raw record stands, and which item of it this is, from the headers.
fn origin(record: &Record) -> Option<(Place, Option<usize>)> {
    let topic = record.header("__streams.errors.topic")?.to_owned();
    let partition = record.header("__streams.errors.partition")?.parse().ok()?;
    let offset = record.header("__streams.errors.offset")?.parse().ok()?;
    let item = record.header("normalizer.dead-letter.item").and_then(|item| item.parse().ok());
    Some(((topic, partition, offset), item))
}

fn at(seen: &Seen) -> String {
    format!("{}/{}@{}", seen.topic, seen.partition, seen.offset)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn names(record: &Record) -> Vec<&str> {
    record.headers.iter().map(|(name, _)| name.as_str()).collect()
}

fn text(bytes: &Option<Vec<u8>>) -> Option<String> {
    bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}
