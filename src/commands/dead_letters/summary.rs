//! `dead-letters summary`: how many, of what, since when.

use std::collections::BTreeMap;

use anstream::println;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::which::{Form, Which};
use crate::commands::progress::Progress;
use crate::commands::table::aligned;
use crate::event::Instant;
use crate::exit::Exit;
use crate::kafka::dead_letter::Letter;
use crate::kafka::letters::Letters;
use crate::kafka::worker::Stop;
use crate::vendors;

/// Names of events that no catalogue has are the senders' own: so many are told apart.
const EVENTS_MAX: usize = 1_000;
const OTHER_EVENTS: &str = "(other)";
const NO_EVENT: &str = "(not told)";
/// How often the bar is moved.
const STEP: u64 = 1_000;

#[derive(Debug, Args)]
pub(super) struct Summary {
    #[command(flatten)]
    which: Which,
}

/// What was counted.
#[derive(Debug, Default, Serialize)]
struct Counts {
    dead_letters: u64,
    /// Records of the topic that are no dead letters of ours.
    foreign: u64,
    without_payload: u64,
    #[serde(skip)]
    received_at: Option<(i64, i64)>,
    by_reason: BTreeMap<String, u64>,
    by_vendor: BTreeMap<String, u64>,
    by_event: BTreeMap<String, u64>,
    by_topic: BTreeMap<String, u64>,
    by_hour: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, letter: &Letter<'_>) {
        fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
            if let Some(count) = counts.get_mut(name) {
                *count += 1;
            } else {
                counts.insert(name.to_owned(), 1);
            }
        }
        self.dead_letters += 1;
        self.without_payload += u64::from(letter.payload.is_none());
        let (oldest, newest) = self.received_at.unwrap_or((letter.received_at, letter.received_at));
        self.received_at = Some((oldest.min(letter.received_at), newest.max(letter.received_at)));
        count(&mut self.by_reason, letter.reason.name());
        count(&mut self.by_vendor, letter.vendor);
        let event = letter.event(vendors::find(letter.vendor));
        let event = event.as_deref().unwrap_or(NO_EVENT);
        let is_told = self.by_event.len() < EVENTS_MAX || self.by_event.contains_key(event);
        count(&mut self.by_event, if is_told { event } else { OTHER_EVENTS });
        count(&mut self.by_topic, letter.source_topic);
        count(&mut self.by_hour, &hour(letter.received_at));
    }
}

/// The hour of a time, in UTC.
fn hour(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.strftime("%Y-%m-%dT%HZ").to_string())
}

impl Summary {
    /// # Errors
    /// The topic can't be read.
    pub(super) fn run(&self) -> Result<Exit, Stop> {
        let settings = self.which.settings()?;
        let letters = Letters::open(&settings)?;
        let selection = self.which.selection();
        let progress = Progress::new();
        let (mut counts, mut read) = (Counts::default(), 0);
        letters.each(|letter| {
            match letter {
                Some(letter) if selection.has(letter) => counts.add(letter),
                Some(_) => {}
                None => counts.foreign += 1,
            }
            read += 1;
            if read % STEP == 0 {
                progress.at(read, letters.len());
            }
            Ok(true)
        })?;
        drop(progress);
        match self.which.output {
            Form::Json => println!("{:#}", json(&letters.topic, &counts)?),
            Form::Table => print(&letters.topic, &counts),
        }
        Ok(Exit::Success)
    }
}

fn json(topic: &str, counts: &Counts) -> anyhow::Result<serde_json::Value> {
    let mut value = serde_json::to_value(counts)?;
    let [oldest, newest] =
        [0, 1].map(|newest| counts.received_at.map(|times| Instant(if newest == 1 { times.1 } else { times.0 }).to_string()));
    if let Some(object) = value.as_object_mut() {
        object.insert("topic".to_owned(), json!(topic));
        object.insert("oldest".to_owned(), json!(oldest));
        object.insert("newest".to_owned(), json!(newest));
    }
    Ok(value)
}

fn print(topic: &str, counts: &Counts) {
    let Counts { dead_letters, foreign, without_payload, .. } = counts;
    match counts.received_at {
        None => println!("{topic}: 0 dead letters"),
        Some((oldest, newest)) => {
            println!("{topic}: {dead_letters} dead letters, received from {} to {}", Instant(oldest), Instant(newest));
        }
    }
    if *without_payload > 0 {
        println!("{without_payload} have headers only and can't be replayed");
    }
    if *foreign > 0 {
        println!("{foreign} other records are none of this program's and were passed over");
    }
    for (name, by, is_by_count) in [
        ("reason", &counts.by_reason, true),
        ("vendor", &counts.by_vendor, true),
        ("event", &counts.by_event, true),
        ("raw topic", &counts.by_topic, true),
        ("hour received", &counts.by_hour, false),
    ] {
        let mut rows: Vec<_> = by.iter().collect();
        if is_by_count {
            rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        }
        if rows.is_empty() {
            continue;
        }
        let heading = [[name.to_owned(), "dead letters".to_owned()]];
        let rows = rows.into_iter().map(|(name, count)| [name.clone(), count.to_string()]);
        println!("\n{}", aligned(&heading.into_iter().chain(rows).collect::<Vec<_>>()));
    }
}
