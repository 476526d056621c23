//! Publishes what dead letters have become: one transaction holds the events and the position of the selection, so that a
//! replay that is killed and begun again neither loses nor doubles.
//!
//! There is one way out of every fault, and it is the one after a kill: the transaction is given up, a new producer ends
//! what is left of it, the position is asked of the brokers, and the work goes on from there. The transactional id is the
//! selection's own, so two replays of one selection can't both commit: the later one fences the earlier, which ends.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use bumpalo::Bump;
use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;
use tracing::warn;

use super::again::{self, Again, Second};
use super::backlog::{Backlog, Room};
use super::dead_letter::{self, About, Letter, Place};
use super::headers;
use super::letters::{Bounds, Letters, of_topics};
use super::outbox::Target;
use super::producer;
use super::rebalance::fetch_committed;
use super::selection::Selection;
use super::sender::{Outgoing, Reports, SendError, Sender, is_refusal};
use super::topics::{self, Found};
use super::transaction::TransactionError;
use super::worker::{Stop, backoff};
use crate::avro::Encoder;
use crate::event::Stream;
use crate::exit::Exit;
use crate::reject::{Reason, Reject};
use crate::settings::{DeadLetterPayload, EnvelopePayload, Guarantee, Settings};
use crate::vendors::{Normalized, Outcome};

/// Most letters of a transaction, and how long it gathers them.
const LETTERS_MAX: u64 = 500;
const GATHERING_MAX: Duration = Duration::from_secs(1);
const BYTES_MAX: usize = 16_777_216;

/// Offsets of a replay that was killed are unstable until its transaction is ended.
const POSITION_WITHIN: Duration = Duration::from_secs(30);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const POSITION_PAUSE: Duration = Duration::from_millis(100);

/// So many faults without a commit between them are no outage that passes.
const FAULTS_MAX: u32 = 8;

/// What is to be done.
#[derive(Debug)]
pub struct Plan<'a> {
    pub settings: &'a Settings,
    pub selection: &'a Selection,
    /// Most letters to work off.
    pub limit: Option<u64>,
    /// Most letters a second.
    pub rate: Option<NonZeroU32>,
    /// Put the original bytes back on their raw topic instead.
    pub to_source: bool,
    /// Publish and commit nothing.
    pub is_dry: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Report {
    /// Letters that are worked off now.
    pub worked_off: u64,
    pub events: u64,
    /// Items that are left out on purpose today.
    pub ignored: u64,
    /// Records that were put back on their raw topic.
    pub put_back: u64,
    /// Items of a record that still fail beside others that don't: new dead letters.
    pub set_aside: u64,
    /// Records of the topic that are no dead letters of ours.
    pub foreign: u64,
    pub left: Vec<Left>,
    /// Partitions whose position has no room for more of what is left behind.
    pub stopped: Vec<i32>,
    /// Whether the selection has a position from an earlier replay.
    pub is_continued: bool,
}

/// A letter that is left for the next replay of the selection, and why.
#[derive(Debug)]
pub struct Left {
    pub partition: i32,
    pub offset: i64,
    pub reason: &'static str,
    pub detail: String,
}

/// The group that holds a selection's position; its transactional id is the same.
pub fn group(settings: &Settings, selection: &Selection) -> String {
    format!("{}-replay-{}", settings.kafka.group, selection.name())
}

/// Works off a selection up to where the topic ends now. `tell` is told how many offsets are done, of how many.
///
/// # Errors
/// The replay gave up. What was committed stays; run again, it goes on from there.
pub fn replay(plan: &Plan<'_>, encoder: impl Fn(Stream) -> Encoder, tell: &dyn Fn(u64, u64)) -> Result<Report, Stop> {
    let group = group(plan.settings, plan.selection);
    let letters = Letters::open_as(plan.settings, &group)?;
    let topics = if plan.to_source { sources(plan.settings)? } else { outputs(plan.settings)? };
    let run = Run {
        plan,
        letters: &letters,
        group,
        topics,
        targets: Target::all(plan.settings, encoder),
        again: Again::new(plan.settings)?,
        report: Report::default(),
        done: BTreeMap::new(),
        refused: BTreeSet::new(),
        alone: 0,
        tried: (0, 0, 0),
        doubt: None,
        faults: 0,
        began_at: Instant::now(),
        tell,
    };
    run.run()
}

