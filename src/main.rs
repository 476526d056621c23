//! The command line: one arm per subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use event_normalizer::commands::{catalogue, check, dead_letters, demo, run, schema, translate};
use event_normalizer::exit::Exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Reads vendors' messaging webhooks from Kafka and publishes one Avro envelope per event, exactly once
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the job
    Run(run::Run),
    /// Run the job on an embedded broker with sample payloads; nothing to install
    Demo(demo::Demo),
    /// Translate one vendor body from stdin to JSON on stdout, offline
    Translate(translate::Translate),
    /// Print what is understood: vendor, channel, event and format, with event type and stream
    Catalogue(catalogue::Catalogue),
    /// Check settings, brokers, topics and schema registry before a deploy
    Check(check::Check),
    /// See what was set aside, and work it off: summary, list, show, retry, replay
    DeadLetters(dead_letters::DeadLetters),
    /// Print the envelope's schema, or check and register it at a schema registry
    Schema(schema::Schema),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(run) => run.run(),
        Command::Demo(demo) => demo.run(),
        Command::Translate(translate) => translate.run(),
        Command::Catalogue(catalogue) => catalogue.run(),
        Command::Check(check) => check.run(),
        Command::DeadLetters(dead_letters) => dead_letters.run(),
        Command::Schema(schema) => schema.run(),
    };
    let exit = result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Internal
    });
    exit.into()
}
