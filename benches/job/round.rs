//! Rounds: every contender reads the same input, one after the other, and again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::contender::{Contender, Guarantee, Kind, Stage};
use crate::input::Input;
use crate::process::Process;
use crate::support::kafka::Kafka;
use crate::support::progress::Progress;

const READ_WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// From this share of the input on, a contender is warm.
const WARM_FROM: f64 = 0.5;

/// What one contender took for the whole input.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub events_per_second: f64,
    pub cpu_per_million: f64,
    /// The same over the second half of the input.
    pub warm_events_per_second: f64,
    pub warm_cpu_per_million: f64,
    pub peak_mib: f64,
}

/// Lets every contender read the input `rounds` times; by contender, in their order.
pub fn compare(
    kafka: &'static Kafka,
    input: &Input,
    outputs: &str,
    contenders: &[Contender],
    rounds: usize,
) -> Result<Vec<Vec<Outcome>>> {
    let mut outcomes = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for (contender, outcomes) in contenders.iter().zip(&mut outcomes) {
            let group = format!("{outputs}.{:08x}", fastrand::u32(..));
            let stage = Stage { kafka, input, outputs, group };
            let outcome = run(&stage, contender).with_context(|| contender.name.clone())?;
            eprintln!("round {round}: {:<40} {outcome:.1?}", contender.name);
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

fn run(stage: &Stage<'_>, contender: &Contender) -> Result<Outcome> {
    let topics = match contender.kind {
        Kind::Copy => vec![stage.copy_topic()],
        Kind::Normalizer | Kind::Streams | Kind::Bento => vec![stage.events_topic(), stage.dead_letters_topic()],
    };
    let tally = Tally::begin(stage.kafka, &topics)?;
    let progress = Progress::new(stage.kafka, &stage.group, vec![(stage.input.topic.clone(), stage.input.partitions)]);
    // Asks for the group's coordinator, which would else be part of what is measured.
    progress.committed();

    let started_at = Instant::now();
    let mut processes = contender.start(stage)?;
    let cpu = |processes: &[Process]| processes.iter().map(Process::cpu_seconds).sum::<f64>();
    let mut warm = None;
    loop {
        let committed = progress.committed().unwrap_or_default();
        if committed >= stage.input.bodies as i64 {
            break;
        }
        if warm.is_none() && committed as f64 >= stage.input.bodies as f64 * WARM_FROM {
            warm = Some((Instant::now(), cpu(&processes), committed));
        }
        ensure!(started_at.elapsed() < READ_WITHIN, "{committed} records were committed within {READ_WITHIN:?}");
        processes.iter_mut().try_for_each(Process::check)?;
        std::thread::sleep(LOOK_EVERY);
    }
    let (seconds, cpu_seconds) = (started_at.elapsed().as_secs_f64(), cpu(&processes));
    let peak_mib = processes.iter().map(|process| process.memory_mib().1).sum();
    processes.into_iter().try_for_each(Process::end)?;

    let is_copy = matches!(contender.kind, Kind::Copy);
    let events = stage.input.events as f64;
    let [should_be, dead_letters] =
        if is_copy { [stage.input.bodies, 0] } else { [stage.input.events, stage.input.dead_letters] };
    let counts = tally.count()?;
    let of = |topic: &str| counts.get(topic).copied().unwrap_or_default();
    let found = [of(&topics[0]), topics.get(1).map_or(0, |topic| of(topic))];
    match contender.setup.guarantee {
        Guarantee::ExactlyOnce => ensure!(found == [should_be, dead_letters], "{found:?} events and dead letters"),
        Guarantee::AtLeastOnce => {
            ensure!(found[0] >= should_be && found[1] >= dead_letters, "{found:?} events and dead letters");
        }
    }
    let (warm_at, warm_cpu, warm_committed) = warm.unwrap_or((started_at, 0.0, 0));
    let warm_events = events * (1.0 - warm_committed as f64 / stage.input.bodies as f64);
    let warm_seconds = seconds - warm_at.duration_since(started_at).as_secs_f64();
    Ok(Outcome {
        events_per_second: events / seconds,
        cpu_per_million: cpu_seconds / events * 1e6,
        warm_events_per_second: warm_events / warm_seconds,
        warm_cpu_per_million: (cpu_seconds - warm_cpu) / warm_events * 1e6,
        peak_mib,
    })
}

/// Counts what is written to topics from now on, as a reader of committed records sees it.
struct Tally {
    consumer: BaseConsumer,
    begins: BTreeMap<(String, i32), i64>,
}

impl Tally {
    fn begin(kafka: &Kafka, topics: &[String]) -> Result<Tally> {
        let mut config = kafka.client();
        config.set("group.id", "bench-tally").set("enable.auto.commit", "false").set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create()?;
        let mut begins = BTreeMap::new();
        for topic in topics {
            for (name, partitions) in kafka.topics(topic).into_iter().filter(|(name, _)| name == topic) {
                for partition in 0..partitions {
                    begins.insert((name.clone(), partition), end(&consumer, &name, partition)?);
                }
            }
        }
        Ok(Tally { consumer, begins })
    }

    fn count(self) -> Result<BTreeMap<String, usize>> {
        let mut assignment = TopicPartitionList::new();
        for ((topic, partition), begin) in &self.begins {
            assignment.add_partition_offset(topic, *partition, Offset::Offset(*begin))?;
        }
        let mut ends = BTreeMap::new();
        for (topic, partition) in self.begins.keys() {
            ends.insert((topic.clone(), *partition), end(&self.consumer, topic, *partition)?);
        }
        self.consumer.assign(&assignment)?;
        let mut counts = BTreeMap::new();
        let give_up_at = Instant::now() + READ_WITHIN;
        loop {
            if let Some(message) = self.consumer.poll(Duration::from_millis(50)) {
                *counts.entry(rdkafka::Message::topic(&message?).to_owned()).or_default() += 1;
                continue;
            }
            let is_at_end = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
                let key = (element.topic().to_owned(), element.partition());
                let is_empty = self.begins.get(&key) == ends.get(&key);
                is_empty || element.offset().to_raw() >= ends.get(&key).copied()
            };
            if self.consumer.position()?.elements().iter().all(is_at_end) {
                return Ok(counts);
            }
            ensure!(Instant::now() < give_up_at, "the outputs can't be read to their ends");
        }
    }
}

fn end(consumer: &BaseConsumer, topic: &str, partition: i32) -> Result<i64> {
    Ok(consumer.fetch_watermarks(topic, partition, Duration::from_secs(10))?.1)
}
