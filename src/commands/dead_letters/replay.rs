//! `dead-letters replay`: what passes today is published.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use anstream::println;
use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::list::position;
use super::which::{Form, Which};
use crate::avro::Encoder;
use crate::commands::progress::Progress;
use crate::commands::run;
use crate::event::Stream;
use crate::exit::Exit;
use crate::kafka::replay::{self, Plan, Report};
use crate::kafka::worker::Stop;
use crate::registry::{self, RegistryError};
use crate::settings::Settings;

const LONG_HELP: &str = "\
Reads the selected dead letters up to where the topic ends now, normalizes each with today's adapters and settings and with the
hints that it carries, and publishes what passes. The envelope is the one that would have been made the first time, byte for
byte. Channel, event and format that a letter does not carry are taken from today's settings of its source, which is how
ambiguous_channel is cured.

What still fails is listed and left behind: the exit code is 1, and the next replay of the same selection tries it again. Of a
record with several items of which some pass, the events are published, and each item that fails becomes a dead letter of its
own, as it would have been the first time.

Each selection (--since, --until, --reason, --vendor, --topic) has a position of its own, in a consumer group that is named after
it. Events and position are committed in one transaction: a replay may be ended at any time, by kill -9 too, and the next one
goes on from there; a selection that is replayed twice publishes nothing twice. --to-source shares that position.

Limits:
- Selections that overlap know nothing of each other. What two of them have in common is published by both: readers see the
  same event_id again.
- Kafka forgets the position of a group seven days after its last commit (offsets.retention.minutes). After that the selection
  begins anew, and publishes again what is still in the topic.
- What is left behind is kept as ranges in the committed offset's metadata, which has room for about 1,400 changes between
  letters that pass and letters that fail, by partition. A partition that needs more stops there, and the replay says so.
- Of two replays of one selection at once, the later one goes on and the earlier one ends, with exit code 75.";

#[derive(Debug, Args)]
#[command(after_long_help = LONG_HELP)]
pub(super) struct Replay {
    #[command(flatten)]
    which: Which,
    /// Publish and commit nothing; say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Work off at most so many
    #[arg(long)]
    limit: Option<u64>,
    /// Work off at most so many a second
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<NonZeroU32>,
    /// Put the original bytes back on their raw topic instead, with the original key and headers; only for whole records
    #[arg(long)]
    to_source: bool,
}

impl Replay {
    /// # Errors
    /// The replay gave up; what was committed stays.
    pub(super) fn run(&self) -> Result<Exit, Stop> {
        if self.which.has_relative_time() {
            let error = anyhow!("--since, --until: expected a fixed time, since the replay's position is named after it");
            return Err(Stop { exit: Exit::Usage, error });
        }
        let settings = self.which.settings()?;
        let selection = self.which.selection();
        let encoders = if self.to_source || self.dry_run { BTreeMap::new() } else { encoders(&settings)? };
        let single = Encoder::verified()?;
        let plan = Plan {
            settings: &settings,
            selection: &selection,
            limit: self.limit,
            rate: self.rate,
            to_source: self.to_source,
            is_dry: self.dry_run,
        };
        let progress = Progress::new();
        let encoder = |stream| encoders.get(&stream).copied().unwrap_or(single);
        let report = replay::replay(&plan, encoder, &|done, total| progress.at(done, total))?;
        drop(progress);
        let group = replay::group(&settings, &selection);
        match self.which.output {
            Form::Json => println!("{:#}", json(&settings, &group, &report)),
            Form::Table => self.print(&settings, &group, &report),
        }
        let is_clean = report.left.is_empty() && report.stopped.is_empty() && report.set_aside == 0;
        Ok(if is_clean { Exit::Success } else { Exit::Failure })
    }

    fn print(&self, settings: &Settings, group: &str, report: &Report) {
        let topic = &settings.topics.dead_letters;
        let Report { worked_off, events, ignored, put_back, set_aside, foreign, left, stopped, is_continued } = report;
        for left in left {
            println!("{}  {}  {}", position(topic, left.partition, left.offset), left.reason, left.detail);
        }
        let begun = if *is_continued { "went on from its position" } else { "had no position yet" };
        println!("selection {group}: {begun}");
        let [worked_off_as, given] = if self.dry_run { ["would be", "would give"] } else { ["are", "gave"] };
        if self.to_source {
            println!("{put_back} records {worked_off_as} put back on their raw topics");
        } else {
            println!("{worked_off} dead letters {worked_off_as} worked off: they {given} {events} events");
        }
        for (count, text) in [
            (*ignored, "items are ignored on purpose today"),
            (*set_aside, "items of such records still fail: new dead letters"),
            (*foreign, "records are none of this program's and were passed over"),
        ] {
            if count > 0 {
                println!("{count} {text}");
            }
        }
        println!("{} still fail and stay for the next replay of this selection", left.len());
        for partition in stopped {
            println!("{topic}-{partition}: stopped, its position has no room for more of what is left behind");
        }
    }
}

fn json(settings: &Settings, group: &str, report: &Report) -> serde_json::Value {
    let topic = &settings.topics.dead_letters;
    let Report { worked_off, events, ignored, put_back, set_aside, foreign, left, stopped, is_continued } = report;
    let left: Vec<_> = left
        .iter()
        .map(|left| {
            let position = position(topic, left.partition, left.offset);
            json!({"position": position, "reason": left.reason, "detail": left.detail})
        })
        .collect();
    json!({
        "group": group,
        "continued": is_continued,
        "worked_off": worked_off,
        "events": events,
        "ignored": ignored,
        "put_back": put_back,
        "set_aside": set_aside,
        "foreign": foreign,
        "still_failing": left.len(),
        "left": left,
        "stopped_partitions": stopped,
    })
}

/// The encoder of each stream where a registry frames its values, as the job itself has them.
fn encoders(settings: &Settings) -> Result<BTreeMap<Stream, Encoder>, Stop> {
    let Some(registry) = &settings.schema_registry else { return Ok(BTreeMap::new()) };
    let ids = registry::ids(settings, registry, None).map_err(|error| {
        let exit = match error {
            RegistryError::Unreachable(_) | RegistryError::Refused(_) => Exit::Failure,
            RegistryError::NoPermission(_) => Exit::NoPermission,
            RegistryError::NotRegistered(_) => Exit::Settings,
        };
        Stop { exit, error: anyhow!("{error}") }
    })?;
    Ok(run::with_ids(settings, registry, &ids, Encoder::verified()?)?)
}
