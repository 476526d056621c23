//! The whole job on a real Kafka, beside a raw copy of the same bytes and, where asked, beside what others would use.
//!
//! `make bench` and `make bench-peers` run it and write `benches/RESULTS.md`. Every figure is of the contender's own
//! process, unless it says otherwise. The rounds of a table are interleaved: what disturbs the machine disturbs them all.

mod contender;
mod copy;
mod input;
mod latency;
mod process;
mod report;
mod round;
#[path = "../../tests/support/mod.rs"]
mod support;
mod tables;
mod tools;

use std::env;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser};

#[derive(Parser)]
#[command(name = "job", about = "Benchmarks of the whole job, on a real Kafka")]
enum Order {
    /// The normalizer beside the raw copy, with what can be switched on and off
    Rates(Rounds),
    /// From the write of a raw record to the read of its event, and what a light load costs
    Latency,
    /// From the start of the process to the first event that can be read
    Start,
    /// Memory over ten million events
    Memory,
    /// Workers, processes, results in a body, partitions
    Scaling(Rounds),
    /// The normalizer beside Kafka Streams and Bento
    Peers(Rounds),
    /// Several builds of the program beside each other, to see what a change brings
    Builds {
        builds: Vec<PathBuf>,
        #[command(flatten)]
        rounds: Rounds,
    },
    /// Copies raw records, as a contender
    #[command(hide = true)]
    Copy { settings: PathBuf, output: String },
}

#[derive(Args)]
struct Rounds {
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> Result<()> {
    // Cargo adds an argument of its own.
    match Order::parse_from(env::args().filter(|argument| argument != "--bench")) {
        Order::Rates(Rounds { rounds }) => tables::rates(rounds),
        Order::Latency => tables::latency(),
        Order::Start => tables::start(),
        Order::Memory => tables::memory(),
        Order::Scaling(Rounds { rounds }) => tables::scaling(rounds),
        Order::Peers(Rounds { rounds }) => tables::peers(rounds),
        Order::Builds { builds, rounds: Rounds { rounds } } => tables::builds(&builds, rounds),
        Order::Copy { settings, output } => copy::run(&settings, &output),
    }
}
