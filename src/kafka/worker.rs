//! The loop of one worker: poll, translate, produce, commit; on failure abort, read again, go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bumpalo::Bump;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use tracing::{debug, error, info, warn};

use super::files::Files;
use super::outbox::{Failure, Outbox, Partition, Shared};
use super::rebalance::{Assignment, fetch_committed};
use super::rights::{self, MissingRight};
use super::sender::{Reports, Sender};
use super::statistics::ClientStatistics;
use super::topics;
use super::transaction::{Remedy, TransactionError};
use super::{consumer, producer, transactional_id};
use crate::avro::Encoder;
use crate::breaker::Breaker;
use crate::event::Stream;
use crate::exit::Exit;
use crate::metrics::{Metrics, Rebuild};
use crate::settings::{Guarantee, Protocol, Settings};
use crate::status::{Shutdown, WorkerStatus};

/// Longest wait for a record, so that the loop turns.
const POLL_MAX: Duration = Duration::from_millis(50);
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(10);

const CATCH_UP_INTERVAL: Duration = Duration::from_secs(1);

/// More fatal errors in this time mean that somebody else uses our transactional id.
const FATAL_ERRORS_MAX: usize = 5;
const FATAL_ERRORS_WINDOW: Duration = Duration::from_secs(600);

/// Why a worker ends before it was asked to.
#[derive(Debug)]
pub struct Stop {
    pub exit: Exit,
    pub error: anyhow::Error,
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::Failure, error }
    }
}

/// What the workers of a process share: settings, metrics, topics with their encoders.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Shared>);

impl Workers {
    /// # Errors
    /// The settings name an unknown vendor; reading them has refused that.
    pub fn new(
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        breaker: Arc<Breaker>,
        encoder: impl Fn(Stream) -> Encoder,
    ) -> Result<Self> {
        Ok(Self(Arc::new(Shared::new(settings, metrics, breaker, encoder)?)))
    }

    /// Runs one worker until it is asked to stop. Blocks its thread.
    ///
    /// # Errors
    /// The worker gave up; its last transaction was aborted, and nothing is lost.
    pub fn run(&self, number: usize, status: &Arc<WorkerStatus>, shutdown: &Arc<Shutdown>) -> Result<(), Stop> {
        let worker = Worker {
            number,
            shared: &self.0,
            status,
            shutdown,
            fatal_errors: VecDeque::new(),
            backoff: backoff(),
            caught_up_at: Instant::now(),
            files: Files::of(&self.0.settings.kafka.security),
        };
        let result = worker.run();
        status.ended();
        result
    }
}

/// The delays between attempts: 100 ms, then twice as long each time, up to 5 s.
pub(super) fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .build()
}

struct Worker<'a> {
    number: usize,
    shared: &'a Arc<Shared>,
    status: &'a Arc<WorkerStatus>,
    shutdown: &'a Arc<Shutdown>,
    fatal_errors: VecDeque<Instant>,
    backoff: ExponentialBackoff,
    caught_up_at: Instant,
    files: Files,
}

/// How a consumer's life ended.
enum End {
    Asked,
    /// The consumer can't be used any more.
    Broken,
    /// Secrets or certificates are others now.
    Outdated,
}

