//! The raw topic that every contender reads.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::kafka::Kafka;
use crate::support::load::now_ms;

/// One body of so many is no JSON.
const FAULTY_EVERY: usize = 10_000;
const FLUSH_WITHIN: std::time::Duration = std::time::Duration::from_secs(120);

/// Infobip delivery reports, written once and read by all.
pub struct Input {
    pub topic: String,
    pub partitions: i32,
    pub bodies: usize,
    /// Length of a body.
    pub body_bytes: usize,
    pub events: usize,
    pub dead_letters: usize,
}

impl Input {
    /// Writes `bodies` bodies with `results` results each.
    pub fn write(kafka: &Kafka, topic: &str, partitions: i32, bodies: usize, results: usize) -> Input {
        kafka.create_topic(topic, partitions, &[]);
        let producer = producer(kafka);
        for number in 0..bodies {
            let body = body(number, results);
            let key = format!("subject-{}", number % 50_000);
            let mut record = BaseRecord::<str, str>::to(topic).key(&key).payload(&body).timestamp(now_ms());
            while let Err((error, refused)) = producer.send(record) {
                assert!(is_full(&error), "write the input: {error}");
                producer.poll(std::time::Duration::from_millis(10));
                record = refused;
            }
        }
        producer.flush(FLUSH_WITHIN).expect("write the input");
        let dead_letters = bodies.div_ceil(FAULTY_EVERY);
        let events = (bodies - dead_letters) * results;
        let body_bytes = body(1, results).len();
        Input { topic: topic.to_owned(), partitions, bodies, body_bytes, events, dead_letters }
    }
}

pub fn producer(kafka: &Kafka) -> BaseProducer {
    let mut config = kafka.client();
    config.set("linger.ms", "5").set("enable.idempotence", "true");
    config.create().expect("create a producer")
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// The `number`th body.
pub fn body(number: usize, results: usize) -> String {
    if number.is_multiple_of(FAULTY_EVERY) {
        return format!("no JSON {number}");
    }
    let reports: Vec<_> = (0..results).map(|result| report(number, result)).collect();
    format!(r#"{{"results":[{}]}}"#, reports.join(","))
}

fn report(number: usize, result: usize) -> String {
    let recipient = 4_915_110_000_000 + number % 9_000_000;
    format!(
        r#"{{"bulkId":"BULK-{bulk:04x}","price":{{"pricePerMessage":0.0125,"currency":"EUR"}},"status":{{"id":5,"groupId":3,"groupName":"DELIVERED","name":"DELIVERED_TO_HANDSET","description":"Message delivered to handset"}},"error":{{"id":0,"name":"NO_ERROR","description":"No Error","groupId":0,"groupName":"OK","permanent":false}},"messageId":"MESSAGE-{number:08x}-{result:04x}","to":"{recipient}","sender":"InfoSMS","sentAt":"2026-03-03T14:22:28.{millis:03}+0000","doneAt":"2026-03-03T14:22:30.907+0000","messageCount":1,"mccMnc":"26201","callbackData":"order-{number}","platform":{{"entityId":"shop","applicationId":"orders"}}}}"#,
        bulk = number / 100,
        millis = number % 1_000,
    )
}
