//! What is done when partitions come and go, and when librdkafka reports its statistics. All of it runs inside `poll`, on
//! the worker's own thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{Statistics, TopicPartitionList};
use tracing::{info, warn};

use super::fault::{Fault, is_seeded};
use super::log_client_line;
use super::outbox::{Outbox, Partition, Shared};
use crate::status::WorkerStatus;

/// The consumer's context: holds the open transaction, since it must be ended before its partitions go.
pub(super) struct Assignment {
    outbox: Mutex<Outbox>,
    shared: Arc<Shared>,
    status: Arc<WorkerStatus>,
    /// The consumer has reported an error, so a partition that is not fetched may stay so.
    is_suspect: AtomicBool,
    is_stalled: AtomicBool,
}

impl Assignment {
    pub fn new(outbox: Outbox, shared: Arc<Shared>, status: Arc<WorkerStatus>) -> Self {
        let (is_suspect, is_stalled) = Default::default();
        Self { outbox: Mutex::new(outbox), shared, status, is_suspect, is_stalled }
    }

    /// Has the next statistics tell whether all partitions are fetched.
    pub fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
    }

    /// Whether a partition is ours but librdkafka has given up on it: where the committed offsets of a new assignment can't
    /// be had, it reports the error once and never asks again.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }

    /// The open transaction. Only the worker's own thread asks for it, so this never waits.
    pub fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let partition = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            self.shared.source(element.topic()).map(|source| (source, element.partition()))
        };
        list.elements().iter().filter_map(partition).collect()
    }

    /// Commits before the partitions go, all offsets and not just theirs; aborts where they are lost already.
    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let mut outbox = self.outbox();
        if outbox.is_open() && !is_seeded(Fault::RevokeIgnored) {
            let is_lost = consumer.assignment_lost() && !is_seeded(Fault::LostCommitted);
            let committed = if is_lost { None } else { Some(outbox.commit(consumer, &self.shared)) };
            if !matches!(committed, Some(Ok(()))) {
                if let Some(Err(error)) = committed {
                    warn!(error = %error, "the transaction of revoked partitions could not be committed");
                }
                if let Err(error) = outbox.abort(&self.shared) {
                    // The loop finds the sender unusable at the next record, and replaces it.
                    warn!(error = %error, "the transaction of revoked partitions could not be aborted");
                }
            }
        }
        let partitions = self.partitions(list);
        for partition in &partitions {
            outbox.forget(*partition);
            let topic = &self.shared.sources[partition.0].topic;
            // The series is there only if the statistics came while the partition was ours.
            let _ = self.shared.metrics.lag_records.remove_label_values(&[topic, &partition.1.to_string()]);
        }
        self.status.revoked(&partitions);
        self.shared.metrics.assigned_partitions.sub(partitions.len() as i64);
        info!(partitions = partitions.len(), "partitions revoked");
    }
}

impl ClientContext for Assignment {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_client_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, _: &str) {
        warn!(error = %error, "the consumer reports an error");
    }

    /// Computes the lag from our own commits: in transactions nothing is committed through the consumer, so librdkafka's
    /// own figure stays unknown.
    fn stats(&self, statistics: Statistics) {
        let is_suspect = self.is_suspect.swap(false, Ordering::Relaxed);
        let outbox = self.outbox();
        for (source, partition) in self.status.assignment() {
            let topic = &self.shared.sources[source].topic;
            let Some(found) = statistics.topics.get(topic).and_then(|topic| topic.partitions.get(&partition)) else { continue };
            if is_suspect && matches!(found.fetch_state.as_str(), "none" | "stopped") {
                self.is_stalled.store(true, Ordering::Relaxed);
            }
            let end = if found.ls_offset >= 0 { found.ls_offset } else { found.hi_offset };
            let given = [found.app_offset, found.committed_offset, found.lo_offset];
            let next = outbox.committed.get(&(source, partition)).copied();
            let next = next.or_else(|| given.into_iter().find(|offset| *offset >= 0));
            if let (true, Some(next)) = (end >= 0, next) {
                let lag = self.shared.metrics.lag_records.with_label_values(&[topic, &partition.to_string()]);
                lag.set((end - next).max(0));
            }
        }
    }
}

impl ConsumerContext for Assignment {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            self.revoke(consumer, list);
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.shared.metrics.rebalances.inc();
        match rebalance {
            Rebalance::Assign(list) => {
                let partitions = self.partitions(list);
                let mut outbox = self.outbox();
                for partition in &partitions {
                    // librdkafka fetches the stable offset itself.
                    outbox.forget(*partition);
                }
                self.status.assigned(&partitions);
                self.shared.metrics.assigned_partitions.add(partitions.len() as i64);
                info!(partitions = partitions.len(), "partitions assigned");
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => warn!(error = %error, "rebalance failed"),
        }
    }
}
