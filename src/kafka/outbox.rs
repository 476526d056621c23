//! The open transaction of one worker: what was read, what was sent for it, and what to read again if it fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bumpalo::Bump;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Message, OwnedHeaders};
use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};

use super::dead_letter::{self, About, HintTexts, Place};
use super::fault::{Fault, is_seeded, stranger};
use super::headers;
use super::sender::{Outgoing, SendError, Sender};
use super::source::Source;
use super::statistics::ClientStatistics;
use super::tally::Tally;
use super::transaction::TransactionError;
use super::waiting::Waiting;
use super::watch::Watch;
use crate::avro::Encoder;
use crate::breaker::Breaker;
use crate::envelope::{self, Envelope, Origin};
use crate::event::{self, Stream};
use crate::metrics::Metrics;
use crate::reject::{Ignored, Reason, Reject};
use crate::settings::{DeadLetterPayload, EnvelopePayload, Settings};
use crate::vendors::{Hints, Normalized, Outcome, Reading};

/// Of so many records of a transaction one has its translation timed. Two looks at a clock are a part of what a small record
/// costs.
const TRANSLATIONS_TIMED: usize = 64;

/// What all workers share and none changes.
#[derive(Debug)]
pub(super) struct Shared {
    pub settings: Arc<Settings>,
    pub sources: Vec<Source>,
    pub metrics: Arc<Metrics>,
    pub breaker: Arc<Breaker>,
    reading: Reading,
    /// By stream.
    targets: Vec<Target>,
}

/// Where a stream's events go, and how they are framed there.
#[derive(Debug)]
pub(super) struct Target {
    pub topic: String,
    pub encoder: Encoder,
    /// Where a registry has the schema of what is sent there.
    pub schema_url: Option<String>,
}

impl Target {
    /// One for each stream, in their order.
    pub fn all(settings: &Settings, encoder: impl Fn(Stream) -> Encoder) -> Vec<Self> {
        let registry = settings.schema_registry.as_ref().and_then(|registry| registry.urls().next());
        let target = |stream| {
            let encoder = encoder(stream);
            let schema_url = registry.zip(encoder.schema_id()).map(|(url, id)| format!("{url}/schemas/ids/{id}"));
            Self { topic: settings.topics.of(stream), encoder, schema_url }
        };
        Stream::all().map(target).collect()
    }
}

impl Shared {
    pub fn new(
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        breaker: Arc<Breaker>,
        encoder: impl Fn(Stream) -> Encoder,
    ) -> Result<Self> {
        Ok(Self {
            sources: Source::all(&settings)?,
            reading: settings.reading(),
            targets: Target::all(&settings, encoder),
            settings,
            metrics,
            breaker,
        })
    }

    pub fn source(&self, topic: &str) -> Option<usize> {
        self.sources.iter().position(|source| source.topic == topic)
    }
}

/// A partition of a source: position of the source, number of the partition.
pub(super) type Partition = (usize, i32);

/// Offsets of one partition in the open transaction.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: i64,
    /// The next offset to read.
    next: i64,
    /// Timestamp of the last record.
    timestamp: Option<i64>,
}

/// One item of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ItemKey {
    partition: Partition,
    offset: i64,
    item: i32,
}

/// Why a record could not be handled.
#[derive(Debug)]
pub(super) enum Failure {
    Transaction(TransactionError),
    /// Nothing that is done again can help.
    Stop(anyhow::Error),
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        Self::Transaction(error)
    }
}

/// Sends the outputs of records, and remembers what belongs to the open transaction.
pub(super) struct Outbox {
    sender: Sender,
    pending: BTreeMap<Partition, Span>,
    /// Partitions whose records must be read again, from at least these offsets.
    rewind: BTreeMap<Partition, i64>,
    tally: Tally,
    records: usize,
    bytes: usize,
    began_at: Instant,
    /// The same in milliseconds since 1970: what the age of events is measured by, so that they cost no look at a clock.
    began_at_ms: i64,
    /// While a record is translated whose time is taken: how much of it went by in the client.
    sending: Option<Duration>,
    /// The items that were sent in the open transaction. Their outputs are numbered through, from `first_output` on.
    outputs: Vec<ItemKey>,
    first_output: usize,
    /// Items whose output a broker refused, or one in a batch with it, until they are committed. Each is sent alone, so that
    /// the one to blame is known; with how often it was refused then.
    suspects: BTreeMap<ItemKey, u8>,
    /// Next offsets by partition, as of the last commit.
    pub committed: BTreeMap<Partition, i64>,
    /// By partition of the assignment.
    pub waiting: BTreeMap<Partition, Waiting>,
    buffer: Vec<u8>,
    pub watch: Watch,
    /// Of the consumer.
    pub statistics: ClientStatistics,
}

