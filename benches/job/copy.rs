//! The floor: reads raw records and writes the same bytes, with the normalizer's own client options and commit.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use event_normalizer::kafka::{self, transaction};
use event_normalizer::settings::{Guarantee, Settings};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

const POLL_MAX: Duration = Duration::from_millis(50);
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Copies the first source's topic to `output` until the process is ended.
pub fn run(settings: &Path, output: &str) -> Result<()> {
    let settings = Settings::read(Some(settings))?;
    thread::scope(|threads| {
        let workers: Vec<_> = (0..settings.delivery.workers)
            .map(|number| {
                let settings = &settings;
                threads.spawn(move || work(settings, number, output))
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker has panicked"))?)
    })
}

fn work(settings: &Settings, number: usize, output: &str) -> Result<()> {
    let is_exactly_once = settings.delivery.guarantee == Guarantee::ExactlyOnce;
    let id = format!("{}-{number}", settings.kafka.transactional_id_prefix);
    let producer: ThreadedProducer<DefaultProducerContext> =
        kafka::producer(settings, is_exactly_once.then_some(id.as_str()))?.create()?;
    if is_exactly_once {
        producer.init_transactions(CALL_TIMEOUT)?;
    }
    let consumer: BaseConsumer = kafka::consumer(settings)?.create()?;
    let source = settings.sources.first().context("a source")?;
    consumer.subscribe(&[&source.topic])?;
    let interval = settings.delivery.commit_interval();
    let mut began_at = None;
    loop {
        if let Some(message) = consumer.poll(POLL_MAX) {
            let message = message?;
            if began_at.is_none() {
                began_at = Some(Instant::now());
                if is_exactly_once {
                    producer.begin_transaction()?;
                }
            }
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(output);
            record.key = message.key();
            record.payload = message.payload();
            record.timestamp = message.timestamp().to_millis();
            while let Err((error, refused)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                thread::sleep(FULL_QUEUE_PAUSE);
                record = refused;
            }
        }
        if began_at.is_some_and(|began_at: Instant| began_at.elapsed() >= interval) {
            began_at = None;
            commit(&consumer, &producer, is_exactly_once)?;
        }
    }
}

fn commit(consumer: &BaseConsumer, producer: &ThreadedProducer<DefaultProducerContext>, is_exactly_once: bool) -> Result<()> {
    let mut offsets = TopicPartitionList::new();
    for element in consumer.position()?.elements() {
        if let Offset::Offset(_) = element.offset() {
            offsets.add_partition_offset(element.topic(), element.partition(), element.offset())?;
        }
    }
    if !is_exactly_once {
        while !transaction::flush(producer, CALL_TIMEOUT) {}
        return Ok(consumer.commit(&offsets, CommitMode::Sync)?);
    }
    let group = consumer.group_metadata().ok_or(KafkaError::Global(RDKafkaErrorCode::UnknownGroup))?;
    producer.send_offsets_to_transaction(&offsets, &group, CALL_TIMEOUT)?;
    Ok(transaction::commit(producer)?)
}
