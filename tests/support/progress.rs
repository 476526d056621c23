//! How far the normalizer has got, seen from Kafka.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::kafka::Kafka;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Watches a consumer group's committed offsets and the ends of topics, without being a member.
///
/// Every question may find the broker away or a topic not there yet: then the answer is none, and is asked again.
pub struct Progress {
    consumer: BaseConsumer,
    sources: Vec<(String, i32)>,
}

impl Progress {
    pub fn new(kafka: &Kafka, group: &str, sources: Vec<(String, i32)>) -> Progress {
        let mut config = kafka.client();
        // Uncommitted: an open transaction neither hides records nor holds back the group's offsets.
        config.set("group.id", group).set("isolation.level", "read_uncommitted");
        Progress { consumer: config.create().expect("create a consumer"), sources }
    }

    /// The number of offsets that the group has committed over all sources.
    pub fn committed(&self) -> Option<i64> {
        let offsets = self.committed_by_partition()?;
        Some(offsets.iter().map(|(_, _, offset)| offset).sum())
    }

    /// What the group has yet to commit, control records included. All done is 0, never 1.
    pub fn lag(&self) -> Option<i64> {
        Some(self.lag_by_partition()?.iter().map(|(_, _, lag)| lag).sum())
    }

    /// The lag of every partition of the sources.
    pub fn lag_by_partition(&self) -> Option<Vec<(String, i32, i64)>> {
        let mut lags = self.committed_by_partition()?;
        for (topic, partition, offset) in &mut lags {
            *offset = self.end(topic, *partition)? - *offset;
        }
        Some(lags)
    }

    /// The number of offsets that stand in these topics, uncommitted ones and control records included.
    pub fn written(&self, topics: &[String]) -> Option<i64> {
        let mut written = 0;
        for topic in topics {
            let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER_WITHIN).ok()?;
            for partition in metadata.topics().first()?.partitions() {
                written += self.end(topic, partition.id())?;
            }
        }
        Some(written)
    }

    /// The committed offset of every partition of the sources; 0 where there is none yet.
    pub fn committed_by_partition(&self) -> Option<Vec<(String, i32, i64)>> {
        let mut partitions = TopicPartitionList::new();
        for (topic, count) in &self.sources {
            partitions.add_partition_range(topic, 0, count - 1);
        }
        let committed = self.consumer.committed_offsets(partitions, ANSWER_WITHIN).ok()?;
        let elements = committed.elements();
        if elements.iter().any(|element| element.error().is_err()) {
            return None;
        }
        let offset = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
            rdkafka::Offset::Offset(offset) => offset,
            _ => 0, // Nothing committed yet.
        };
        Some(elements.iter().map(|e| (e.topic().to_owned(), e.partition(), offset(e))).collect())
    }

    fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        let watermarks = self.consumer.fetch_watermarks(topic, partition, ANSWER_WITHIN);
        if watermarks.is_err() {
            // The client would go on asking a leader that is none any more.
            let _ = self.consumer.fetch_metadata(Some(topic), ANSWER_WITHIN);
        }
        watermarks.ok().map(|(_, end)| end)
    }
}