impl Outbox {
    pub fn new(sender: Sender, statistics: ClientStatistics, shared: &Shared) -> Self {
        Self {
            sender,
            pending: BTreeMap::new(),
            rewind: BTreeMap::new(),
            tally: Tally::new(&shared.metrics),
            records: 0,
            bytes: 0,
            began_at: Instant::now(),
            began_at_ms: now_ms(),
            sending: None,
            outputs: Vec::new(),
            first_output: 0,
            suspects: BTreeMap::new(),
            committed: BTreeMap::new(),
            waiting: BTreeMap::new(),
            buffer: Vec::new(),
            watch: Watch::new(&shared.breaker, shared.sources.len()),
            statistics,
        }
    }

    pub fn is_open(&self) -> bool {
        self.sender.is_open()
    }

    pub fn needs_new_sender(&self) -> bool {
        !self.sender.is_open() && self.sender.is_dirty() && !is_seeded(Fault::DirtyKept)
    }

    /// Takes a new sender in place of one that can't be used any more; what was open is read again.
    pub fn replace_sender(&mut self, mut sender: Sender) {
        sender.take_over(&mut self.sender);
        self.sender = sender;
    }

    /// Sends what one record gives. The record is part of the open transaction from here on, also where this fails.
    pub fn handle(&mut self, message: &BorrowedMessage<'_>, shared: &Shared, arena: &Bump) -> Result<(), Failure> {
        let Some(source_index) = shared.source(message.topic()) else {
            return Err(Failure::Stop(anyhow!("a record of a topic that is no source")));
        };
        let partition = (source_index, message.partition());
        if self.rewind.contains_key(&partition) {
            // Read ahead of the rewind, and read again after it.
            return Ok(());
        }
        if self.watch.is_stopped(source_index) {
            // Read ahead of the stop. Nothing of the partition is in the open transaction.
            self.rewind.insert(partition, message.offset());
            return Ok(());
        }
        if !self.sender.is_open() {
            self.began_at = Instant::now();
            self.began_at_ms = now_ms();
        }
        let offset = message.offset();
        let timestamp = message.timestamp().to_millis();
        let span = self.pending.entry(partition).or_insert(Span { first: offset, next: offset, timestamp });
        span.next = offset + 1;
        span.timestamp = timestamp.or(span.timestamp);
        if let (true, Some(timestamp), Some(waiting)) = (span.first == offset, timestamp, self.waiting.get_mut(&partition)) {
            waiting.read(timestamp);
        }
        self.records += 1;
        self.sender.begin()?;

        let source = &shared.sources[source_index];
        let Some(payload) = message.payload() else {
            self.tally.record(source_index, 0, timestamp);
            self.tally.ignored(source.vendor, Ignored::Tombstone);
            return Ok(());
        };
        self.tally.record(source_index, payload.len(), timestamp);
        self.bytes += payload.len();
        let hints = source.hints(message.headers());
        let mut failure = None;
        let record = Record { message, source, shared, partition, hints: &hints };
        let started_at = (self.records % TRANSLATIONS_TIMED == 1).then(Instant::now);
        self.sending = started_at.map(|_| Duration::ZERO);
        source.adapter.normalize(payload, &hints, &shared.reading, arena, |normalized| {
            if failure.is_none() {
                failure = self.put(record, normalized, arena).err();
            }
        });
        if let (Some(started_at), Some(sending)) = (started_at, self.sending.take()) {
            self.tally.translation(source_index, started_at.elapsed().saturating_sub(sending).as_secs_f64());
        }
        failure.map_or(Ok(()), Err)
    }

