//! How long an event takes under a light, steady load, and what that load costs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::contender::{Contender, Kind, Stage};
use crate::input::body;
use crate::process::Process;
use crate::support::kafka::Kafka;
use crate::support::load::now_ms;

pub const EVENTS_PER_SECOND: usize = 2_000;
const WARM_UP: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(30);
const FIRST_WITHIN: Duration = Duration::from_secs(60);
/// The feeder wakes so often.
const TICK: Duration = Duration::from_millis(2);

/// Milliseconds from the write of a raw record to the read of its event, by share of the events; and CPU.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// In percent of one core.
    pub cpu_percent: f64,
}

/// Runs one contender under a steady load.
pub fn measure(stage: &Stage<'_>, contender: &Contender) -> Result<Latency> {
    let reader = reader(stage, contender)?;
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let feeder = threads.spawn(|| feed(stage.kafka, &stage.input.topic, &is_over));
        let measured = contender.start(stage).and_then(|processes| watch(&reader, processes));
        is_over.store(true, Ordering::Relaxed);
        feeder.join().map_err(|_| anyhow::anyhow!("the feeder has panicked"))?;
        measured
    })
}

/// Seconds from the start of the process to its first event that can be read; the input has records already.
pub fn first_event(stage: &Stage<'_>, contender: &Contender) -> Result<f64> {
    let reader = reader(stage, contender)?;
    // A first look, so that the reader has its connections.
    reader.poll(Duration::from_millis(500));
    let started_at = Instant::now();
    let processes = contender.start(stage)?;
    while reader.poll(Duration::from_millis(10)).transpose()?.is_none() {
        ensure!(started_at.elapsed() < FIRST_WITHIN, "no event came within {FIRST_WITHIN:?}");
    }
    let seconds = started_at.elapsed().as_secs_f64();
    processes.into_iter().try_for_each(Process::end)?;
    Ok(seconds)
}

/// Reads what the contender writes from now on.
fn reader(stage: &Stage<'_>, contender: &Contender) -> Result<BaseConsumer> {
    let topic = if matches!(contender.kind, Kind::Copy) { stage.copy_topic() } else { stage.events_topic() };
    let mut config = stage.kafka.client();
    config
        .set("group.id", format!("{}-reader", stage.group))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "100");
    let reader: BaseConsumer = config.create()?;
    let metadata = reader.fetch_metadata(Some(&topic), Duration::from_secs(10))?;
    let partitions = metadata.topics().first().context("the output topic")?.partitions().len();
    let mut assignment = rdkafka::TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        let (_, end) = reader.fetch_watermarks(&topic, partition, Duration::from_secs(10))?;
        assignment.add_partition_offset(&topic, partition, rdkafka::Offset::Offset(end))?;
    }
    reader.assign(&assignment)?;
    Ok(reader)
}

fn watch(reader: &BaseConsumer, mut processes: Vec<Process>) -> Result<Latency> {
    let cpu = |processes: &[Process]| processes.iter().map(Process::cpu_seconds).sum::<f64>();
    let started_at = Instant::now();
    let mut begun = None;
    let mut latencies = Vec::new();
    while begun.is_none_or(|(begun_at, _): (Instant, f64)| begun_at.elapsed() < MEASURED) {
        if begun.is_none() && started_at.elapsed() > WARM_UP {
            processes.iter_mut().try_for_each(Process::check)?;
            begun = Some((Instant::now(), cpu(&processes)));
        }
        let Some(message) = reader.poll(Duration::from_millis(10)).transpose()? else { continue };
        if begun.is_some() {
            latencies.push((now_ms() - message.timestamp().to_millis().unwrap_or_default()) as f64);
        }
    }
    let (begun_at, cpu_before) = begun.context("the measurement has begun")?;
    let cpu_percent = 100.0 * (cpu(&processes) - cpu_before) / begun_at.elapsed().as_secs_f64();
    processes.into_iter().try_for_each(Process::end)?;
    let expected = MEASURED.as_secs_f64() * EVENTS_PER_SECOND as f64;
    ensure!(latencies.len() as f64 > 0.9 * expected, "only {} events came", latencies.len());
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Ok(Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999), cpu_percent })
}

/// Writes bodies of one result at a steady rate.
fn feed(kafka: &Kafka, topic: &str, is_over: &AtomicBool) {
    let mut config = kafka.client();
    let producer: BaseProducer = config.set("linger.ms", "0").create().expect("create a producer");
    let started_at = Instant::now();
    let mut sent = 0;
    while !is_over.load(Ordering::Relaxed) {
        let due = (started_at.elapsed().as_secs_f64() * EVENTS_PER_SECOND as f64) as usize;
        for number in sent..due {
            // The faulty ones of the other benchmarks are of no interest here.
            let (body, key) = (body(number | 1, 1), format!("subject-{}", number % 50_000));
            let record = BaseRecord::<str, str>::to(topic).key(&key).payload(&body).timestamp(now_ms());
            producer.send(record).map_err(|(error, _)| error).expect("write the load");
        }
        sent = due;
        producer.poll(Duration::ZERO);
        thread::sleep(TICK); // A rate is time: there is no condition to wait for.
    }
    producer.flush(Duration::from_secs(10)).expect("write the load");
}
