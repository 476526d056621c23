//! How long the output of a partition stands still when the instance that had it is killed and does not come back.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::run::{PARTITIONS, SUBJECTS};
use crate::support::check::{Eye, stream_topic};
use crate::support::load::{Load, now_ms};
use crate::support::lock;
use crate::support::normalizer::Normalizer;
use crate::support::reader::{Positions, Reader};
use crate::support::scenario::Scenario;
use crate::support::wait::eventually;

const RECORDS_PER_SECOND: usize = 2_000;
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
const RESUMED_WITHIN: Duration = Duration::from_secs(180);
/// What the promise says.
const PROMISE: Duration = Duration::from_secs(30);

/// What the killed process had committed may still arrive for so long.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Args)]
pub struct Recovery {
    /// How often an instance is killed
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// When the last output of each partition of a source was read.
type Arrivals = Mutex<HashMap<(String, i32), Instant>>;

impl Recovery {
    /// Kills one of two instances again and again, and says how long its partitions stood still.
    pub fn run(&self) -> ExitCode {
        let cluster = Cluster::start(&[]).unwrap_or_else(|error| panic!("{error:#}"));
        let scenario = Scenario::on(cluster.kafka, "recovery", PARTITIONS, 1);
        scenario.create_sources(&[]);
        let mut instances: Vec<Normalizer> = (0..2).map(|number| Normalizer::start(&settings(&scenario, number))).collect();
        instances.iter_mut().for_each(Normalizer::wait_ready);
        let topics = cluster.kafka.topics(&stream_topic(&scenario.prefix, ""));
        let (arrivals, is_over) = (Arrivals::default(), AtomicBool::new(false));
        let mut longest = Duration::ZERO;
        thread::scope(|threads| {
            threads.spawn(|| feed(&scenario, &is_over));
            threads.spawn(|| {
                let (reader, eye) = (Reader::start(cluster.kafka, &topics, &Positions::new()), Eye::new(&scenario.prefix));
                while !is_over.load(Relaxed) {
                    if let Some((topic, partition, _)) = reader.next().and_then(|record| eye.see(record).source().cloned()) {
                        lock(&arrivals).insert((topic, partition), Instant::now());
                    }
                }
            });
            for round in 0..self.rounds {
                let victim = round % 2;
                let owned = settled(&instances, &arrivals, victim);
                instances[victim].kill();
                let killed_at = Instant::now();
                let stood_still = owned.iter().map(|partition| {
                    let resumed_at = eventually(RESUMED_WITHIN, "the output of a killed instance's partition goes on", || {
                        lock(&arrivals).get(partition).copied().filter(|at| *at > killed_at + SETTLE)
                    });
                    resumed_at - killed_at
                });
                let slowest = stood_still.max().unwrap_or_default();
                println!("round {round}: {} partitions, the slowest resumed after {:.1} s", owned.len(), slowest.as_secs_f64());
                longest = longest.max(slowest);
                instances[victim].start_again();
            }
            is_over.store(true, Relaxed);
        });
        println!("longest of {} rounds: {:.1} s", self.rounds, longest.as_secs_f64());
        if longest <= PROMISE { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// An instance with the program's own time-outs.
fn settings(scenario: &Scenario, number: usize) -> Value {
    let mut settings = scenario.settings();
    let kafka = settings["kafka"].as_object_mut().expect("a map");
    kafka.retain(|key, _| !key.ends_with("_options"));
    kafka.insert("transactional_id_prefix".to_owned(), json!(format!("{}.{number}", scenario.prefix)));
    settings
}

fn feed(scenario: &Scenario, is_over: &AtomicBool) {
    const SLICE: usize = RECORDS_PER_SECOND / 10;
    let mut feed = scenario.feed(Vec::new());
    let mut load = Load::new(scenario.seed, SUBJECTS, 0, now_ms());
    while !is_over.load(Relaxed) {
        let due_at = Instant::now() + Duration::from_millis(100);
        feed.send_on(load.by_ref().take(SLICE));
        thread::sleep(due_at.saturating_duration_since(Instant::now())); // A rate is time.
    }
}

/// Waits until both instances have partitions and all of them give output; the partitions of the victim.
fn settled(instances: &[Normalizer], arrivals: &Arrivals, victim: usize) -> Vec<(String, i32)> {
    eventually(SETTLED_WITHIN, "both instances work", || {
        let owned: Vec<Vec<_>> = instances.iter().map(assignment).collect();
        let now = Instant::now();
        let arrivals = lock(arrivals);
        let is_fresh = |partition| arrivals.get(partition).is_some_and(|at| now - *at < Duration::from_secs(1));
        let all: usize = owned.iter().map(Vec::len).sum();
        let is_settled = owned.iter().all(|owned| !owned.is_empty())
            && all == 3 * PARTITIONS as usize
            && owned.iter().flatten().all(is_fresh);
        is_settled.then(|| owned[victim].clone())
    })
}

/// The partitions of an instance, as its status tells; none while it starts.
fn assignment(instance: &Normalizer) -> Vec<(String, i32)> {
    if !instance.is_ready() {
        return Vec::new();
    }
    let status = instance.status();
    let workers = status["workers"].as_array().cloned().unwrap_or_default();
    let partitions = workers.iter().flat_map(|worker| worker["assignment"].as_array().cloned().unwrap_or_default());
    partitions
        .filter_map(|partition| {
            let number = i32::try_from(partition["partition"].as_i64()?).ok()?;
            Some((partition["topic"].as_str()?.to_owned(), number))
        })
        .collect()
}
