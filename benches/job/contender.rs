//! What is measured, and how it is started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use event_normalizer::event::Stream;
use serde_json::{Value, json};

use crate::input::Input;
use crate::process::Process;
use crate::support::kafka::Kafka;

/// No registry is asked for it.
pub const SCHEMA_ID: u32 = 7;

/// Names and topics of one run.
pub struct Stage<'s> {
    pub kafka: &'static Kafka,
    pub input: &'s Input,
    /// Begins the names of all output topics.
    pub outputs: &'s str,
    /// The consumer group; no other run has it.
    pub group: String,
}

impl Stage<'_> {
    pub fn events_topic(&self) -> String {
        format!("{}.sms", self.outputs)
    }

    pub fn dead_letters_topic(&self) -> String {
        format!("{}.dead-letters", self.outputs)
    }

    pub fn copy_topic(&self) -> String {
        format!("{}.copy", self.outputs)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
}

impl Guarantee {
    pub fn name(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly-once",
            Self::AtLeastOnce => "at-least-once",
        }
    }
}

/// The normalizer or the raw copy, with what can be switched.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub guarantee: Guarantee,
    pub workers: usize,
    pub processes: usize,
    pub commit_interval_ms: u64,
    pub has_registry_frame: bool,
    pub has_cloud_events: bool,
    pub has_payload: bool,
}

impl Setup {
    /// As in production.
    pub const USUAL: Self = Self {
        guarantee: Guarantee::ExactlyOnce,
        workers: 2,
        processes: 1,
        commit_interval_ms: 100,
        has_registry_frame: true,
        has_cloud_events: false,
        has_payload: true,
    };

    fn settings(&self, stage: &Stage<'_>, process: usize) -> Value {
        let mut settings = json!({
            "kafka": {
                "brokers": stage.kafka.brokers(),
                "group": stage.group,
                "transactional_id_prefix": format!("{}-{process}", stage.group),
            },
            "sources": [{ "topic": stage.input.topic, "vendor": "infobip", "channel": "sms" }],
            "topics": { "template": format!("{}.{{stream}}", stage.outputs), "dead_letters": stage.dead_letters_topic() },
            "delivery": {
                "guarantee": self.guarantee.name(),
                "workers": self.workers,
                "commit_interval_ms": self.commit_interval_ms,
            },
            "envelope": { "payload": if self.has_payload { "item" } else { "none" }, "cloud_events": self.has_cloud_events },
            "admin": { "address": "127.0.0.1:0" },
        });
        if self.has_registry_frame {
            settings["schema_registry"] = json!({ "url": "http://127.0.0.1:1", "schema_id": SCHEMA_ID });
        }
        settings
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Normalizer,
    Copy,
    Streams,
    Bento,
}

/// A program that reads the input, with a name for the table.
#[derive(Debug, Clone)]
pub struct Contender {
    pub name: String,
    pub kind: Kind,
    pub setup: Setup,
    /// Another build of the normalizer than this one's.
    pub build: Option<PathBuf>,
}

impl Contender {
    pub fn new(name: &str, kind: Kind, setup: Setup) -> Contender {
        Contender { name: name.to_owned(), kind, setup, build: None }
    }

    pub fn normalizer(name: &str, setup: Setup) -> Contender {
        Self::new(name, Kind::Normalizer, setup)
    }

    pub fn copy(name: &str, setup: Setup) -> Contender {
        Self::new(name, Kind::Copy, setup)
    }

    pub fn start(&self, stage: &Stage<'_>) -> Result<Vec<Process>> {
        (0..self.setup.processes).map(|process| self.start_one(stage, process)).collect()
    }

    fn start_one(&self, stage: &Stage<'_>, process: usize) -> Result<Process> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("settings.yaml");
        let command = match self.kind {
            Kind::Normalizer | Kind::Copy => {
                // JSON is YAML too.
                fs::write(&file, serde_json::to_string(&self.setup.settings(stage, process))?)?;
                if matches!(self.kind, Kind::Normalizer) {
                    let mut command = Command::new(self.build.clone().map_or_else(program, Ok)?);
                    command.arg("run").arg("--settings").arg(&file);
                    command
                } else {
                    let mut command = Command::new(env::current_exe()?);
                    command.arg("copy").arg(&file).arg(stage.copy_topic());
                    command
                }
            }
            Kind::Streams => self.peer(stage, "streams/run", folder.path()),
            Kind::Bento => self.peer(stage, "bento/run", folder.path()),
        };
        Process::start(command, folder)
    }

    fn peer(&self, stage: &Stage<'_>, script: &str, folder: &Path) -> Command {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(project.join("benches/peers").join(script));
        command
            .env("BROKERS", stage.kafka.brokers())
            .env("GROUP", &stage.group)
            .env("INPUT", &stage.input.topic)
            .env("EVENTS", stage.events_topic())
            .env("DEAD_LETTERS", stage.dead_letters_topic())
            .env("SCHEMA", project.join("schemas/envelope.avsc"))
            .env("SCHEMA_ID", SCHEMA_ID.to_string())
            .env("GUARANTEE", self.setup.guarantee.name())
            .env("COMMIT_INTERVAL_MS", self.setup.commit_interval_ms.to_string())
            .env("THREADS", self.setup.workers.to_string())
            .current_dir(folder);
        command
    }
}

/// The release build of the program, which `make bench` makes first.
fn program() -> Result<PathBuf> {
    if let Some(named) = env::var_os("EVENT_NORMALIZER_BINARY") {
        return Ok(named.into());
    }
    let found = Path::new(env!("CARGO_BIN_EXE_event-normalizer"));
    ensure!(found.exists(), "the program is missing: make bench builds it");
    Ok(found.to_owned())
}

/// Makes the output topics, which keep no more than what one run writes.
pub fn create_outputs(kafka: &Kafka, outputs: &str, partitions: i32) {
    let config = [("retention.bytes", "402653184"), ("segment.bytes", "67108864")];
    let streams = Stream::all().map(|stream| stream.name().to_owned());
    for name in streams.chain(["dead-letters".to_owned(), "copy".to_owned()]) {
        kafka.create_topic(&format!("{outputs}.{name}"), partitions, &config);
    }
}
