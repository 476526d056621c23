//! `demo`: the job on an embedded in-process broker, with sample payloads.

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;

#[derive(Debug, Args)]
pub struct Demo {
    /// End after the samples
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub fn run(&self) -> Result<Exit> {
        Ok(Exit::Success)
    }
}
