//! `catalogue`: what is understood.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::table::aligned;
use crate::event::Stream;
use crate::exit::Exit;
use crate::vendors::{ADAPTERS, Adapter, Row};

#[derive(Debug, Args)]
pub struct Catalogue {
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Tsv,
    Json,
}

/// A line of the catalogue.
#[derive(Debug, Serialize)]
struct Line {
    vendor: &'static str,
    channel: &'static str,
    event: &'static str,
    format: &'static str,
    event_type: &'static str,
    stream: &'static str,
    /// What the event name implies, as `name=value`, joined by semicolons.
    attributes: String,
}

const HEADINGS: [&str; 7] = ["vendor", "channel", "event", "format", "event_type", "stream", "attributes"];

impl Line {
    fn of(adapter: &Adapter, row: &Row) -> Self {
        Self {
            vendor: adapter.vendor,
            channel: row.channel.slug(),
            event: row.event,
            format: row.format.unwrap_or_default(),
            event_type: row.event_type.0,
            stream: Stream::of(row.channel, row.event_type).map_or("", Stream::name),
            attributes: row.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";"),
        }
    }

    fn cells(&self) -> [&str; 7] {
        [self.vendor, self.channel, self.event, self.format, self.event_type, self.stream, &self.attributes]
    }
}

impl Catalogue {
    /// Prints every row of every vendor.
    ///
    /// # Errors
    /// Standard output fails.
    pub fn run(&self) -> Result<Exit> {
        let lines: Vec<_> =
            ADAPTERS.into_iter().flat_map(|adapter| adapter.rows.iter().map(|row| Line::of(adapter, row))).collect();
        let text = match self.output {
            Output::Json => serde_json::to_string_pretty(&lines)?,
            Output::Tsv => rows(&lines).iter().map(|cells| cells.join("\t")).collect::<Vec<_>>().join("\n"),
            Output::Table => aligned(&rows(&lines)),
        };
        writeln!(io::stdout().lock(), "{text}").context("standard output")?;
        Ok(Exit::Success)
    }
}

fn rows(lines: &[Line]) -> Vec<[String; 7]> {
    let all = [HEADINGS].into_iter().chain(lines.iter().map(Line::cells));
    all.map(|cells| cells.map(str::to_owned)).collect()
}
