//! Reads topics to their ends as a `read_committed` consumer does, and decodes envelopes.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::kafka::Kafka;
use super::wait::eventually;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A record as it was read.
pub struct Record {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Record {
        let headers = message.headers().map(|headers| {
            let own = |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
            headers.iter().map(own).collect()
        });
        Record {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp: message.timestamp().to_millis(),
            headers: headers.unwrap_or_default(),
        }
    }

    /// The text of the last header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        last_header(&self.headers, name)
    }
}

/// The text of the last header with this name.
pub fn last_header<'h>(headers: &'h [(String, Option<Vec<u8>>)], name: &str) -> Option<&'h str> {
    let (_, value) = headers.iter().rev().find(|(key, _)| key == name)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

/// Reads all partitions of these topics to the ends that they have now, the records of a partition in order.
///
/// The end is the high watermark: a transaction that was left open holds the reader back, and fails the test after
/// `deadline`.
pub fn read_committed(kafka: &Kafka, topics: &[(String, i32)], deadline: Duration) -> Vec<Record> {
    let reader = Reader::start(kafka, topics, &HashMap::new());
    let ends = ends(kafka, topics);
    let give_up_at = Instant::now() + deadline;
    let mut records = Vec::new();
    loop {
        // A look at the positions costs more than a record: only when no record is waiting.
        let Some(record) = reader.next() else {
            let left = reader.left(&ends);
            if left.is_empty() {
                return records;
            }
            assert!(Instant::now() < give_up_at, "could not read to the end within {deadline:?}: {left:?}");
            continue;
        };
        records.push(record);
    }
}

/// Next offsets to read, by topic and partition.
pub type Positions = HashMap<(String, i32), i64>;

/// Reads what was committed, from partitions that it assigns to itself.
pub struct Reader(BaseConsumer);

impl Reader {
    /// Starts at `positions`, and at the beginning of partitions that are not named there.
    pub fn start(kafka: &Kafka, topics: &[(String, i32)], positions: &Positions) -> Reader {
        let mut config = kafka.client();
        config
            .set("group.id", "event-normalizer-test-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.message.max.bytes", "10485760");
        let consumer: BaseConsumer = config.create().expect("create a consumer");
        let mut assignment = TopicPartitionList::new();
        for (topic, partition) in partitions(topics) {
            let next = positions.get(&(topic.clone(), partition));
            let offset = next.map_or(Offset::Beginning, |offset| Offset::Offset(*offset));
            assignment.add_partition_offset(&topic, partition, offset).expect("add a partition");
        }
        consumer.assign(&assignment).expect("assign partitions");
        Reader(consumer)
    }

    /// The next record; none when none comes at once.
    pub fn next(&self) -> Option<Record> {
        match self.0.poll(Duration::from_millis(50))? {
            Ok(message) => Some(Record::of(&message)),
            // A broker that is away comes back; what is read wrongly fails.
            Err(KafkaError::Global(code) | KafkaError::MessageConsumption(code)) if is_outage(code) => None,
            Err(error) => panic!("read a record: {error}"),
        }
    }

    /// The partitions whose ends aren't reached, with position and end. Positions step over control records.
    pub fn left(&self, ends: &Positions) -> Vec<(String, i32, Offset, i64)> {
        let positions = self.0.position().expect("ask for positions").to_topic_map();
        let mut left = Vec::new();
        for ((topic, partition), end) in ends {
            let position = positions.get(&(topic.clone(), *partition)).copied().unwrap_or(Offset::Invalid);
            if position.to_raw().is_none_or(|offset| offset < *end) {
                left.push((topic.clone(), *partition, position, *end));
            }
        }
        left
    }
}

fn is_outage(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::Resolve
    )
}

fn partitions(topics: &[(String, i32)]) -> impl Iterator<Item = (String, i32)> {
    topics.iter().flat_map(|(topic, count)| (0..*count).map(|partition| (topic.clone(), partition)))
}

/// The ends of the partitions that hold something.
pub fn ends(kafka: &Kafka, topics: &[(String, i32)]) -> Positions {
    let mut config = kafka.client();
    config.set("isolation.level", "read_uncommitted");
    let consumer: BaseConsumer = config.create().expect("create a consumer");
    let mut ends = Positions::new();
    for (topic, partition) in partitions(topics) {
        // A broker that has just come back may not lead the partition yet.
        let (start, end) = eventually(ANSWER_WITHIN, "a partition's end is known", || {
            consumer.fetch_watermarks(&topic, partition, ANSWER_WITHIN).ok()
        });
        if end > start {
            ends.insert((topic, partition), end);
        }
    }
    ends
}

