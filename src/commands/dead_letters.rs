//! `dead-letters`: what was set aside, why, and how it gets out again.

mod list;
mod replay;
mod retry;
mod show;
mod summary;
mod which;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::kafka::worker::Stop;

#[derive(Debug, Args)]
pub struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count them by reason, vendor, event, raw topic and hour
    Summary(summary::Summary),
    /// Print one a line: position, time received, vendor, reason, detail
    List(list::List),
    /// Print one, with its headers and its body
    Show(show::Show),
    /// Say what today's adapters and settings would make of them; publishes nothing, exit code 1 if any still fails
    Retry(retry::Retry),
    /// Publish what today's adapters and settings make of them, each once
    Replay(replay::Replay),
}

impl DeadLetters {
    /// # Errors
    /// A fault of the program.
    pub fn run(&self) -> Result<Exit> {
        let done = match &self.command {
            Command::Summary(summary) => summary.run(),
            Command::List(list) => list.run(),
            Command::Show(show) => show.run(),
            Command::Retry(retry) => retry.run(),
            Command::Replay(replay) => replay.run(),
        };
        Ok(done.unwrap_or_else(|Stop { exit, error }| {
            eprintln!("error: {error:#}");
            exit
        }))
    }
}
