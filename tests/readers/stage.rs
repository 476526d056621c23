//! The golden payloads on their way through the real program, and where readers find what came of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;
use tempfile::TempDir;

use super::container;
use super::corpus::{Corpus, Source, hexadecimal};
use super::support::kafka::Kafka;
use super::support::normalizer::Normalizer;
use super::support::progress::Progress;
use super::support::reader::read_committed;
use super::support::registry::Registry;
use super::support::scenario::{PATIENCE, SHUTDOWN_WITHIN};

/// Of the topics with envelopes.
const PARTITIONS: i32 = 2;

/// Bytes before the datum: the marker and the fingerprint.
const SINGLE_OBJECT_HEADER: usize = 10;

/// How the values stand in Kafka. Those in Confluent's frame are CloudEvents too, which changes no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    SingleObject,
    Confluent,
}

impl Framing {
    /// As the readers' arguments say it.
    pub fn name(self) -> &'static str {
        match self {
            Framing::SingleObject => "single-object",
            Framing::Confluent => "confluent",
        }
    }
}

/// Kafka and the registry with all envelopes in both framings. Dropping it deletes the topics.
pub struct Stage {
    pub corpus: Corpus,
    pub registry: Registry,
    pub kafka: &'static Kafka,
    /// Begins the name of every topic, the groups and the transactional ids.
    prefix: String,
    /// For readers that read no Kafka.
    folder: TempDir,
}

impl Stage {
    pub fn set() -> Result<Stage> {
        let prefix = format!("readers-{:08x}", fastrand::u32(..));
        let corpus = Corpus::read(&prefix)?;
        let folder = tempfile::Builder::new().prefix("event-normalizer-stage-").tempdir()?;
        let stage = Stage { corpus, registry: Registry::start()?, kafka: Kafka::shared(), prefix, folder };
        for source in &stage.corpus.sources {
            feed(stage.kafka, source)?;
        }
        stage.normalize(Framing::SingleObject);
        stage.normalize(Framing::Confluent);
        Ok(stage)
    }

    /// The topics with envelopes.
    pub fn topics(&self, framing: Framing) -> Vec<String> {
        let topics = self.kafka.topics(&self.topic(framing, ""));
        topics.into_iter().map(|(topic, _)| topic).collect()
    }

    /// What the texts that users paste name as examples, and what there is instead, of Confluent's frame.
    pub fn in_place_of_examples(&self, topic_separator: &str) -> [(&'static str, String); 4] {
        [
            ("localhost:9092", self.kafka.brokers().to_owned()),
            ("http://localhost:8081", self.registry.url()),
            ("events.sms", self.topics(Framing::Confluent).join(topic_separator)),
            ("my-group", format!("{}.{}", self.prefix, fastrand::u32(..))),
        ]
    }

    /// A file with all values, one a line.
    pub fn hexadecimal_lines(&self, framing: Framing) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("{}.txt", framing.name()));
        let lines: String = self.values(framing)?.iter().map(|value| hexadecimal(value) + "\n").collect();
        fs::write(&path, lines)?;
        Ok(path)
    }

    /// Avro's container file with all envelopes, of the very bytes that stand in Kafka.
    pub fn container(&self) -> Result<PathBuf> {
        let path = self.folder.path().join("envelopes.avro");
        let values = self.values(Framing::SingleObject)?;
        let datums: Vec<&[u8]> = values.iter().map(|value| &value[SINGLE_OBJECT_HEADER..]).collect();
        fs::write(&path, container::file(&fs::read(schema())?, &datums))?;
        Ok(path)
    }

    fn values(&self, framing: Framing) -> Result<Vec<Vec<u8>>> {
        let records = read_committed(self.kafka, &self.kafka.topics(&self.topic(framing, "")), PATIENCE);
        records.into_iter().map(|record| record.value.context("a record without a value")).collect()
    }

    fn topic(&self, framing: Framing, stream: &str) -> String {
        format!("{}.{}.{stream}", self.prefix, framing.name())
    }

    /// Runs the program, exactly once, until it has nothing left to do.
    fn normalize(&self, framing: Framing) {
        let group = format!("{}.{}", self.prefix, framing.name());
        let mut settings = json!({
            "kafka": { "brokers": self.kafka.brokers(), "group": &group, "transactional_id_prefix": &group },
            "sources": self.corpus.sources.iter().map(|source| &source.settings).collect::<Vec<_>>(),
            "topics": {
                "template": self.topic(framing, "{stream}"),
                "dead_letters": format!("{group}-dead-letters"),
                "create": true,
                "partitions": PARTITIONS,
                "replication": self.kafka.replication(),
            },
            "delivery": { "guarantee": "exactly-once", "workers": 2 },
        });
        if framing == Framing::Confluent {
            settings["schema_registry"] = json!({ "url": self.registry.url(), "register": true });
            settings["envelope"] = json!({ "cloud_events": true });
        }
        let sources = self.corpus.sources.iter().map(|source| (source.topic.clone(), 1)).collect();
        let progress = Progress::new(self.kafka, &group, sources);
        let mut normalizer = Normalizer::start(&settings);
        normalizer
            .until(PATIENCE, "the group's offsets are at the ends of the sources", || progress.lag().filter(|lag| *lag == 0));
        assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "the normalizer's exit code");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.kafka.delete_topics(&self.prefix);
    }
}

/// The schema that readers are given.
pub fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/envelope.avsc")
}

/// Writes the raw records of a source: the first has offset 0, and so on.
fn feed(kafka: &Kafka, source: &Source) -> Result<()> {
    kafka.create_topic(&source.topic, 1, &[]);
    let mut config = kafka.client();
    config.set("enable.idempotence", "true").set("message.max.bytes", "10485760");
    let producer: BaseProducer = config.create()?;
    for raw in &source.records {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &raw.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&source.topic).payload(raw.body.as_slice()).timestamp(raw.time_ms).headers(headers);
        producer.send(record).map_err(|(error, _)| error).context("send a raw record")?;
    }
    producer.flush(PATIENCE).context("write the raw records")?;
    let (start, end) = producer.client().fetch_watermarks(&source.topic, 0, PATIENCE)?;
    let count = source.records.len() as i64;
    ensure!((start, end) == (0, count), "{} records of {} are offsets {start} to {end}", count, source.topic);
    Ok(())
}