    /// Sends what one item gives.
    fn put<'a>(&mut self, record: Record<'a>, normalized: Normalized<'a>, arena: &'a Bump) -> Result<(), Failure> {
        let Normalized { index, count, bytes, is_whole, is_comma_repaired, outcome } = normalized;
        let key = ItemKey { partition: record.partition, offset: record.message.offset(), item: index };
        let place = Place { partition: key.partition.1, offset: key.offset, item: index, items: count };
        let refusals = self.suspects.get(&key).copied().unwrap_or(0);
        let vendor = record.source.vendor;
        let (reject, refusals) = match outcome {
            Outcome::Ignored(ignored) => {
                self.tally.ignored(vendor, ignored);
                return Ok(());
            }
            Outcome::Rejected(reject) => (reject, refusals),
            Outcome::Event(event) if refusals == 0 => {
                let marks = (event.has_unlisted_status, event.has_hint_conflict);
                let envelope = record.wrap(event, place, bytes, arena);
                if self.send_event(record, &envelope, key)? {
                    self.watch.event(record.partition.0);
                    if marks.0 {
                        self.tally.unlisted_status(vendor);
                    }
                    if marks.1 {
                        self.tally.hint_conflict(vendor);
                    }
                    return Ok(());
                }
                (refused(), 0)
            }
            Outcome::Event(_) => (refused(), refusals - 1),
        };
        let about = record.about(place, is_whole, is_comma_repaired);
        self.send_dead_letter(record, &about, bytes, &reject, refusals, key)
    }

    /// Returns whether the client took the event; it does not take what is longer than its own limit.
    fn send_event(&mut self, record: Record<'_>, envelope: &Envelope<'_>, key: ItemKey) -> Result<bool, Failure> {
        let Some(stream) = envelope.stream() else {
            return Err(Failure::Stop(anyhow!("the catalogue has an event without a stream")));
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let target = &record.shared.targets[stream.index()];
        target.encoder.encode(envelope, &mut buffer);
        let outgoing = Outgoing {
            topic: &target.topic,
            partition: None,
            payload: Some(&buffer),
            key: Some(envelope.key().as_bytes()),
            timestamp: record.message.timestamp().to_millis(),
            headers: record.event_headers(envelope, target.schema_url.as_deref()),
            delivery_opaque: self.next_output(),
        };
        let sent = self.send(outgoing, key);
        self.buffer = buffer;
        if sent? {
            self.tally.produced(record.source.vendor, stream);
            if let Some(event::Instant(occurred_at)) = envelope.occurred_at {
                let delay = (self.began_at_ms - occurred_at).max(0) as f64 / 1000.0;
                self.tally.delay(&record.shared.metrics, stream, delay);
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// A dead letter with its payload; with headers only where that was refused before or the settings say so.
    fn send_dead_letter(
        &mut self,
        record: Record<'_>,
        about: &About<'_>,
        bytes: &[u8],
        reject: &Reject,
        refusals: u8,
        key: ItemKey,
    ) -> Result<(), Failure> {
        let keeps_payload = record.shared.settings.dead_letters.payload == DeadLetterPayload::Full;
        for has_payload in [true, false] {
            if has_payload && (refusals > 0 || !keeps_payload) {
                continue;
            }
            if refusals > 1 {
                break;
            }
            let original = record.message.headers().map(BorrowedHeaders::detach);
            let headers = dead_letter::headers(original, about, reject, has_payload);
            let outgoing = Outgoing {
                topic: &record.shared.settings.topics.dead_letters,
                partition: None,
                payload: has_payload.then_some(bytes),
                key: record.message.key(),
                timestamp: record.message.timestamp().to_millis(),
                headers: Some(headers),
                delivery_opaque: self.next_output(),
            };
            if is_seeded(Fault::DeadLetterOutside) {
                self.sender.send_outside(outgoing);
                return Ok(());
            }
            if self.send(outgoing, key)? {
                self.tally.dead_letter(record.source.vendor, reject.reason);
                self.watch.dead_letter(record.partition.0, record.shared);
                return Ok(());
            }
        }
        let topic = &record.shared.settings.topics.dead_letters;
        Err(Failure::Stop(anyhow!("{topic} refuses a dead letter of headers only: raise its max.message.bytes")))
    }

    /// The number of the next output.
    fn next_output(&self) -> usize {
        self.first_output + self.outputs.len()
    }

    /// Returns whether the client took the record.
    fn send(&mut self, outgoing: Outgoing<'_>, key: ItemKey) -> Result<bool, Failure> {
        let number = self.next_output();
        let is_suspect = self.suspects.contains_key(&key);
        if is_suspect {
            self.sender.wait_for_reports()?;
        }
        let started_at = self.sending.is_some().then(Instant::now);
        let sent = self.sender.send(outgoing);
        if let (Some(sending), Some(started_at)) = (&mut self.sending, started_at) {
            *sending += started_at.elapsed();
        }
        match sent {
            Ok(()) => self.outputs.push(key),
            Err(SendError::TooLarge) => return Ok(false),
            Err(SendError::Failed(error)) => return Err(error.into()),
        }
        if is_suspect && let Err(error) = self.sender.wait_for_reports() {
            if let Some(refusals) = self.suspects.get_mut(&key)
                && self.sender.take_refused().contains(&number)
            {
                *refusals += 1;
            }
            return Err(error.into());
        }
        Ok(true)
    }

    /// Whether the transaction has lasted long enough, or one of the guards is reached.
    pub fn is_due(&self, shared: &Shared) -> bool {
        let delivery = &shared.settings.delivery;
        self.is_open()
            && (self.records >= delivery.commit_records
                || self.bytes >= delivery.commit_bytes
                || self.began_at.elapsed() >= delivery.commit_interval())
    }

    /// When the transaction is due by the clock; `None` where none is open.
    pub fn due_at(&self, shared: &Shared) -> Option<Instant> {
        self.is_open().then(|| self.began_at + shared.settings.delivery.commit_interval())
    }

    /// Commits what was sent with the offsets that were read for it.
    ///
    /// # Errors
    /// The transaction has failed and must be aborted.
    pub fn commit<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, shared: &Shared) -> Result<(), TransactionError> {
        let started_at = Instant::now();
        self.step_over_markers(consumer, shared);
        let offsets = self.offsets(shared).map_err(TransactionError::from)?;
        match stranger(&shared.settings) {
            Some(stranger) => self.sender.commit(&offsets, stranger)?,
            None => self.sender.commit(&offsets, consumer)?,
        }

        let metrics = &shared.metrics;
        metrics.transactions_committed.inc();
        metrics.commit_seconds.observe(started_at.elapsed().as_secs_f64());
        metrics.transaction_records.observe(self.tally.records() as f64);
        let now = jiff::Timestamp::now();
        if let Some(oldest) = self.tally.oldest_record_at {
            metrics.record_age_seconds.observe((now.as_millisecond() - oldest).max(0) as f64 / 1000.0);
        }
        metrics.last_commit_timestamp_seconds.set(now.as_second());
        self.tally.settle(metrics);
        for (partition, span) in std::mem::take(&mut self.pending) {
            self.committed.insert(partition, span.next);
            if let (Some(timestamp), Some(waiting)) = (span.timestamp, self.waiting.get_mut(&partition)) {
                waiting.committed(timestamp);
            }
            self.suspects.retain(|key, _| key.partition != partition || key.offset >= span.next);
        }
        self.clear();
        Ok(())
    }

    /// Takes the offsets past the markers of transactional input, which take an offset and are no records: else a lag of one
    /// would stay for ever.
    fn step_over_markers<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, shared: &Shared) {
        for (partition, position) in positions(consumer, shared) {
            if let Some(span) = self.pending.get_mut(&partition) {
                span.next = span.next.max(position);
            }
        }
    }

    /// Commits the offsets of markers that came after the last record, where there are any.
    ///
    /// # Errors
    /// As [`Outbox::commit`].
    pub fn catch_up<C: ConsumerContext>(
        &mut self,
        consumer: &BaseConsumer<C>,
        shared: &Shared,
    ) -> Result<(), TransactionError> {
        if self.is_open() || !self.rewind.is_empty() {
            return Ok(());
        }
        for (partition, position) in positions(consumer, shared) {
            // What was read ahead of a stop is not decided.
            if self.watch.is_stopped(partition.0) {
                continue;
            }
            if self.committed.get(&partition) != Some(&position) {
                self.pending.insert(partition, Span { first: position, next: position, timestamp: None });
            }
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        self.sender.begin()?;
        self.commit(consumer, shared)
    }

    /// Aborts what was sent; its records are to be read again. What a broker refused, by itself or with its batch, is then sent
    /// alone.
    ///
    /// # Errors
    /// The sender can't be used any more; the records are to be read again all the same.
    pub fn abort(&mut self, shared: &Shared) -> Result<(), TransactionError> {
        let was_open = self.is_open();
        let result = if is_seeded(Fault::AbortSkipped) { Ok(()) } else { self.sender.abort() };
        if was_open {
            let is_fenced = self.sender.fatal().is_some_and(|fatal| fatal.is_fenced());
            let metrics = &shared.metrics;
            let ended = if is_fenced { &metrics.transactions_fenced } else { &metrics.transactions_aborted };
            ended.inc();
        }
        // Only now have all deliveries been reported.
        for number in self.sender.take_refused() {
            // At least once, one of an earlier transaction may come late.
            let sent = number.checked_sub(self.first_output).and_then(|position| self.outputs.get(position));
            if let Some(key) = sent {
                self.suspects.entry(*key).or_insert(0);
            }
        }
        for (partition, span) in std::mem::take(&mut self.pending) {
            if is_seeded(Fault::RewindSkipped) {
                continue;
            }
            self.rewind.entry(partition).or_insert(span.first);
        }
        self.tally.clear();
        self.clear();
        result
    }

    fn clear(&mut self) {
        self.records = 0;
        self.bytes = 0;
        self.first_output += self.outputs.len();
        self.outputs.clear();
    }

    fn offsets(&self, shared: &Shared) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(self.pending.len());
        for ((source, partition), span) in &self.pending {
            let next = span.next - i64::from(is_seeded(Fault::OffsetsEarly)) + i64::from(is_seeded(Fault::OffsetsLate));
            list.add_partition_offset(&shared.sources[*source].topic, *partition, Offset::Offset(next))?;
        }
        Ok(list)
    }

    /// Partitions to be read again, with the offsets where that begins if none was ever committed.
    pub fn rewind(&self) -> &BTreeMap<Partition, i64> {
        &self.rewind
    }

    /// Has a partition that stood still read from its committed offset, wherever the client stands.
    pub fn go_on(&mut self, partition: Partition) {
        if let Some(committed) = self.committed.get(&partition) {
            self.rewind.entry(partition).or_insert(*committed);
        }
    }

    pub fn rewound(&mut self, partition: Partition) {
        self.rewind.remove(&partition);
    }

    /// Forgets a partition that is no longer ours.
    pub fn forget(&mut self, partition: Partition) {
        self.rewind.remove(&partition);
        self.committed.remove(&partition);
        self.waiting.remove(&partition);
        self.suspects.retain(|key, _| key.partition != partition);
    }
}

/// How far the consumer has read, by partition; left out are partitions of which it has read nothing.
fn positions<C: ConsumerContext>(consumer: &BaseConsumer<C>, shared: &Shared) -> Vec<(Partition, i64)> {
    // Without the positions the offsets are those of the records, which is right too.
    let list = consumer.position().unwrap_or_default();
    let known = |element: &TopicPartitionListElem<'_>| match element.offset() {
        Offset::Offset(offset) => Some(((shared.source(element.topic())?, element.partition()), offset)),
        _ => None,
    };
    list.elements().iter().filter_map(known).collect()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn refused() -> Reject {
    Reject::new(Reason::ProduceRejected, "the event does not fit the output topic, or the broker refuses it")
}

/// A raw record on its way through the core.
#[derive(Clone, Copy)]
struct Record<'a> {
    message: &'a BorrowedMessage<'a>,
    source: &'a Source,
    shared: &'a Shared,
    partition: Partition,
    hints: &'a Hints<'a>,
}

