//! One run: brokers, instances, load, faults, readers, and the judgment at the end.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;

use crate::alarm::Alarm;
use crate::cluster::{Cluster, QUICK};
use crate::history::History;
use crate::nemesis::{Field, Plan, end, harm_brokers, harm_network, harm_processes, start_ended};
use crate::resources::{self, Resources};
use crate::support::check::{Content, Expected, Eye, Report, Seen, stream_topic};
use crate::support::feed::Feed;
use crate::support::load::{Load, now_ms};
use crate::support::normalizer::Normalizer;
use crate::support::proxy::Proxy;
use crate::support::reader::{Positions, Reader, ends};
use crate::support::scenario::{PATIENCE, Scenario};
use crate::support::wait::poll;
use crate::transactions::{self, Transactions};

/// Partitions of each raw topic.
pub const PARTITIONS: i32 = 6;
/// Partitions of each output topic.
const OUTPUT_PARTITIONS: i32 = 3;
/// Subjects of the load.
pub const SUBJECTS: usize = 2_000;
/// So many records wait for the instances at any time.
const BACKLOG: i64 = 10_000;
/// So many records are written at once.
const SLICE: usize = 2_000;
const BACKLOG_LOOKED_AT_EVERY: Duration = Duration::from_millis(50);
/// A zombie may wake before its transaction has timed out, or after.
const TRANSACTION_TIMEOUT_MS: u64 = 9_000;
/// Transactions stand open most of the time, so that the faults hit them, and a short queue keeps them small.
const COMMIT_INTERVAL_MS: u64 = 200;
const QUEUED_MESSAGES: usize = 400;

/// How partitions are shared out among the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Assignment {
    /// What the program does by itself.
    Roundrobin,
    CooperativeSticky,
    /// The group protocol of KIP-848.
    Consumer,
}

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Orders {
    pub seed: u64,
    pub plan: Plan,
    pub instances: usize,
    pub assignment: Assignment,
    /// The fault that the program itself is to have; only a build with the feature `seeded-faults` knows any.
    pub seeded_fault: Option<String>,
    /// At least so many raw records.
    pub records_min: usize,
    /// The first instance is never ended, and its memory watched.
    pub spares_first: bool,
    /// Where the history and, after a failure, the logs go.
    pub folder: PathBuf,
}

/// What came of a run.
pub struct Outcome {
    pub records: usize,
    pub faults: BTreeMap<&'static str, usize>,
    pub during: Report,
    pub after: Report,
    pub transactions: Transactions,
    /// What ended the run early, or was wrong besides.
    pub troubles: Vec<String>,
    /// Whether the run ended before all of its load was committed.
    pub is_cut_short: bool,
    pub late_ends: usize,
    pub seconds: u64,
    pub resources: Option<Resources>,
    pub metrics: Metrics,
}

/// Sums over the processes that ran at the end.
#[derive(Debug, Default)]
pub struct Metrics {
    pub aborted: f64,
    pub rebuilds: f64,
    pub rebalances: f64,
}

impl Outcome {
    /// What was found, with how often: nothing where all came out exactly once.
    pub fn findings(&self) -> Vec<(&'static str, usize)> {
        let Outcome { during, after, transactions, troubles, .. } = self;
        let both = |of: fn(&Report) -> &Vec<String>| of(during).len().max(of(after).len());
        // What a run that ended early has not read yet is not lost.
        let lost = if self.is_cut_short { 0 } else { both(|report| &report.lost) };
        let findings = [
            ("lost", lost),
            ("doubled", both(|report| &report.doubled)),
            ("unexpected", both(|report| &report.unexpected)),
            ("wrong", both(|report| &report.wrong)),
            ("out of order", both(|report| &report.out_of_order)),
            ("torn", transactions.torn.len()),
            ("offsets wrong", transactions.offsets_wrong.len()),
            ("troubles", troubles.len()),
        ];
        findings.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    pub fn is_exact(&self) -> bool {
        self.findings().is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} raw records in {} s; faults: {:?}", self.records, self.seconds, self.faults)?;
        write!(f, "read during the faults: {}", self.during)?;
        write!(f, "read afterwards: {}", self.after)?;
        write!(f, "{}", self.transactions)?;
        writeln!(f, "ends of transactions delivered late: {}", self.late_ends)?;
        let Metrics { aborted, rebuilds, rebalances } = self.metrics;
        writeln!(
            f,
            "the last processes: {aborted} transactions aborted, {rebuilds} producers replaced, {rebalances} rebalances"
        )?;
        if let Some(resources) = &self.resources {
            writeln!(f, "{resources}")?;
        }
        for trouble in &self.troubles {
            writeln!(f, "trouble: {trouble}")?;
        }
        Ok(())
    }
}

