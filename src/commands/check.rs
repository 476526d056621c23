//! `check`: settings, brokers, topics, rights and schema registry, before a deploy.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anstream::println;
use anyhow::Result;
use clap::Args;

use super::schema;
use crate::avro::Encoder;
use crate::exit::Exit;
use crate::kafka::{rights, topics};
use crate::settings::{Settings, Source};
use crate::vendors;

#[derive(Debug, Args)]
pub struct Check {
    /// Settings file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Check the settings alone, without brokers and registry
    #[arg(long)]
    offline: bool,
}

impl Check {
    /// Prints what was found; the exit code is for a pipeline.
    ///
    /// # Errors
    /// A fault of the program.
    pub fn run(&self) -> Result<Exit> {
        let settings = match Settings::read(self.settings.as_deref()) {
            Ok(settings) => settings,
            Err(error) => {
                eprintln!("error: {error:#}");
                return Ok(Exit::Settings);
            }
        };
        Encoder::verified()?;
        println!("settings: {} sources, {} streams", settings.sources.len(), settings.stream_topics().len());
        for source in &settings.sources {
            for warning in warnings(source) {
                println!("warning: {}: {warning}", source.topic);
            }
        }
        if self.offline {
            return Ok(Exit::Success);
        }
        let brokers = look_at_brokers(&settings);
        // Both are told, since they are often mended by different people.
        let registry = settings.schema_registry.as_ref().map(|registry| schema::look(&settings, registry));
        Ok(if brokers == Exit::Success { registry.unwrap_or(Exit::Success) } else { brokers })
    }
}

fn look_at_brokers(settings: &Settings) -> Exit {
    let found = match topics::look(settings) {
        Ok(found) => found,
        Err(error) => {
            tell(&error.to_string());
            return error.exit();
        }
    };
    println!("brokers: {} answer", settings.kafka.brokers);
    println!("topics: {} found", found.len());
    let outputs: BTreeSet<_> = topics::outputs(settings).collect();
    let missing: Vec<_> = outputs.iter().filter(|topic| !found.contains_key(*topic)).collect();
    if !missing.is_empty() {
        println!("topics: {} will be created", missing.len());
    }
    // What is not there yet can't be asked for.
    let there = outputs.iter().filter(|topic| found.contains_key(*topic)).cloned().collect();
    match rights::missing(settings, &there) {
        Ok(missing) if missing.is_empty() => {
            println!("rights: none is missing");
            Exit::Success
        }
        Ok(missing) => {
            tell(&rights::lines(&missing));
            Exit::NoPermission
        }
        Err(error) => {
            tell(&format!("the rights can't be told: {error:#}"));
            Exit::Failure
        }
    }
}

/// One line for each fault. What goes on in another line belongs to the one before.
fn tell(text: &str) {
    for line in text.lines() {
        let is_continued = line.starts_with(' ');
        eprintln!("{}{line}", if is_continued { "" } else { "error: " });
    }
}

/// What can become a dead letter or an assumed zone for want of a setting.
fn warnings(source: &Source) -> Vec<&'static str> {
    let Some(adapter) = vendors::find(&source.vendor) else { return Vec::new() };
    let has_channel = source.channel.is_some() || source.format.is_some() || source.hint_headers.channel.is_some();
    let mut warnings = Vec::new();
    if adapter.has_ambiguous_channels && !has_channel {
        warnings.push(
            "some bodies don't tell their channel and become dead letters ambiguous_channel: set channel, or hint_headers",
        );
    }
    if adapter.has_local_times && source.zone.is_none() {
        warnings.push("some times have no zone and are read as UTC: set zone");
    }
    warnings
}
