//! What is done when partitions come and go, and when librdkafka reports its statistics. All of it runs inside `poll`, on
//! the worker's own thread.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};
use tracing::{debug, info, warn};

use super::fault::{Fault, is_seeded};
use super::outbox::{Outbox, Partition, Shared};
use super::transaction::TransactionError;
use super::waiting::Waiting;
use super::{TRANSACTION_TIMEOUT, log_client_line, oauth_token};
use crate::settings::AutoOffsetReset;
use crate::status::{Shutdown, WorkerStatus};

/// How long one question for committed offsets may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);
/// What a killed process has sent of a transaction's offsets makes them unstable until the coordinator ends it, and that
/// looks every 10 s.
const OFFSETS_WITHIN: Duration = TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(15));
const OFFSETS_PAUSE: Duration = Duration::from_millis(100);

/// The consumer's context: holds the open transaction, since it must be ended before its partitions go.
pub(super) struct Assignment {
    outbox: Mutex<Outbox>,
    shared: Arc<Shared>,
    status: Arc<WorkerStatus>,
    shutdown: Arc<Shutdown>,
    /// Why an assignment could not be taken.
    failure: Mutex<Option<KafkaError>>,
}

impl Assignment {
    pub fn new(outbox: Outbox, shared: Arc<Shared>, status: Arc<WorkerStatus>, shutdown: Arc<Shutdown>) -> Self {
        Self { outbox: Mutex::new(outbox), shared, status, shutdown, failure: Mutex::default() }
    }

    /// Why partitions that are ours are not read. The consumer is of no use then: it would not ask for their offsets again.
    pub fn take_failure(&self) -> Option<KafkaError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The open transaction. Only the worker's own thread asks for it, so this never waits.
    pub fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the partitions read from their committed offsets.
    fn assign(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let assigned = self.beginnings(consumer, list).and_then(|beginnings| {
            apply(consumer, &beginnings)?;
            Ok(beginnings)
        });
        let beginnings = match assigned {
            Ok(beginnings) => beginnings,
            Err(error) => {
                // The group waits for an answer in any case.
                if let Err(error) = apply(consumer, &TopicPartitionList::new()) {
                    warn!(error = %error, "an assignment could not be refused");
                }
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                TopicPartitionList::new()
            }
        };
        let partitions = self.partitions(&beginnings);
        let now = Timestamp::now().as_millisecond();
        let mut outbox = self.outbox();
        for (partition, beginning) in partitions.iter().zip(beginnings.elements()) {
            outbox.forget(*partition);
            if let Offset::Offset(committed) = beginning.offset() {
                outbox.committed.insert(*partition, committed);
            }
            outbox.waiting.insert(*partition, Waiting::new(now));
        }
        self.pause_stopped(consumer, &partitions, &outbox);
        self.status.assigned(&partitions, &outbox.committed);
        self.shared.metrics.assigned_partitions.add(partitions.len() as i64);
        info!(partitions = partitions.len(), "partitions assigned");
    }

    /// Where partitions are to be read from: what is committed, else where the settings say.
    ///
    /// librdkafka would ask by itself. But where an answer "unstable" of one assignment meets the next one, it takes it for
    /// "nothing was ever committed" and begins at `auto.offset.reset`, in the middle of a partition's life; and where the
    /// request is refused it never asks again (librdkafka#5586).
    fn beginnings(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
        let deadline = Instant::now() + OFFSETS_WITHIN;
        let committed = loop {
            let mut asked = TopicPartitionList::with_capacity(list.count());
            for element in list.elements() {
                asked.add_partition(element.topic(), element.partition());
            }
            let error = match fetch_committed(consumer, asked, QUESTION_TIMEOUT) {
                Ok(committed) => break committed,
                Err(error) => error,
            };
            let is_passing = !TransactionError::from(error.clone()).is_authorization();
            if !is_passing || Instant::now() > deadline || self.shutdown.wait(OFFSETS_PAUSE) {
                return Err(error);
            }
            debug!(error = %error, "committed offsets can't be had yet");
            self.status.turn();
        };
        let unread = match self.shared.settings.kafka.auto_offset_reset {
            AutoOffsetReset::Earliest => Offset::Beginning,
            AutoOffsetReset::Latest => Offset::End,
        };
        let mut beginnings = TopicPartitionList::with_capacity(list.count());
        for element in committed.elements() {
            let offset = if let Offset::Offset(_) = element.offset() { element.offset() } else { unread };
            beginnings.add_partition_offset(element.topic(), element.partition(), offset)?;
        }
        Ok(beginnings)
    }

