//! `check`: settings, brokers, topics and schema registry, before a deploy.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::schema;
use crate::avro::Encoder;
use crate::exit::Exit;
use crate::kafka::topics::{self, TopicError};
use crate::settings::{Settings, Source, Topics};
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
    let read_only = Settings { topics: Topics { create: false, ..settings.topics.clone() }, ..settings.clone() };
    match topics::ensure(&read_only) {
        Ok(found) => {
            println!("brokers: {} answer", settings.kafka.brokers);
            println!("topics: {} found", found.len());
            Exit::Success
        }
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                TopicError::Unreachable(_) | TopicError::Created(_) => Exit::Failure,
                TopicError::NoPermission(_) => Exit::NoPermission,
                TopicError::Missing(_) | TopicError::Refused(_) => Exit::Settings,
            }
        }
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
