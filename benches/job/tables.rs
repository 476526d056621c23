//! What stands beside what in each table of the results.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::contender::{Contender, Guarantee, Kind, Setup, Stage, create_outputs};
use crate::input::Input;
use crate::latency::{self, EVENTS_PER_SECOND};
use crate::process::Process;
use crate::report::{Report, cell, median, table};
use crate::round::{Outcome, compare};
use crate::support::kafka::Kafka;
use crate::support::progress::Progress;
use crate::tools;

/// Bodies of one result in a round.
const BODIES: usize = 1_000_000;
/// Results of a long body.
const MANY: usize = 20;
const PARTITIONS: i32 = 6;
const OUTPUTS: &str = "bench.events";
const STARTS: usize = 10;

const AT_LEAST_ONCE: Setup = Setup { guarantee: Guarantee::AtLeastOnce, ..Setup::USUAL };

fn stage_set(results: usize, partitions: i32) -> (&'static Kafka, Input) {
    let kafka = Kafka::shared();
    create_outputs(kafka, OUTPUTS, PARTITIONS);
    let input = Input::write(kafka, "bench.raw", partitions, BODIES / results, results);
    (kafka, input)
}

pub fn rates(rounds: usize) -> Result<()> {
    let report = Report::open();
    for (results, heading) in [(1, "Rates, one result in a body"), (MANY, "Rates, 20 results in a body")] {
        let kafka = Kafka::shared();
        let outputs = format!("bench.{results}");
        create_outputs(kafka, &outputs, PARTITIONS);
        let input = Input::write(kafka, &format!("bench.raw.{results}"), PARTITIONS, BODIES / results, results);
        let one = |setup: Setup| Setup { workers: 1, ..setup };
        let contenders = [
            Contender::copy("raw copy, at least once", AT_LEAST_ONCE),
            Contender::copy("raw copy, exactly once", Setup::USUAL),
            Contender::normalizer("normalizer, exactly once", Setup::USUAL),
            Contender::normalizer("normalizer, at least once", AT_LEAST_ONCE),
            Contender::copy("raw copy, exactly once, 1 worker", one(Setup::USUAL)),
            Contender::normalizer("normalizer, exactly once, 1 worker", one(Setup::USUAL)),
            Contender::normalizer("… no registry frame", Setup { has_registry_frame: false, ..Setup::USUAL }),
            Contender::normalizer("… CloudEvents headers", Setup { has_cloud_events: true, ..Setup::USUAL }),
            Contender::normalizer("… no payload", Setup { has_payload: false, ..Setup::USUAL }),
        ];
        let (mut tools, mut outcomes) = (Vec::new(), vec![Vec::new(); contenders.len()]);
        for _ in 0..rounds {
            tools.push(tools::rate(kafka, &input, &format!("{outputs}.copy"))?);
            for (all, more) in outcomes.iter_mut().zip(compare(kafka, &input, &outputs, &contenders, 1)?) {
                all.extend(more);
            }
        }
        let bodies_per_second = |outcome: &Outcome| outcome.events_per_second / results as f64;
        let over_tools = outcomes[0].iter().zip(&tools).map(|(copy, tools)| bodies_per_second(copy) / tools);
        let ratio = |of: fn(&Outcome) -> f64, [first, second]: [usize; 2]| {
            let pairs = outcomes[first].iter().zip(&outcomes[second]);
            cell(median(pairs.map(|(first, second)| of(first) / of(second))), 2)
        };
        let cpu = |outcome: &Outcome| outcome.cpu_per_million;
        let rate = |outcome: &Outcome| outcome.events_per_second;
        let mut text = rows(&contenders, &outcomes);
        let _ = write!(
            text,
            "\nRatios within a round: CPU over the raw copy at least once {}; rate over the raw copy exactly once {}; \
             rate exactly once over at least once {}.\n\nKafka's own tools, one of which reads the input while the other writes \
             as many records of the same length: {} thousand records/s, by the slower one. The raw copy at least once, which does \
             both: {} of that.\n",
            ratio(cpu, [2, 0]),
            ratio(rate, [2, 1]),
            ratio(rate, [2, 3]),
            cell(median(tools.iter().map(|rate| rate / 1e3)), 0),
            cell(median(over_tools), 2),
        );
        report.write(heading, &text)?;
    }
    Ok(())
}