/// The fields of the envelope that the checker looks at.
pub struct Envelope {
    pub event_id: String,
    pub vendor: String,
    /// The sender's own id: `message.reference`.
    pub reference: Option<String>,
    /// Altcraft's `launch_id`, kept as an attribute.
    pub launch_id: Option<String>,
    /// Topic, partition and offset of the raw record.
    pub source: (String, i32, i64),
}

/// Decodes envelopes in Avro's single-object encoding, with apache-avro and the published schema.
pub struct Decoder {
    prefix: Vec<u8>,
    reader: GenericDatumReader<'static>,
}

/// The published schema.
static ENVELOPE_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/envelope.avsc");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    Schema::parse_str(&text).expect("parse schemas/envelope.avsc")
});

impl Decoder {
    pub fn new() -> Decoder {
        // Two marker bytes, then the CRC-64-AVRO of the schema's canonical form, little-endian. Where a logical type was
        // taken away, only the form of the form is canonical (apache/avro-rs#61).
        let canonical = Schema::parse_str(&ENVELOPE_SCHEMA.canonical_form()).expect("a canonical schema");
        let mut prefix = vec![0xC3, 0x01];
        prefix.extend(canonical.fingerprint::<Rabin>().bytes);
        Decoder::of(prefix)
    }

    /// Of values in Confluent's wire format: a zero and the registry's id, big-endian.
    pub fn with_schema_id(id: u32) -> Decoder {
        Decoder::of([&[0][..], &id.to_be_bytes()].concat())
    }

    fn of(prefix: Vec<u8>) -> Decoder {
        let reader = GenericDatumReader::builder(&ENVELOPE_SCHEMA).build().expect("a reader of envelopes");
        Decoder { prefix, reader }
    }

    /// All fields of the envelope as JSON, in which bytes are lists of numbers.
    pub fn json(&self, value: &[u8]) -> Result<serde_json::Value, String> {
        self.value(value)?.try_into().map_err(|error: apache_avro::Error| error.to_string())
    }

    /// The envelope, or why the bytes are none.
    pub fn decode(&self, value: &[u8]) -> Result<Envelope, String> {
        let mut envelope = self.value(value)?;
        let missing = |name: &'static str| move || format!("no {name} of the right type");
        let reference = field(&mut envelope, "message").and_then(|mut message| field(&mut message, "reference"));
        let launch_id = match field(&mut envelope, "attributes") {
            Some(Value::Map(mut attributes)) => attributes.remove("launch_id"),
            _ => None,
        };
        let mut source = field(&mut envelope, "source").ok_or_else(missing("source"))?;
        let source = (
            text(field(&mut source, "kafka_topic")).ok_or_else(missing("source.kafka_topic"))?,
            number(field(&mut source, "kafka_partition")).ok_or_else(missing("source.kafka_partition"))? as i32,
            number(field(&mut source, "kafka_offset")).ok_or_else(missing("source.kafka_offset"))?,
        );
        Ok(Envelope {
            event_id: text(field(&mut envelope, "event_id")).ok_or_else(missing("event_id"))?,
            vendor: text(field(&mut envelope, "vendor")).ok_or_else(missing("vendor"))?,
            reference: text(reference),
            launch_id: text(launch_id),
            source,
        })
    }

    fn value(&self, value: &[u8]) -> Result<Value, String> {
        let Some(mut datum) = value.strip_prefix(self.prefix.as_slice()) else {
            return Err(format!("the value doesn't begin with {:02x?}", self.prefix));
        };
        let envelope = self.reader.read_value(&mut datum).map_err(|error| error.to_string())?;
        if datum.is_empty() { Ok(envelope) } else { Err(format!("{} bytes after the datum", datum.len())) }
    }
}

/// Takes a field out of a record; null is none.
fn field(record: &mut Value, name: &str) -> Option<Value> {
    let Value::Record(fields) = record else {
        return None;
    };
    let (_, value) = fields.iter_mut().find(|(field, _)| field == name)?;
    match std::mem::replace(value, Value::Null) {
        Value::Union(_, inner) if *inner == Value::Null => None,
        Value::Union(_, inner) => Some(*inner),
        other => Some(other),
    }
}

fn text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn number(value: Option<Value>) -> Option<i64> {
    match value? {
        Value::Int(number) => Some(number.into()),
        Value::Long(number) => Some(number),
        _ => None,
    }
}
