//! librdkafka's in-process broker, for the demo: groups and records work, but it forgets transactions' offsets and hides
//! nothing that was aborted, so it proves nothing of delivery.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

const POLL: Duration = Duration::from_millis(50);

/// A broker in this process. It ends when this is dropped.
pub struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

/// A record that was published, as far as the demo shows it.
#[derive(Debug)]
pub struct Published {
    pub topic: String,
    pub key: String,
    pub value: Vec<u8>,
    /// Text headers.
    pub headers: Vec<(String, String)>,
}

impl Published {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Embedded {
    /// Starts a broker with these topics, each of one partition.
    ///
    /// # Errors
    /// librdkafka can't open its port.
    pub fn start(topics: impl IntoIterator<Item = String>) -> Result<Self> {
        let cluster = MockCluster::new(1).context("the embedded broker can't be started")?;
        for topic in topics {
            cluster.create_topic(&topic, 1, 1).context("the embedded broker refuses a topic")?;
        }
        Ok(Self { cluster })
    }

    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// Writes bodies to the broker's raw topics.
pub struct Writer(ThreadedProducer<DefaultProducerContext>);

impl Writer {
    /// # Errors
    /// The client can't be made.
    pub fn connect(brokers: &str) -> Result<Self> {
        Ok(Self(ClientConfig::new().set("bootstrap.servers", brokers).set("linger.ms", "0").create()?))
    }

    /// Writes one body and waits until it is there.
    ///
    /// # Errors
    /// The broker doesn't answer.
    pub fn write(&self, topic: &str, body: &[u8]) -> Result<()> {
        self.0.send(BaseRecord::<(), [u8]>::to(topic).payload(body)).map_err(|(error, _)| error)?;
        self.0.flush(Duration::from_secs(10)).context("the embedded broker does not answer")
    }
}

/// Reads what was published.
pub struct Reader(BaseConsumer);

impl Reader {
    /// Reads these topics from their beginning.
    ///
    /// # Errors
    /// The client can't be made.
    pub fn connect(brokers: &str, topics: &[String]) -> Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "demo-reader")
            .set("enable.auto.commit", "false")
            .create()?;
        let mut list = rdkafka::TopicPartitionList::new();
        for topic in topics {
            list.add_partition_offset(topic, 0, rdkafka::Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        Ok(Self(consumer))
    }

    /// The next published record; `None` when none has come within `wait`.
    ///
    /// # Errors
    /// The broker refuses the read.
    pub fn next(&self, wait: Duration) -> Result<Option<Published>> {
        let deadline = Instant::now() + wait;
        while Instant::now() < deadline {
            let Some(message) = self.0.poll(POLL) else { continue };
            let message = message?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = message.headers().map_or(Vec::new(), |headers| {
                headers.iter().map(|header| (header.key.to_owned(), header.value.map_or_else(String::new, text))).collect()
            });
            return Ok(Some(Published {
                topic: message.topic().to_owned(),
                key: message.key().map_or_else(String::new, text),
                value: message.payload().map_or_else(Vec::new, <[u8]>::to_vec),
                headers,
            }));
        }
        Ok(None)
    }
}