/// The topics that events can go to: all must be there before the first is sent.
fn outputs(settings: &Settings) -> Result<Found, Stop> {
    let wanted: BTreeSet<_> = settings.stream_topics().into_values().collect();
    let found = topics::look_for(settings, wanted.iter().map(|topic| (topic.clone(), "Write"))).map_err(of_topics)?;
    if let Some(missing) = wanted.into_iter().find(|topic| !found.contains_key(topic)) {
        let error = anyhow!("the topic {missing} is missing; `event-normalizer check` names all that are");
        return Err(Stop { exit: Exit::Settings, error });
    }
    Ok(found)
}

fn sources(settings: &Settings) -> Result<Found, Stop> {
    topics::look_for(settings, settings.sources.iter().map(|source| (source.topic.clone(), "Write"))).map_err(of_topics)
}

/// Why a session with a producer has ended early.
enum Broken {
    Transaction(TransactionError),
    Stop(Stop),
}

impl From<TransactionError> for Broken {
    fn from(error: TransactionError) -> Self {
        Self::Transaction(error)
    }
}

impl From<Stop> for Broken {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<anyhow::Error> for Broken {
    fn from(error: anyhow::Error) -> Self {
        Self::Stop(error.into())
    }
}

/// What is gathered for one transaction. It counts only when that is committed.
#[derive(Default)]
struct Batch {
    report: Report,
    backlog: Backlog,
    /// Letters that are in it, tried in vain or not.
    letters: u64,
    bytes: usize,
    began_at: Option<Instant>,
    last: i64,
}

struct Run<'a> {
    plan: &'a Plan<'a>,
    letters: &'a Letters,
    group: String,
    topics: Found,
    targets: Vec<Target>,
    again: Again,
    report: Report,
    /// Next offset to look at, by partition, as of the last commit: what failed before it is not tried twice.
    done: BTreeMap<i32, i64>,
    /// Letters of which a broker refuses an event.
    refused: BTreeSet<(i32, i64)>,
    /// How many letters are to have a transaction each, so that the one that is refused is known.
    alone: u64,
    /// The letter that was tried last, and how many were in its transaction.
    tried: (i32, i64, u64),
    /// A transaction whose commit has failed, maybe only for us.
    doubt: Option<(i32, Batch)>,
    faults: u32,
    began_at: Instant,
    tell: &'a dyn Fn(u64, u64),
}

