//! `dead-letters list`: one a line.

use std::io::{self, BufWriter, Write};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::which::{Form, Which};
use crate::event::Instant;
use crate::exit::Exit;
use crate::kafka::dead_letter::Letter;
use crate::kafka::letters::Letters;
use crate::kafka::worker::Stop;
use crate::vendors;

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
    /// Print at most so many
    #[arg(long)]
    limit: Option<u64>,
}

impl List {
    /// # Errors
    /// The topic can't be read, or standard output fails.
    pub(super) fn run(&self) -> Result<Exit, Stop> {
        let settings = self.which.settings()?;
        let letters = Letters::open(&settings)?;
        let selection = self.which.selection();
        let mut out = BufWriter::new(io::stdout().lock());
        let (mut listed, mut foreign) = (0, 0u64);
        letters.each(|letter| {
            if self.limit.is_some_and(|limit| listed >= limit) {
                return Ok(false);
            }
            match letter {
                Some(letter) if selection.has(letter) => {
                    let line = match self.which.output {
                        Form::Table => line(&letters.topic, letter),
                        Form::Json => json_line(&letters.topic, letter),
                    };
                    // Where nobody reads on there is nothing left to do.
                    if writeln!(out, "{line}").is_err() {
                        return Ok(false);
                    }
                    listed += 1;
                }
                Some(_) => {}
                None => foreign += 1,
            }
            Ok(true)
        })?;
        drop(out.flush().context("standard output"));
        if foreign > 0 {
            eprintln!("{foreign} records are none of this program's and were passed over");
        }
        Ok(Exit::Success)
    }
}

/// Where a letter stands, as `show` takes it.
pub(super) fn position(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}-{partition}-{offset}")
}

pub(super) fn line(topic: &str, letter: &Letter<'_>) -> String {
    let position = position(topic, letter.partition, letter.offset);
    let received_at = Instant(letter.received_at);
    format!("{position}  {received_at}  {}  {}  {}", letter.vendor, letter.reason.name(), letter.detail)
}

fn json_line(topic: &str, letter: &Letter<'_>) -> String {
    json!({
        "position": position(topic, letter.partition, letter.offset),
        "received_at": Instant(letter.received_at).to_string(),
        "vendor": letter.vendor,
        "event": letter.event(vendors::find(letter.vendor)),
        "reason": letter.reason.name(),
        "detail": letter.detail,
        "source": { "topic": letter.source_topic, "partition": letter.source_partition, "offset": letter.source_offset },
        "item": letter.item,
        "items": letter.items,
        "is_whole_record": letter.is_whole,
        "has_payload": letter.payload.is_some(),
        "version": letter.version,
    })
    .to_string()
}