    /// Sources that are stopped for their dead letters stay so in a new assignment.
    fn pause_stopped(&self, consumer: &BaseConsumer<Self>, partitions: &[Partition], outbox: &Outbox) {
        let mut list = TopicPartitionList::new();
        for (source, partition) in partitions.iter().filter(|(source, _)| outbox.watch.is_stopped(*source)) {
            list.add_partition(&self.shared.sources[*source].topic, *partition);
        }
        // Without the pause, what is read of them is passed over.
        if list.count() > 0
            && let Err(error) = consumer.pause(&list)
        {
            warn!(error = %error, "partitions could not be paused");
        }
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let partition = |element: &TopicPartitionListElem<'_>| {
            self.shared.source(element.topic()).map(|source| (source, element.partition()))
        };
        list.elements().iter().filter_map(partition).collect()
    }

    /// Commits before the partitions go, all offsets and not just theirs; aborts where they are lost already.
    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let mut outbox = self.outbox();
        if outbox.is_open() && !is_seeded(Fault::RevokeIgnored) {
            let is_lost = consumer.assignment_lost() && !is_seeded(Fault::LostCommitted);
            let committed =
                if is_lost { None } else { Some(self.status.ends_transaction(|| outbox.commit(consumer, &self.shared))) };
            if !matches!(committed, Some(Ok(()))) {
                if let Some(Err(error)) = committed {
                    warn!(error = %error, "the transaction of revoked partitions could not be committed");
                }
                if let Err(error) = self.status.ends_transaction(|| outbox.abort(&self.shared)) {
                    // The loop finds the sender unusable at the next record, and replaces it.
                    warn!(error = %error, "the transaction of revoked partitions could not be aborted");
                }
            }
        }
        let partitions = self.partitions(list);
        for partition in &partitions {
            outbox.forget(*partition);
            let topic = &self.shared.sources[partition.0].topic;
            let labels = [topic.as_str(), &partition.1.to_string()];
            // The series are there only if the statistics came while the partition was ours.
            let _ = self.shared.metrics.lag_records.remove_label_values(&labels);
            let _ = self.shared.metrics.lag_seconds.remove_label_values(&labels);
        }
        self.status.revoked(&partitions);
        self.shared.metrics.assigned_partitions.sub(partitions.len() as i64);
        info!(partitions = partitions.len(), "partitions revoked");
    }
}

impl ClientContext for Assignment {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(&self.shared.settings.kafka.security)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_client_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        warn!(error = %error, reason, "the consumer reports an error");
    }

    /// Computes the lag from our own commits: in transactions nothing is committed through the consumer, so librdkafka's
    /// own figure stays unknown.
    fn stats(&self, statistics: Statistics) {
        let mut outbox = self.outbox();
        outbox.statistics.take(&statistics);
        let now = Timestamp::now().as_millisecond();
        let metrics = &self.shared.metrics;
        for (source, partition) in self.status.assignment() {
            let topic = &self.shared.sources[source].topic;
            let Some(found) = statistics.topics.get(topic).and_then(|topic| topic.partitions.get(&partition)) else { continue };
            let end = if found.ls_offset >= 0 { found.ls_offset } else { found.hi_offset };
            let committed = outbox.committed.get(&(source, partition)).copied();
            let next = committed.or_else(|| [found.app_offset, found.lo_offset].into_iter().find(|offset| *offset >= 0));
            if let (true, Some(next)) = (end >= 0, next) {
                let lag = (end - next).max(0);
                let labels = [topic.as_str(), &partition.to_string()];
                metrics.lag_records.with_label_values(&labels).set(lag);
                if let Some(waiting) = outbox.waiting.get_mut(&(source, partition)) {
                    metrics.lag_seconds.with_label_values(&labels).set(waiting.seconds(lag, now));
                }
            }
        }
    }
}

impl ConsumerContext for Assignment {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        self.shared.metrics.rebalances.inc();
        if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            return self.assign(consumer, list);
        }
        // An error that comes this way takes the partitions as well.
        if event != RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS {
            warn!(error = %RDKafkaErrorCode::from(event), "rebalance failed");
        }
        self.revoke(consumer, list);
        let unassigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        };
        if let Err(error) = unassigned {
            warn!(error = %error, "partitions could not be given back");
        }
    }
}

fn apply(consumer: &BaseConsumer<Assignment>, list: &TopicPartitionList) -> Result<(), KafkaError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list),
    }
}

/// The committed offsets of partitions; fails where that of one can't be had.
pub(super) fn fetch_committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    asked: TopicPartitionList,
    timeout: Duration,
) -> Result<TopicPartitionList, KafkaError> {
    let committed = consumer.committed_offsets(asked, timeout)?;
    committed.elements().iter().try_for_each(TopicPartitionListElem::error)?;
    Ok(committed)
}