impl Run<'_> {
    fn run(mut self) -> Result<Report, Stop> {
        let mut pauses = backoff();
        loop {
            let error = match self.session() {
                Ok(()) => return Ok(self.report),
                Err(Broken::Stop(stop)) => return Err(stop),
                Err(Broken::Transaction(error)) => error,
            };
            warn!(error = %error, "a transaction of the replay has failed, its letters are read again");
            self.faults += 1;
            if let Some(stop) = self.judge(&error) {
                return Err(stop);
            }
            thread::sleep(pauses.next().unwrap_or(Duration::from_secs(5)));
        }
    }

    /// What ends the replay.
    fn judge(&self, error: &TransactionError) -> Option<Stop> {
        let group = &self.group;
        let (exit, help) = match () {
            () if error.is_fenced() => {
                let help = "another replay of the same selection has taken over, or the transaction took too long; nothing is lost \
                            or doubled, and the next replay goes on from the last commit";
                (Exit::GivenUp, help.to_owned())
            }
            () if error.is_authorization() => (
                Exit::NoPermission,
                format!("the program needs Read on the group and Write and Describe on the transactional id {group}"),
            ),
            () if error.code == RDKafkaErrorCode::OffsetMetadataTooLarge => (
                Exit::Failure,
                "the brokers' offset.metadata.max.bytes has no room for what is left behind: narrow the selection".to_owned(),
            ),
            () if self.faults > FAULTS_MAX => {
                (Exit::Failure, "given up; run it again, it goes on from its last commit".to_owned())
            }
            () => return None,
        };
        Some(Stop { exit, error: anyhow!("{error}: {help}") })
    }

    /// Works off everything with one producer.
    fn session(&mut self) -> Result<(), Broken> {
        let mut sender = if self.plan.is_dry { None } else { Some(self.connect()?) };
        let worked_off = self.partitions(&mut sender);
        if let (Err(Broken::Transaction(_)), Some(sender)) = (&worked_off, &mut sender) {
            // Its cause tells more than the call that failed.
            if let Some(fatal) = sender.fatal() {
                return Err(fatal.into());
            }
            // What can't be aborted is ended by the next producer.
            drop(sender.abort());
            // Only now have all deliveries been reported.
            if sender.failure().is_some_and(is_refusal) {
                self.isolate();
            }
        }
        worked_off
    }

    fn connect(&self) -> Result<Sender, Broken> {
        let config = producer(self.plan.settings, Some(&self.group))?;
        let began_at = Instant::now();
        let reports = Reports::new(&self.plan.settings.kafka.security, None);
        Ok(Sender::connect(&config, Guarantee::ExactlyOnce, reports, || began_at.elapsed() > POSITION_WITHIN)?)
    }

    fn partitions(&mut self, sender: &mut Option<Sender>) -> Result<(), Broken> {
        let mut before = 0;
        for bounds in &self.letters.bounds {
            self.partition(bounds, before, sender)?;
            before += u64::try_from(bounds.end - bounds.first).unwrap_or(0);
            (self.tell)(before, self.letters.len());
            if self.is_limit_reached(0) {
                break;
            }
        }
        Ok(())
    }

    fn partition(&mut self, bounds: &Bounds, before: u64, sender: &mut Option<Sender>) -> Result<(), Broken> {
        let Bounds { partition, first, end } = *bounds;
        let mut backlog = self.position(bounds)?;
        self.settle_doubt(partition, &backlog);
        let committed = backlog.clone();
        backlog.forget_before(first);
        let done = self.done.get(&partition).copied().unwrap_or(first);
        let from = backlog.first().max(done);
        backlog.resume_at(from);
        let mut batch = Batch { backlog, last: from, ..Batch::default() };
        if from < end {
            self.letters.begin(partition, from)?;
            let mut arena = Bump::new();
            while let Some(message) = self.letters.next(end)? {
                arena.reset();
                let offset = message.offset();
                if self.is_limit_reached(batch.report.worked_off) {
                    break;
                }
                if self.is_due(&batch) {
                    self.commit(partition, &mut batch, sender)?;
                    (self.tell)(before + u64::try_from(batch.last - first).unwrap_or(0), self.letters.len());
                }
                batch.last = offset + 1;
                let Some(letter) = Letter::read(&message) else {
                    batch.report.foreign += 1;
                    batch.backlog.skip(offset);
                    continue;
                };
                if !self.plan.selection.has(&letter) {
                    batch.backlog.skip(offset);
                    continue;
                }
                if !batch.backlog.is_due(offset) {
                    continue;
                }
                match batch.backlog.room_at(offset) {
                    Room::Enough => {}
                    Room::OnlyToStay => {
                        let detail = "the position has no room for a letter that passes here: it is tried again".to_owned();
                        batch.report.left.push(Left { partition, offset, reason: "no_room", detail });
                        batch.backlog.leave(offset);
                        continue;
                    }
                    Room::Nothing => {
                        batch.last = offset;
                        batch.report.stopped.push(partition);
                        break;
                    }
                }
                batch.began_at.get_or_insert_with(Instant::now);
                batch.letters += 1;
                self.tried = (partition, offset, batch.letters);
                match self.try_one(&letter, sender.as_mut(), &mut batch, &arena)? {
                    None => {
                        batch.report.worked_off += 1;
                        batch.backlog.pass(offset);
                    }
                    Some((reason, detail)) => {
                        batch.report.left.push(Left { partition, offset, reason, detail });
                        batch.backlog.leave(offset);
                    }
                }
            }
        }
        if batch.last > from || batch.backlog != committed || !batch.report.stopped.is_empty() {
            self.commit(partition, &mut batch, sender)?;
        }
        Ok(())
    }

    fn is_limit_reached(&self, more: u64) -> bool {
        self.plan.limit.is_some_and(|limit| self.report.worked_off + more >= limit)
    }

    fn is_due(&self, batch: &Batch) -> bool {
        let Some(began_at) = batch.began_at else { return false };
        let is_paced = self.wait_of(batch).is_some_and(|wait| wait > POSITION_PAUSE);
        self.alone > 0
            || is_paced
            || batch.letters >= LETTERS_MAX
            || batch.bytes >= BYTES_MAX
            || began_at.elapsed() >= GATHERING_MAX
    }

    /// How long the next letter has to wait for its turn.
    fn wait_of(&self, batch: &Batch) -> Option<Duration> {
        let rate = f64::from(self.plan.rate?.get());
        let due = Duration::from_secs_f64((self.report.worked_off + batch.report.worked_off) as f64 / rate);
        Some(due.saturating_sub(self.began_at.elapsed()))
    }

    /// Commits what was gathered with the position that it leads to.
    fn commit(&mut self, partition: i32, batch: &mut Batch, sender: &mut Option<Sender>) -> Result<(), Broken> {
        let next = Batch { backlog: batch.backlog.clone(), last: batch.last, ..Batch::default() };
        let batch = std::mem::replace(batch, next);
        let Some(open) = sender else {
            self.settle(partition, batch);
            return Ok(());
        };
        let (offset, text) = batch.backlog.position();
        let offsets = position_list(&self.letters.topic, partition, offset, Some(&text)).map_err(TransactionError::from)?;
        let committed = open.begin().and_then(|()| open.commit(&offsets, &self.letters.consumer));
        if let Err(error) = committed {
            self.doubt = Some((partition, batch));
            return Err(error.into());
        }
        self.settle(partition, batch);
        if open.is_dirty() {
            *sender = Some(self.connect()?);
        }
        Ok(())
    }

    fn settle(&mut self, partition: i32, batch: Batch) {
        self.faults = 0;
        self.alone = self.alone.saturating_sub(batch.letters);
        self.done.insert(partition, batch.last);
        let Report { worked_off, events, ignored, put_back, set_aside, foreign, left, stopped, is_continued: _ } = batch.report;
        let report = &mut self.report;
        report.worked_off += worked_off;
        report.events += events;
        report.ignored += ignored;
        report.put_back += put_back;
        report.set_aside += set_aside;
        report.foreign += foreign;
        report.left.extend(left);
        for partition in stopped {
            if !report.stopped.contains(&partition) {
                report.stopped.push(partition);
            }
        }
    }

    /// A commit that failed for us may have succeeded at the brokers: then their position is the one that it led to.
    fn settle_doubt(&mut self, partition: i32, position: &Backlog) {
        if let Some((_, batch)) = self.doubt.take_if(|(in_doubt, _)| *in_doubt == partition)
            && batch.backlog == *position
        {
            self.settle(partition, batch);
        }
    }

    /// After a refusal: one letter a transaction, and where it was one already, that letter is the one.
    fn isolate(&mut self) {
        let (partition, offset, letters) = self.tried;
        if letters > 1 {
            self.alone = letters;
        } else {
            self.refused.insert((partition, offset));
        }
    }

    /// The selection's position in a partition, as the brokers have it.
    fn position(&mut self, bounds: &Bounds) -> Result<Backlog, Broken> {
        let asked_at = Instant::now();
        let Letters { consumer, topic, .. } = self.letters;
        let committed = loop {
            let asked = position_list(topic, bounds.partition, -1, None).map_err(TransactionError::from)?;
            match fetch_committed(consumer, asked, ANSWER_TIMEOUT) {
                Ok(committed) => break committed,
                Err(error) => {
                    let error = TransactionError::from(error);
                    if error.is_authorization() || asked_at.elapsed() > POSITION_WITHIN {
                        return Err(error.into());
                    }
                }
            }
            thread::sleep(POSITION_PAUSE);
        };
        let found = committed.find_partition(topic, bounds.partition).context("an answer without the partition")?;
        let Offset::Offset(offset) = found.offset() else { return Ok(Backlog::default()) };
        self.report.is_continued = true;
        let group = &self.group;
        if offset > bounds.end {
            let partition = bounds.partition;
            let error = anyhow!(
                "the position {offset} lies behind the end of {topic}-{partition}: where the topic was made anew, delete the group {group}"
            );
            return Err(Stop { exit: Exit::Failure, error }.into());
        }
        Ok(Backlog::read(offset, found.metadata()).with_context(|| format!("the group {group}"))?)
    }

    /// Sends what a letter has become; says why it stays where it doesn't pass.
    fn try_one(
        &mut self,
        letter: &Letter<'_>,
        sender: Option<&mut Sender>,
        batch: &mut Batch,
        arena: &Bump,
    ) -> Result<Option<(&'static str, String)>, Broken> {
        let of = |reject: &Reject| Some((reject.reason.name(), reject.detail.to_string()));
        if let Some(wait) = self.wait_of(batch) {
            thread::sleep(wait);
        }
        if self.refused.contains(&(letter.partition, letter.offset)) {
            return Ok(of(&refused()));
        }
        if self.plan.to_source {
            return self.put_back(letter, sender, batch);
        }
        self.again.learn(letter);
        let second = match self.again.normalize(letter, arena) {
            Ok(second) => second,
            Err(unusable) => return Ok(Some((unusable.name(), unusable.detail().to_owned()))),
        };
        if second.fails()
            && let Some(reject) = second.reject()
        {
            return Ok(of(reject));
        }
        let mut out = Out { settings: self.plan.settings, targets: &self.targets, letter, hints: second.hints, batch, sender };
        let Second { items, .. } = second;
        let is_one = items.len() == 1;
        for item in items {
            if let Some(reject) = out.send(item, is_one, arena)? {
                return Ok(of(&reject));
            }
        }
        Ok(None)
    }

    /// Puts a raw record back where it came from.
    fn put_back(
        &self,
        letter: &Letter<'_>,
        sender: Option<&mut Sender>,
        batch: &mut Batch,
    ) -> Result<Option<(&'static str, String)>, Broken> {
        let stays = |reason, detail: &str| Ok(Some((reason, detail.to_owned())));
        if !letter.is_whole {
            return stays("not_a_record", "an item of a record can't be put back: replay it without --to-source");
        }
        let Some(payload) = letter.payload else {
            return stays("no_payload", "the dead letter has headers only");
        };
        let Some(partitions) = self.topics.get(letter.source_topic) else {
            return stays("unknown_source", "the raw topic does not exist, or is no source of the settings");
        };
        let partition = usize::try_from(letter.source_partition).ok().filter(|partition| partition < partitions);
        let outgoing = Outgoing {
            topic: letter.source_topic,
            partition: partition.map(|_| letter.source_partition),
            payload: Some(payload),
            key: letter.key,
            timestamp: (letter.received_at >= 0).then_some(letter.received_at),
            headers: letter.restored_headers(),
            delivery_opaque: 0,
        };
        batch.bytes += payload.len();
        if !send(sender, outgoing)? {
            return Ok(Some((Reason::ProduceRejected.name(), refused().detail.into_owned())));
        }
        batch.report.put_back += 1;
        Ok(None)
    }
}