/// Runs it.
pub fn run(orders: &Orders) -> Outcome {
    fs::create_dir_all(&orders.folder).expect("make the folder of the history");
    let history = History::create(&orders.folder.join("history.jsonl"));
    history.note("run", "starts", json!({ "orders": format!("{orders:?}") }));
    let started_at = Instant::now();
    let cluster = Cluster::start(QUICK).unwrap_or_else(|error| panic!("{error:#}"));
    let scenario = Scenario::on(cluster.kafka, "chaos", PARTITIONS, orders.seed);
    scenario.create_sources(&[]);
    let names: Vec<String> = (0..=orders.instances).map(|number| format!("{}.{number}", scenario.prefix)).collect();
    let mut instances: Vec<Normalizer> = names.iter().map(|name| prepare(&scenario, &cluster, orders, name)).collect();
    let mut guest = instances.pop().expect("one more than the instances");
    instances.iter_mut().for_each(Normalizer::start_again);
    instances.iter_mut().for_each(Normalizer::wait_ready);
    let topics = cluster.kafka.topics(&stream_topic(&scenario.prefix, ""));
    let transactional_ids: Vec<String> = names.iter().map(|name| format!("{name}-0")).collect();
    let (group, alarm) = (scenario.group(), Alarm::default());
    let field = Field {
        cluster: &cluster,
        history: &history,
        group: &group,
        transactional_ids: &transactional_ids[..orders.instances],
        alarm: &alarm,
    };
    let watched = orders.spares_first.then(|| instances[0].process());
    let (is_calm, all_ends) = (AtomicBool::new(false), OnceLock::new());
    let mut rng = Rng::with_seed(orders.seed);
    let [for_processes, for_brokers, for_network, for_reader] = std::array::from_fn(|_| rng.fork());

    let (feed, seen_during, resources, metrics, is_drained) = thread::scope(|threads| {
        let reader = threads.spawn(|| alarm.guard(|| read_during(&scenario, &topics, for_reader, &alarm, &all_ends, &history)));
        let feeder = threads.spawn(|| alarm.guard(|| feed_until_calm(&scenario, orders, &alarm, &is_calm)));
        let watcher =
            threads.spawn(|| watched.map(|process| resources::watch(process, &|| alarm.is_raised() || is_calm.load(Relaxed))));
        thread::scope(|threads| {
            let [after_process, after_broker] = [scenario.progress(), scenario.progress()];
            let (instances, guest, plan) = (&mut instances, &mut guest, &orders.plan);
            let (field, alarm, spares_first) = (&field, &alarm, orders.spares_first);
            threads.spawn(move || {
                alarm.guard(|| harm_processes(field, plan, for_processes, instances, guest, spares_first, &after_process));
            });
            threads.spawn(move || alarm.guard(|| harm_brokers(field, plan, for_brokers, &after_broker)));
            threads.spawn(move || alarm.guard(|| harm_network(field, plan, for_network)));
        });
        is_calm.store(true, Relaxed);
        let feed = feeder.join().expect("feed");
        history.note("run", "calm", json!({ "records": feed.len() }));
        let (metrics, is_drained) = drain(&field, &scenario, &mut instances);
        // What stands there now is all there will be.
        let _ = all_ends.set(ends(cluster.kafka, &topics));
        (feed, reader.join().expect("read during the faults"), watcher.join().expect("watch"), metrics, is_drained)
    });

    let eye = Eye::new(&scenario.prefix);
    let seen_after: Vec<Seen> = scenario.read().into_iter().map(|record| eye.see(record)).collect();
    let expected = Expected::of(&feed, &scenario.prefix);
    let outcome = Outcome {
        records: feed.len(),
        faults: history.faults(),
        during: expected.compare(&seen_during),
        after: expected.compare(&seen_after),
        transactions: Transactions::read(&cluster, &scenario, &seen_after),
        is_cut_short: !is_drained,
        troubles: alarm.causes(),
        late_ends: cluster.proxies.iter().map(Proxy::late_ends_delivered).sum(),
        seconds: started_at.elapsed().as_secs(),
        resources,
        metrics,
    };
    history.note("run", "judged", json!({ "is_exact": outcome.is_exact(), "outcome": outcome.to_string() }));
    if !outcome.is_exact() {
        keep_logs(orders, &cluster, &outcome.transactions, instances.iter().chain([&guest]));
    }
    outcome
}

/// An instance with settings of its own, not started.
fn prepare(scenario: &Scenario, cluster: &Cluster, orders: &Orders, name: &str) -> Normalizer {
    let mut settings = scenario.settings();
    let kafka = &mut settings["kafka"];
    kafka["brokers"] = json!(cluster.proxied);
    kafka["transactional_id_prefix"] = json!(name);
    kafka["producer_options"]["transaction.timeout.ms"] = json!(TRANSACTION_TIMEOUT_MS.to_string());
    kafka["producer_options"]["queue.buffering.max.messages"] = json!(QUEUED_MESSAGES.to_string());
    kafka["options"] = json!({ "reconnect.backoff.max.ms": "1000" });
    match orders.assignment {
        Assignment::Roundrobin => {}
        Assignment::CooperativeSticky => {
            kafka["consumer_options"]["partition.assignment.strategy"] = json!("cooperative-sticky");
        }
        // Its time-outs are those of the brokers.
        Assignment::Consumer => kafka["consumer_options"] = json!({ "group.protocol": "consumer" }),
    }
    settings["delivery"]["commit_interval_ms"] = json!(COMMIT_INTERVAL_MS);
    settings["log"]["level"] = json!("event_normalizer=debug,info");
    // Most of the many streams stay empty in a run, and every partition costs the brokers time at a start.
    settings["topics"]["partitions"] = json!(OUTPUT_PARTITIONS);
    let mut instance = Normalizer::prepare(&settings);
    if let Some(fault) = &orders.seeded_fault {
        instance.set_variable("SEEDED_FAULT", fault);
    }
    instance
}