impl<'a> Record<'a> {
    fn wrap(self, event: event::Event<'a>, place: Place, bytes: &'a [u8], arena: &'a Bump) -> Envelope<'a> {
        let origin = Origin {
            vendor: self.source.adapter.vendor,
            account: self.hints.account,
            received_at: event::Instant(self.received_at()),
            source: envelope::Source {
                kafka_topic: &self.source.topic,
                kafka_partition: place.partition,
                kafka_offset: place.offset,
                item_index: place.item,
                item_count: place.items,
            },
        };
        let keeps_payload = self.shared.settings.envelope.payload == EnvelopePayload::Item;
        Envelope::wrap(event, origin, bytes, keeps_payload, arena)
    }

    /// Kafka itself writes -1 for a record without a timestamp.
    fn received_at(self) -> i64 {
        self.message.timestamp().to_millis().unwrap_or(-1)
    }

    fn about(self, place: Place, is_whole: bool, is_comma_repaired: bool) -> About<'a> {
        About {
            vendor: self.source.adapter.vendor,
            topic: &self.source.topic,
            place,
            is_whole,
            is_comma_repaired,
            received_at: self.received_at(),
            hints: HintTexts::of(self.hints, self.source),
        }
    }

    fn event_headers(self, envelope: &Envelope<'_>, schema_url: Option<&str>) -> Option<OwnedHeaders> {
        let traces = headers::trace_context(self.message.headers());
        if !self.shared.settings.envelope.cloud_events {
            return traces;
        }
        Some(headers::cloud_event(traces, envelope, schema_url))
    }
}