/// Where the items of one letter go.
struct Out<'o, 'a> {
    settings: &'o Settings,
    targets: &'o [Target],
    letter: &'o Letter<'a>,
    hints: dead_letter::HintTexts<'a>,
    batch: &'o mut Batch,
    sender: Option<&'o mut Sender>,
}

impl<'a> Out<'_, 'a> {
    /// Sends what an item has become, as the loop would have done: its event, or, where its neighbors pass, a dead letter of
    /// its own. Says why the letter stays where the item is all of it and does not fit.
    fn send(&mut self, item: Normalized<'a>, is_one: bool, arena: &'a Bump) -> Result<Option<Reject>, Broken> {
        let Normalized { index, count, bytes, is_whole, is_comma_repaired, outcome } = item;
        let reject = match outcome {
            Outcome::Ignored(_) => {
                self.batch.report.ignored += 1;
                return Ok(None);
            }
            Outcome::Rejected(reject) => reject,
            Outcome::Event(event) => {
                let keeps_payload = self.settings.envelope.payload == EnvelopePayload::Item;
                let envelope = again::wrap(self.letter, event, (index, count, bytes), keeps_payload, arena);
                let stream = envelope.stream().context("the catalogue has an event without a stream")?;
                let target = &self.targets[stream.index()];
                let mut buffer = Vec::new();
                target.encoder.encode(&envelope, &mut buffer);
                let traces = headers::trace_context(Some(self.letter.all_headers()));
                let headers = if self.settings.envelope.cloud_events {
                    Some(headers::cloud_event(traces, &envelope, target.schema_url.as_deref()))
                } else {
                    traces
                };
                let outgoing = Outgoing {
                    topic: &target.topic,
                    partition: None,
                    payload: Some(&buffer),
                    key: Some(envelope.key().as_bytes()),
                    timestamp: (self.letter.received_at >= 0).then_some(self.letter.received_at),
                    headers,
                    delivery_opaque: 0,
                };
                self.batch.bytes += buffer.len();
                if send(self.sender.as_deref_mut(), outgoing)? {
                    self.batch.report.events += 1;
                    return Ok(None);
                }
                refused()
            }
        };
        if is_one {
            return Ok(Some(reject));
        }
        let place = Place { item: index, items: count, ..self.letter.about().place };
        let about = About { place, is_whole, is_comma_repaired, hints: self.hints, ..self.letter.about() };
        let keeps_payload = self.settings.dead_letters.payload == DeadLetterPayload::Full;
        let outgoing = Outgoing {
            topic: &self.settings.topics.dead_letters,
            partition: None,
            payload: keeps_payload.then_some(bytes),
            key: self.letter.key,
            timestamp: (self.letter.received_at >= 0).then_some(self.letter.received_at),
            headers: Some(dead_letter::headers(self.letter.restored_headers(), &about, &reject, keeps_payload)),
            delivery_opaque: 0,
        };
        self.batch.bytes += bytes.len();
        if !send(self.sender.as_deref_mut(), outgoing)? {
            return Err(anyhow!("the dead-letter topic refuses an item of a record that it holds").into());
        }
        self.batch.report.set_aside += 1;
        Ok(None)
    }
}

/// Returns whether the client took the record; nothing is sent in a dry run.
fn send(sender: Option<&mut Sender>, outgoing: Outgoing<'_>) -> Result<bool, Broken> {
    let Some(sender) = sender else { return Ok(true) };
    sender.begin()?;
    match sender.send(outgoing) {
        Ok(()) => Ok(true),
        Err(SendError::TooLarge) => Ok(false),
        Err(SendError::Failed(error)) => Err(error.into()),
    }
}

fn refused() -> Reject {
    Reject::new(Reason::ProduceRejected, "the event does not fit the output topic, or the broker refuses it")
}

fn position_list(topic: &str, partition: i32, offset: i64, text: Option<&str>) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(1);
    let mut element = list.add_partition(topic, partition);
    if let Some(text) = text {
        element.set_offset(Offset::Offset(offset))?;
        element.set_metadata(text);
    }
    Ok(list)
}