/// Keeps so many records before the instances that all have work, until the faults are over; returns what was written.
fn feed_until_calm(scenario: &Scenario, orders: &Orders, alarm: &Alarm, is_calm: &AtomicBool) -> Feed {
    let mut load = Load::new(orders.seed, SUBJECTS, 0, now_ms());
    let progress = scenario.progress();
    let mut feed = scenario.feed(Vec::new());
    while !alarm.is_raised() && (!is_calm.load(Relaxed) || feed.len() < orders.records_min) {
        match progress.committed() {
            Some(committed) if feed.len() as i64 - committed < BACKLOG => feed.send_on(load.by_ref().take(SLICE)),
            _ => thread::sleep(BACKLOG_LOOKED_AT_EVERY),
        }
    }
    feed
}

/// Waits until all is committed, and ends the instances; returns whether all was.
fn drain(field: &Field<'_>, scenario: &Scenario, instances: &mut [Normalizer]) -> (Metrics, bool) {
    let progress = scenario.progress();
    let drained = poll(PATIENCE, || {
        start_ended(field, instances);
        let is_drained = progress.lag() == Some(0);
        (is_drained || field.alarm.is_raised()).then_some(is_drained)
    });
    if drained.is_none() {
        let lags = progress.lag_by_partition();
        field.alarm.raise(format!("the group's offsets are not at the ends of the sources after {PATIENCE:?}: {lags:?}"));
    }
    let ready: Vec<_> = instances.iter().filter(|instance| instance.is_ready()).collect();
    let sum = |name, labels: &[_]| ready.iter().map(|instance| instance.metric(name, labels)).sum::<f64>();
    let metrics = Metrics {
        aborted: sum("normalizer_transactions_total", &[("outcome", "aborted")])
            + sum("normalizer_transactions_total", &[("outcome", "fenced")]),
        rebuilds: sum("normalizer_producer_rebuilds_total", &[]),
        rebalances: sum("normalizer_rebalances_total", &[]),
    };
    instances.iter_mut().for_each(|instance| end(field, instance));
    (metrics, drained == Some(true))
}

/// Reads what is committed while the faults fall, from another connection now and then, until `all_ends` are reached. What
/// comes twice raises the alarm at once.
fn read_during(
    scenario: &Scenario,
    topics: &[(String, i32)],
    mut rng: Rng,
    alarm: &Alarm,
    all_ends: &OnceLock<Positions>,
    history: &History,
) -> Vec<Seen> {
    let eye = Eye::new(&scenario.prefix);
    let mut seen = Vec::new();
    let (mut positions, mut known) = (Positions::new(), HashSet::new());
    loop {
        let reader = Reader::start(scenario.kafka, topics, &positions);
        let restart_at = Instant::now() + Duration::from_millis(rng.u64(5_000..20_000));
        while all_ends.get().is_some() || Instant::now() < restart_at {
            let Some(record) = reader.next() else {
                let is_done = all_ends.get().is_some_and(|ends| reader.left(ends).is_empty());
                if is_done || alarm.is_raised() {
                    return seen;
                }
                continue;
            };
            positions.insert((record.topic.clone(), record.partition), record.offset + 1);
            let record = eye.see(record);
            if let Content::Event { own: Some(own), .. } = record.content
                && !known.insert(own)
            {
                history.note("reader", "doubled", json!({ "own": own }));
                alarm.raise(format!("own id {own} was read a second time"));
            }
            seen.push(record);
        }
    }
}

/// What the instances and the brokers printed, beside the history, and the logs that show what was torn.
fn keep_logs<'n>(
    orders: &Orders,
    cluster: &Cluster,
    transactions: &Transactions,
    instances: impl Iterator<Item = &'n Normalizer>,
) {
    for (number, instance) in instances.enumerate() {
        // What was never started has no log.
        let _ = fs::copy(instance.log_file(), orders.folder.join(format!("instance-{number}.log")));
    }
    for node in 0..cluster.count() {
        let _ = fs::copy(cluster.log(node), orders.folder.join(format!("broker-{node}.log")));
    }
    let data = cluster.data(0);
    let shown = transactions.torn_in.iter().map(String::as_str).chain(["__transaction_state-", "__consumer_offsets-"]);
    for segment in shown.flat_map(|partitions| transactions::segments(&data, partitions)) {
        let Ok(name) = segment.strip_prefix(&data) else { continue };
        let copy = orders.folder.join("broker-0").join(name);
        let _ = copy.parent().map(fs::create_dir_all);
        let _ = fs::copy(&segment, copy);
    }
}
