//! Exactly once under faults: three brokers, several instances, and everything that can befall them.
//!
//! Without arguments this is a test like any other: the slice that fits into every test run. With `run`, `faults` or
//! `recovery` it does more, and says what came of it: `cargo test --test chaos -- run --help`.

mod alarm;
mod cluster;
mod history;
mod ledger;
mod nemesis;
mod recovery;
mod resources;
mod run;
#[path = "../support/mod.rs"]
mod support;
mod transactions;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use libtest_mimic::{Arguments, Failed, Trial};

use nemesis::Plan;
use run::{Assignment, Orders};

/// Raw records that a slice has at least.
const SLICE_RECORDS: usize = 200_000;

/// Faults that the program can be given on purpose, by their names in `src/kafka/fault.rs`.
const SEEDED_FAULTS: [&str; 10] = [
    "offsets-early",
    "offsets-late",
    "offsets-outside",
    "abort-skipped",
    "rewind-skipped",
    "revoke-ignored",
    "lost-committed",
    "dirty-kept",
    "dead-letter-outside",
    "group-stale",
];
/// A seeded fault must be found within so many slices.
const SEEDS_MAX: usize = 3;

/// What can be asked for beside the test.
#[derive(Parser)]
#[command(name = "chaos")]
enum Command {
    /// Run the program under faults and judge what comes out
    Run(Run),
    /// Give the program one fault after the other, and see that the slice finds each; needs the feature `seeded-faults`
    Faults(Faults),
    /// Measure how long the output of a killed instance's partitions stands still, with the defaults
    Recovery(recovery::Recovery),
}

#[derive(Args)]
struct Run {
    /// Repeats the load and the order of the faults of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// How often the slice's faults are dealt
    #[arg(long, default_value_t = 1)]
    slices: usize,
    /// How many such runs, each with a seed of its own
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Instances of the program
    #[arg(long, default_value_t = 2)]
    instances: usize,
    /// How partitions are shared out
    #[arg(long, value_enum, default_value_t = Assignment::Roundrobin)]
    assignment: Assignment,
    /// Only restarts, joins and leaves, to compare assignments
    #[arg(long)]
    moves: bool,
    /// Never end the first instance, and watch its memory
    #[arg(long)]
    spare_first: bool,
    /// Add the runs to the ledger
    #[arg(long)]
    ledger: bool,
}

#[derive(Args)]
struct Faults {
    /// Only these
    names: Vec<String>,
}

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("run" | "faults" | "recovery" | "help") => match Command::parse() {
            Command::Run(run) => run.run(),
            Command::Faults(faults) => faults.run(),
            Command::Recovery(recovery) => recovery.run(),
        },
        _ => libtest_mimic::run(&Arguments::from_args(), vec![Trial::test("slice", slice)]).exit_code(),
    }
}

/// The orders of one slice.
fn orders(seed: u64) -> Orders {
    eprintln!("EVENT_NORMALIZER_TEST_SEED={seed} makes the same load and order of faults again");
    Orders {
        seed,
        plan: Plan::SLICE,
        instances: 2,
        assignment: Assignment::Roundrobin,
        seeded_fault: None,
        records_min: SLICE_RECORDS,
        spares_first: false,
        folder: folder(),
    }
}

fn slice() -> Result<(), Failed> {
    let seed = env::var("EVENT_NORMALIZER_TEST_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
    let orders = orders(seed.unwrap_or_else(|| fastrand::u64(..)));
    let outcome = run::run(&orders);
    eprintln!("{outcome}");
    if outcome.is_exact() { Ok(()) } else { Err(format!("not exactly once; see {}", orders.folder.display()).into()) }
}

impl Run {
    fn run(&self) -> ExitCode {
        let mut is_exact = true;
        for run in 0..self.runs {
            let seed = self.seed.map_or_else(|| fastrand::u64(..), |seed| seed + run as u64);
            let orders = Orders {
                plan: if self.moves { Plan::MOVES } else { Plan::SLICE }.times(self.slices),
                instances: self.instances,
                assignment: self.assignment,
                records_min: SLICE_RECORDS * self.slices,
                spares_first: self.spare_first,
                ..orders(seed)
            };
            let outcome = run::run(&orders);
            println!("{outcome}history: {}\n", orders.folder.display());
            if self.ledger {
                ledger::add(&orders, &outcome);
            }
            is_exact &= outcome.is_exact();
        }
        if is_exact { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl Faults {
    fn run(&self) -> ExitCode {
        let chosen = |name: &&str| self.names.is_empty() || self.names.iter().any(|chosen| chosen == name);
        let mut are_all_found = true;
        for name in SEEDED_FAULTS.into_iter().filter(chosen) {
            let mut found = None;
            for attempt in 1..=SEEDS_MAX {
                let orders = Orders { seeded_fault: Some(name.to_owned()), ..orders(fastrand::u64(..)) };
                let outcome = run::run(&orders);
                if !outcome.is_exact() {
                    found = Some((attempt, outcome));
                    break;
                }
            }
            match found {
                Some((attempt, outcome)) => {
                    let (seconds, findings) = (outcome.seconds, outcome.findings());
                    println!(
                        "{name}: found with seed {attempt} of {SEEDS_MAX} in {seconds} s: {findings:?} {:?}",
                        outcome.troubles
                    );
                }
                None => {
                    println!("{name}: NOT FOUND with {SEEDS_MAX} seeds");
                    are_all_found = false;
                }
            }
        }
        if are_all_found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Where the history goes; under `target`, so that it outlives the run.
fn folder() -> PathBuf {
    let name = format!("chaos/{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S"));
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}