pub fn peers(rounds: usize) -> Result<()> {
    let (kafka, input) = stage_set(1, PARTITIONS);
    let contenders = [
        Contender::normalizer("normalizer, exactly once", Setup::USUAL),
        Contender::normalizer("normalizer, at least once", AT_LEAST_ONCE),
        Contender::new("Kafka Streams, exactly once", Kind::Streams, Setup::USUAL),
        Contender::new("Kafka Streams, at least once", Kind::Streams, AT_LEAST_ONCE),
        Contender::new("Bento, at least once", Kind::Bento, AT_LEAST_ONCE),
    ];
    let outcomes = compare(kafka, &input, OUTPUTS, &contenders, rounds)?;
    let over_ours = |peer: usize, ours: usize| {
        let pairs = outcomes[peer].iter().zip(&outcomes[ours]);
        cell(median(pairs.map(|(peer, ours)| peer.warm_cpu_per_million / ours.warm_cpu_per_million)), 1)
    };
    let text = format!(
        "{}\nCPU per event of the peer over that of the normalizer, both exactly once and warm, within a round: Kafka Streams {}. \
         Bento at least once over the normalizer exactly once: {}.\n",
        rows(&contenders, &outcomes),
        over_ours(2, 0),
        over_ours(4, 0),
    );
    Report::open().write("Peers", &text)
}

pub fn builds(builds: &[PathBuf], rounds: usize) -> Result<()> {
    let (kafka, input) = stage_set(1, PARTITIONS);
    let of = |build: &PathBuf| Contender {
        build: Some(build.clone()),
        ..Contender::normalizer(&build.to_string_lossy(), Setup::USUAL)
    };
    let contenders: Vec<_> = builds.iter().map(of).collect();
    println!("{}", rows(&contenders, &compare(kafka, &input, OUTPUTS, &contenders, rounds)?));
    Ok(())
}

pub fn scaling(rounds: usize) -> Result<()> {
    let kafka = Kafka::shared();
    create_outputs(kafka, OUTPUTS, 12);
    let mut text = String::new();
    let input = Input::write(kafka, "bench.raw.12", 12, BODIES, 1);
    let setup = |workers, processes| Setup { workers, processes, ..Setup::USUAL };
    let contenders: Vec<_> = [(1, 1), (2, 1), (4, 1), (1, 2), (1, 3)]
        .into_iter()
        .map(|(workers, processes)| {
            Contender::normalizer(&format!("{processes} processes of {workers} workers"), setup(workers, processes))
        })
        .collect();
    text += &rows(&contenders, &compare(kafka, &input, OUTPUTS, &contenders, rounds)?);
    for (partitions, results) in [(12, 5), (12, MANY), (48, 1)] {
        let topic = format!("bench.raw.{partitions}.{results}");
        let input = Input::write(kafka, &topic, partitions, BODIES / results, results);
        let name = format!("{results} results in a body, {partitions} partitions");
        let contenders = [Contender::normalizer(&name, Setup::USUAL)];
        let rows = rows(&contenders, &compare(kafka, &input, OUTPUTS, &contenders, rounds)?);
        text += rows.lines().last().unwrap_or_default();
        text.push('\n');
    }
    Report::open().write("Scaling", &text)
}

fn rows(contenders: &[Contender], outcomes: &[Vec<Outcome>]) -> String {
    let row = |(contender, outcomes): (&Contender, &Vec<Outcome>)| {
        let of = |value: fn(&Outcome) -> f64| median(outcomes.iter().map(value));
        vec![
            contender.name.clone(),
            cell(of(|outcome| outcome.events_per_second / 1e3), 0),
            cell(of(|outcome| outcome.warm_events_per_second / 1e3), 0),
            cell(of(|outcome| outcome.cpu_per_million), 2),
            cell(of(|outcome| outcome.warm_cpu_per_million), 2),
            cell(of(|outcome| outcome.peak_mib), 0),
        ]
    };
    let rows: Vec<_> = contenders.iter().zip(outcomes).map(row).collect();
    let head = [
        "contender",
        "thousand events/s, whole run",
        "warm",
        "CPU s per million events, whole run",
        "warm",
        "peak memory, MiB",
    ];
    table(&head, &rows)
}