impl Worker<'_> {
    fn run(mut self) -> Result<(), Stop> {
        loop {
            self.files.note_used();
            let Some(sender) = self.connect_sender(true)? else { return Ok(()) };
            let statistics = ClientStatistics::new(&self.shared.metrics.consumers[self.number]);
            let outbox = Outbox::new(sender, statistics, self.shared);
            let assignment =
                Assignment::new(outbox, Arc::clone(self.shared), Arc::clone(self.status), Arc::clone(self.shutdown));
            let config = consumer(&self.shared.settings)?;
            let consumer =
                BaseConsumer::from_config_and_context(&config, assignment).context("the consumer's settings can't be used")?;
            let topics: Vec<_> = self.shared.sources.iter().map(|source| source.topic.as_str()).collect();
            consumer.subscribe(&topics).context("the source topics can't be subscribed to")?;
            info!(worker = self.number, topics = topics.len(), "worker started");
            let end = self.consume(&consumer);
            // Dropping the consumer closes it, which calls the revoke callback and leaves the group; the sender goes after it.
            drop(consumer);
            if let End::Asked = end? {
                info!(worker = self.number, "worker stopped");
                return Ok(());
            }
        }
    }

    /// The loop itself.
    fn consume(&mut self, consumer: &BaseConsumer<Assignment>) -> Result<End, Stop> {
        let mut arena = Bump::new();
        while !self.shutdown.is_asked() {
            self.status.turn();
            if self.files.have_changed() {
                if consumer.context().outbox().is_open() {
                    self.commit(consumer)?;
                }
                info!(worker = self.number, "secrets or certificates have changed, the clients are made anew");
                return Ok(End::Outdated);
            }
            if self.shared.breaker.stop_above().is_some() && consumer.context().outbox().watch.is_behind(self.shared) {
                self.heed_breaker(consumer)?;
            }
            self.rewind(consumer);
            // Callbacks run inside `poll` and take the outbox, so it must not be held here.
            let due_at = consumer.context().outbox().due_at(self.shared);
            let wait = due_at.map_or(POLL_MAX, |due_at| due_at.saturating_duration_since(Instant::now()).min(POLL_MAX));
            let polled = consumer.poll(wait);
            // Behind the poll and not before it: a transaction may have ended in a callback, and the next one would begin with
            // the record that the same call returned.
            if consumer.context().outbox().needs_new_sender() {
                self.replace_sender(consumer, Rebuild::LateEnd)?;
                if self.shutdown.is_asked() {
                    break;
                }
            }
            match polled {
                Some(Ok(message)) => {
                    arena.reset();
                    let handled = consumer.context().outbox().handle(&message, self.shared, &arena);
                    match handled {
                        Ok(()) => {}
                        Err(Failure::Transaction(error)) => self.recover(consumer, &error)?,
                        Err(Failure::Stop(error)) => {
                            // Whatever was sent for it must not be seen.
                            drop(consumer.context().outbox().abort(self.shared));
                            return Err(error.into());
                        }
                    }
                }
                Some(Err(error)) => {
                    if let Some(end) = self.judge_consumer_error(consumer, &error)? {
                        return Ok(end);
                    }
                }
                None => self.catch_up(consumer)?,
            }
            if let Some(error) = consumer.context().take_failure() {
                let is_authorization = TransactionError::from(error.clone()).is_authorization();
                self.status.failed(&error.to_string(), is_authorization);
                return Ok(self.give_up_consumer(consumer, &format!("committed offsets can't be had: {error}")));
            }
            if consumer.context().outbox().is_due(self.shared) {
                self.commit(consumer)?;
            }
        }
        if consumer.context().outbox().is_open() {
            self.commit(consumer)?;
        }
        Ok(End::Asked)
    }

    fn commit(&mut self, consumer: &BaseConsumer<Assignment>) -> Result<(), Stop> {
        let committed = self.status.ends_transaction(|| consumer.context().outbox().commit(consumer, self.shared));
        match committed {
            Ok(()) => {
                self.backoff = backoff();
                self.status.committed(consumer.context().outbox().committed.clone());
                Ok(())
            }
            Err(error) => self.recover(consumer, &error),
        }
    }

    /// While nothing is read, now and then: commits the offsets of markers that came after the last record.
    fn catch_up(&mut self, consumer: &BaseConsumer<Assignment>) -> Result<(), Stop> {
        if self.caught_up_at.elapsed() < CATCH_UP_INTERVAL {
            return Ok(());
        }
        self.caught_up_at = Instant::now();
        let caught_up = self.status.ends_transaction(|| consumer.context().outbox().catch_up(consumer, self.shared));
        match caught_up {
            Ok(()) => Ok(()),
            Err(error) => self.recover(consumer, &error),
        }
    }

    /// Pauses the partitions of sources that were stopped since, and has those read on that go on.
    fn heed_breaker(&mut self, consumer: &BaseConsumer<Assignment>) -> Result<(), Stop> {
        // What was decided is committed, or given up, before a source stops: nothing of it stays open meanwhile.
        if consumer.context().outbox().is_open() {
            self.commit(consumer)?;
        }
        let change = consumer.context().outbox().watch.heed(self.shared);
        let list_of = |sources: &[usize]| {
            let mut list = TopicPartitionList::new();
            for (source, partition) in self.status.assignment() {
                if sources.contains(&source) {
                    list.add_partition(&self.shared.sources[source].topic, partition);
                }
            }
            list
        };
        let done = consumer.pause(&list_of(&change.stopped)).and_then(|()| consumer.resume(&list_of(&change.resumed)));
        for partition in self.status.assignment() {
            if change.resumed.contains(&partition.0) {
                consumer.context().outbox().go_on(partition);
            }
        }
        Ok(done.context("partitions can't be paused or resumed")?)
    }

    /// Aborts, takes a new sender where the old one is of no use, and has the records read again.
    fn recover(&mut self, consumer: &BaseConsumer<Assignment>, error: &TransactionError) -> Result<(), Stop> {
        warn!(error = %error, "the transaction has failed, its records are read again");
        if error.is_authorization()
            && !self.status.has_committed()
            && let Some(stop) = self.missing_rights(error)
        {
            drop(consumer.context().outbox().abort(self.shared));
            return Err(stop);
        }
        self.status.failed(&error.to_string(), error.is_authorization());
        let aborted = self.status.ends_transaction(|| consumer.context().outbox().abort(self.shared));
        let fatal = match (error.remedy(), aborted) {
            (Remedy::Replace, _) => Some(error.clone()),
            (_, Err(error)) => Some(error),
            (_, Ok(())) => None,
        };
        if let Some(fatal) = fatal {
            self.count_fatal_error(&fatal)?;
            self.replace_sender(consumer, fatal.rebuild())?;
        }
        self.pause();
        Ok(())
    }

    /// Ends the worker where fatal errors keep coming: a twin with the same id would be fenced and fence us for ever.
    fn count_fatal_error(&mut self, error: &TransactionError) -> Result<(), Stop> {
        // An outage, however long it takes, is no twin.
        if error.is_authorization() || error.code == RDKafkaErrorCode::OperationTimedOut {
            return Ok(());
        }
        let now = Instant::now();
        self.fatal_errors.push_back(now);
        while self.fatal_errors.front().is_some_and(|first| now.duration_since(*first) > FATAL_ERRORS_WINDOW) {
            self.fatal_errors.pop_front();
        }
        if self.fatal_errors.len() <= FATAL_ERRORS_MAX {
            return Ok(());
        }
        let id = transactional_id(&self.shared.settings.kafka, self.number);
        let error = anyhow!("{error}: fatal errors keep coming; is another process running with the transactional id {id}?");
        Err(Stop { exit: Exit::GivenUp, error })
    }

    fn replace_sender(&mut self, consumer: &BaseConsumer<Assignment>, reason: Rebuild) -> Result<(), Stop> {
        warn!(reason = reason.reason(), "the producer is replaced");
        self.shared.metrics.rebuilt(reason);
        if let Some(sender) = self.connect_sender(false)? {
            consumer.context().outbox().replace_sender(sender);
        }
        Ok(())
    }

    /// A sender that is ready; `None` where the worker was asked to stop meanwhile.
    fn connect_sender(&mut self, is_start: bool) -> Result<Option<Sender>, Stop> {
        let settings = &self.shared.settings;
        let guarantee = settings.delivery.guarantee;
        let id = transactional_id(&settings.kafka, self.number);
        loop {
            self.status.turn();
            if self.shutdown.is_asked() {
                return Ok(None);
            }
            // Each time anew, since a secret that was wrong may be right by now.
            let config = match producer(settings, (guarantee == Guarantee::ExactlyOnce).then_some(id.as_str())) {
                Ok(config) => config,
                // A file that is being replaced.
                Err(error) if self.status.has_joined() => {
                    error!(error = %error, "the producer can't be started, trying again");
                    self.status.failed(&error.to_string(), true);
                    self.pause();
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let give_up = || {
                self.status.turn();
                self.shutdown.is_asked()
            };
            let statistics = ClientStatistics::new(&self.shared.metrics.producers[self.number]);
            let reports = Reports::new(&settings.kafka.security, Some(statistics));
            let error = match Sender::connect(&config, guarantee, reports, give_up) {
                Ok(sender) => return Ok(Some(sender)),
                Err(error) => error,
            };
            if is_start && !self.status.has_joined() && error.is_authorization() {
                let right = MissingRight { right: "Write", kind: "transactional id", name: id };
                return Err(Stop { exit: Exit::NoPermission, error: anyhow!("{error}: {right}") });
            }
            if error.code == RDKafkaErrorCode::InvalidTransactionTimeout {
                let error =
                    anyhow!("{error}: set transaction.timeout.ms to no more than the brokers' transaction.max.timeout.ms");
                return Err(Stop { exit: Exit::Settings, error });
            }
            self.status.failed(&error.to_string(), error.is_authorization() || error.is_refusal());
            match error.remedy() {
                Remedy::Retry => {
                    warn!(error = %error, "the producer is started anew");
                    self.shared.metrics.rebuilt(error.rebuild());
                }
                remedy => {
                    error!(error = %error, "the producer can't be started, trying again");
                    if remedy == Remedy::Replace {
                        self.count_fatal_error(&error)?;
                    }
                }
            }
            self.pause();
        }
    }

    /// What a consumer's error means for the loop; `None`: go on, it passes by itself.
    fn judge_consumer_error(&mut self, consumer: &BaseConsumer<Assignment>, error: &KafkaError) -> Result<Option<End>, Stop> {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let is_authorization = TransactionError::from(error.clone()).is_authorization();
        if is_authorization && !self.status.has_committed() {
            let named = self.missing_rights(&TransactionError::from(error.clone()));
            if named.is_some() || !self.status.has_joined() {
                return Err(named.unwrap_or_else(|| {
                    let group = &self.shared.settings.kafka.group;
                    let error = anyhow!("{error}: the program needs Read on its source topics and on the group {group}");
                    Stop { exit: Exit::NoPermission, error }
                }));
            }
        }
        self.status.failed(&error.to_string(), is_authorization);
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) || code == RDKafkaErrorCode::Fatal {
            return Ok(Some(self.give_up_consumer(consumer, &error.to_string())));
        }
        warn!(error = %error, "the consumer reports an error");
        Ok(None)
    }

    /// Names the rights that were missing from the start, where the brokers tell. Who is anonymous isn't asked for: that is for
    /// `check`.
    fn missing_rights(&self, error: &TransactionError) -> Option<Stop> {
        let settings = &self.shared.settings;
        if settings.kafka.security.protocol == Protocol::Plaintext {
            return None;
        }
        let missing = rights::missing(settings, &topics::outputs(settings).collect()).ok()?;
        let lines = rights::lines(&missing).replace('\n', "; ");
        (!missing.is_empty()).then(|| Stop { exit: Exit::NoPermission, error: anyhow!("{error}: {lines}") })
    }

    fn give_up_consumer(&mut self, consumer: &BaseConsumer<Assignment>, reason: &str) -> End {
        error!(reason, "the consumer is replaced");
        drop(consumer.context().outbox().abort(self.shared));
        self.pause();
        End::Broken
    }

    /// Takes the partitions of an aborted transaction back to their committed offsets. What can't be done now is tried
    /// again at the next turn; until then the records of those partitions are passed over.
    fn rewind(&mut self, consumer: &BaseConsumer<Assignment>) {
        let wanted: Vec<_> = consumer.context().outbox().rewind().iter().map(|(key, first)| (*key, *first)).collect();
        if wanted.is_empty() {
            return;
        }
        match self.seek(consumer, &wanted) {
            Ok(done) => {
                let mut outbox = consumer.context().outbox();
                for partition in &done {
                    outbox.rewound(*partition);
                }
                drop(outbox);
                if done.len() < wanted.len() {
                    self.pause();
                }
            }
            Err(error) => {
                warn!(error = %error, "committed offsets can't be had, trying again");
                let error = TransactionError::from(error);
                self.status.failed(&error.text, error.is_authorization());
                self.pause();
            }
        }
    }

    /// Seeks to what the broker says is committed, never to our own memory of it: a commit that failed for us may have
    /// succeeded there. Where nothing was ever committed, the transaction's own first offset holds. Returns what was sought.
    fn seek(&self, consumer: &BaseConsumer<Assignment>, wanted: &[(Partition, i64)]) -> Result<Vec<Partition>, KafkaError> {
        let topic = |partition: Partition| self.shared.sources[partition.0].topic.as_str();
        let mut list = TopicPartitionList::with_capacity(wanted.len());
        for (partition, _) in wanted {
            list.add_partition(topic(*partition), partition.1);
        }
        let committed = fetch_committed(consumer, list, OFFSETS_TIMEOUT)?;
        let mut targets = TopicPartitionList::with_capacity(wanted.len());
        for (partition, first) in wanted {
            let Some(found) = committed.find_partition(topic(*partition), partition.1) else { continue };
            let target = if let Offset::Offset(offset) = found.offset() { offset } else { *first };
            targets.add_partition_offset(topic(*partition), partition.1, Offset::Offset(target))?;
        }
        let sought = consumer.seek_partitions(targets, OFFSETS_TIMEOUT)?;
        let is_done = |(partition, _): &&(Partition, i64)| {
            let found = sought.find_partition(topic(*partition), partition.1);
            found.is_some_and(|found| match found.error() {
                Ok(()) => true,
                Err(error) => {
                    // A partition that is not fetched yet can't be sought; it will be at a later turn.
                    debug!(error = %error, "a partition can't be sought yet");
                    false
                }
            })
        };
        Ok(wanted.iter().filter(is_done).map(|(partition, _)| *partition).collect())
    }

    /// Waits before the next attempt, longer each time until a commit succeeds.
    fn pause(&mut self) {
        let delay = self.backoff.next().unwrap_or(Duration::from_secs(5));
        self.shutdown.wait(delay);
    }
}
