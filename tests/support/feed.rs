//! Writes raw records to Kafka and remembers where each one landed.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::kafka::Kafka;
use super::load::{Raw, Vendor};

const FLUSH_WITHIN: Duration = Duration::from_secs(120);

/// The raw topic of a vendor in the test with this prefix.
pub fn source_topic(prefix: &str, vendor: Vendor) -> String {
    format!("{prefix}.raw.{}", vendor.name())
}

/// Raw records on their way to Kafka, in order.
pub struct Feed {
    prefix: String,
    records: Vec<Raw>,
    sent: usize,
    producer: ThreadedProducer<Landings>,
}

impl Feed {
    pub fn new(kafka: &Kafka, prefix: &str, records: Vec<Raw>) -> Feed {
        let producer = producer(&kafka.client(), records.len());
        Feed { prefix: prefix.to_owned(), records, sent: 0, producer }
    }

    /// A feed that writes in transactions of its own, so that control records stand between the records.
    pub fn transactional(kafka: &Kafka, prefix: &str, records: Vec<Raw>) -> Feed {
        let mut config = kafka.client();
        config.set("transactional.id", format!("{prefix}.feed")).set("transaction.timeout.ms", "120000");
        let producer = producer(&config, records.len());
        producer.init_transactions(FLUSH_WITHIN).expect("initialize transactions");
        Feed { prefix: prefix.to_owned(), records, sent: 0, producer }
    }

    /// Writes the next `count` records and waits until Kafka has them.
    pub fn send(&mut self, count: usize) {
        let end = (self.sent + count).min(self.records.len());
        while self.sent < end {
            self.send_one(&self.records[self.sent], Some(self.sent));
            self.sent += 1;
        }
        self.producer.flush(FLUSH_WITHIN).expect("write the load");
    }

    /// Adds records, writes them, waits until Kafka has them, and forgets their bytes: for a load without end.
    pub fn send_on(&mut self, records: impl Iterator<Item = Raw>) {
        self.records.extend(records);
        self.producer.context().0.lock().expect("landings").resize(self.records.len(), None);
        let first = self.sent;
        self.send_rest();
        for raw in &mut self.records[first..] {
            raw.value = None;
        }
    }

    /// Writes what is left.
    pub fn send_rest(&mut self) {
        self.send(self.records.len());
    }

    /// Writes what is left at a steady rate, so that the load lasts while something is done to the normalizer.
    pub fn send_rest_at(&mut self, records_per_second: usize) {
        // The client takes at least a tenth of a second to say that everything has arrived.
        let slice = records_per_second / 5 + 1;
        let started_at = Instant::now();
        let already_sent = self.sent;
        while self.sent < self.records.len() {
            self.send(slice);
            let seconds = (self.sent - already_sent) as f64 / records_per_second as f64;
            let due_in = Duration::from_secs_f64(seconds).saturating_sub(started_at.elapsed());
            thread::sleep(due_in); // A rate is time: there is no condition to wait for.
        }
    }

    /// Writes the next `count` records as one transaction.
    pub fn send_transaction(&mut self, count: usize) {
        self.producer.begin_transaction().expect("begin a transaction");
        self.send(count);
        self.producer.commit_transaction(FLUSH_WITHIN).expect("commit a transaction");
    }

    /// Writes records that don't belong to the load as a transaction, and aborts it.
    pub fn send_aborted(&self, records: &[Raw]) {
        self.producer.begin_transaction().expect("begin a transaction");
        for raw in records {
            self.send_one(raw, None);
        }
        self.producer.flush(FLUSH_WITHIN).expect("write an aborted transaction");
        self.producer.abort_transaction(FLUSH_WITHIN).expect("abort a transaction");
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Every record of the load, with its topic, partition and offset. All must have been sent.
    pub fn landed(&self) -> Vec<(&Raw, String, i32, i64)> {
        let landings = self.producer.context().0.lock().expect("landings");
        let place = |(raw, landing): (_, &Option<(i32, i64)>)| {
            let raw: &Raw = raw;
            let (partition, offset) = landing.expect("every record was sent and landed");
            (raw, source_topic(&self.prefix, raw.vendor), partition, offset)
        };
        self.records.iter().zip(landings.iter()).map(place).collect()
    }

    fn send_one(&self, raw: &Raw, index: Option<usize>) {
        let topic = source_topic(&self.prefix, raw.vendor);
        let mut headers = OwnedHeaders::new_with_capacity(raw.headers.len());
        for (key, value) in &raw.headers {
            headers = headers.insert(Header { key, value: Some(*value) });
        }
        let mut record: BaseRecord<'_, str, [u8], Box<Option<usize>>> =
            BaseRecord::with_opaque_to(&topic, Box::new(index)).key(raw.key.as_str()).timestamp(raw.timestamp).headers(headers);
        record.partition = raw.partition;
        record.payload = raw.value.as_deref();
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    self.producer.flush(FLUSH_WITHIN).expect("write the load");
                    record = refused;
                }
                Err((error, _)) => panic!("send to {topic}: {error}"),
            }
        }
    }
}

fn producer(config: &ClientConfig, record_count: usize) -> ThreadedProducer<Landings> {
    let mut config = config.clone();
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("compression.type", "lz4")
        .set("message.max.bytes", "10485760")
        // The broker may be away for a while in between.
        .set("message.timeout.ms", "120000");
    let landings = Landings(Mutex::new(vec![None; record_count]));
    config.create_with_context(landings).expect("create a producer")
}

/// Partition and offset of each record of the load, as the broker acknowledged it.
struct Landings(Mutex<Vec<Option<(i32, i64)>>>);

impl ClientContext for Landings {}

impl ProducerContext for Landings {
    type DeliveryOpaque = Box<Option<usize>>;

    fn delivery(&self, result: &DeliveryResult<'_>, index: Box<Option<usize>>) {
        if let (Ok(message), Some(index)) = (result, *index) {
            self.0.lock().expect("landings")[index] = Some((message.partition(), message.offset()));
        }
    }
}