pub fn latency() -> Result<()> {
    let kafka = Kafka::shared();
    create_outputs(kafka, OUTPUTS, PARTITIONS);
    let every = |commit_interval_ms| Setup { commit_interval_ms, ..Setup::USUAL };
    let contenders = [
        Contender::normalizer("exactly once, every 20 ms", every(20)),
        Contender::normalizer("exactly once, every 100 ms", every(100)),
        Contender::normalizer("exactly once, every 1,000 ms", every(1_000)),
        Contender::normalizer("at least once, every 100 ms", AT_LEAST_ONCE),
        Contender::copy("raw copy, exactly once, every 100 ms", Setup::USUAL),
    ];
    let mut lines = Vec::new();
    for (number, contender) in contenders.iter().enumerate() {
        let input = Input::write(kafka, &format!("bench.raw.latency.{number}"), PARTITIONS, 0, 1);
        let stage = Stage { kafka, input: &input, outputs: OUTPUTS, group: format!("bench.latency.{number}") };
        let measured = latency::measure(&stage, contender)?;
        eprintln!("{}: {measured:?}", contender.name);
        let figures = [measured.p50, measured.p99, measured.p999, measured.cpu_percent];
        lines.push([vec![contender.name.clone()], figures.map(|figure| format!("{figure:.0}")).to_vec()].concat());
    }
    let text = table(&["contender", "p50, ms", "p99", "p99.9", "CPU, % of a core"], &lines);
    Report::open().write(&format!("Latency at {EVENTS_PER_SECOND} events/s"), &text)
}

pub fn start() -> Result<()> {
    let kafka = Kafka::shared();
    create_outputs(kafka, OUTPUTS, PARTITIONS);
    let input = Input::write(kafka, "bench.raw", PARTITIONS, 1_000, 1);
    let contender = Contender::normalizer("normalizer", Setup::USUAL);
    let start = |number| {
        let stage = Stage { kafka, input: &input, outputs: OUTPUTS, group: format!("bench.start.{number}") };
        latency::first_event(&stage, &contender)
    };
    let seconds: Vec<f64> = (0..STARTS).map(start).collect::<Result<_>>()?;
    let text = format!("{STARTS} starts: {} s.", cell(median(seconds.into_iter()), 2));
    Report::open().write("Start to first committed event", &text)
}

pub fn memory() -> Result<()> {
    const EVENTS: usize = 10_000_000;
    const WITHIN: Duration = Duration::from_secs(900);
    let kafka = Kafka::shared();
    create_outputs(kafka, OUTPUTS, PARTITIONS);
    let input = Input::write(kafka, "bench.raw", 16, EVENTS / MANY, MANY);
    let stage = Stage { kafka, input: &input, outputs: OUTPUTS, group: "bench.memory".to_owned() };
    let progress = Progress::new(kafka, &stage.group, vec![(input.topic.clone(), input.partitions)]);
    let mut processes = Contender::normalizer("normalizer", Setup::USUAL).start(&stage)?;
    let (started_at, mut samples) = (Instant::now(), Vec::new());
    while let committed = progress.committed().unwrap_or_default()
        && committed < input.bodies as i64
    {
        ensure!(started_at.elapsed() < WITHIN, "{committed} bodies within {WITHIN:?}");
        processes.iter_mut().try_for_each(Process::check)?;
        samples.push((committed as f64 / input.bodies as f64, processes[0].memory_mib().0));
        thread::sleep(Duration::from_millis(200));
    }
    let peak = processes[0].memory_mib().1;
    processes.into_iter().try_for_each(Process::end)?;
    let mean = |from: f64, to: f64| {
        let of: Vec<f64> = samples.iter().filter(|(share, _)| (from..to).contains(share)).map(|(_, mib)| *mib).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let (early, late) = (mean(0.1, 0.2), mean(0.9, 1.1));
    let text = format!(
        "{EVENTS} events of bodies with {MANY} results from 16 partitions, 2 workers: {early:.0} MiB on average over the second \
         tenth, {late:.0} over the last ({:+.1} %), {peak:.0} at most.",
        100.0 * (late / early - 1.0)
    );
    Report::open().write("Memory", &text)
}
