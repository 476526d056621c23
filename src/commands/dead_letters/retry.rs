//! `dead-letters retry`: what today's adapters and settings would make of them.

use std::collections::BTreeMap;

use anstream::println;
use bumpalo::Bump;
use clap::Args;
use serde_json::json;

use super::list::position;
use super::which::{Form, Which};
use crate::commands::progress::Progress;
use crate::commands::table::aligned;
use crate::exit::Exit;
use crate::kafka::again::{Again, Second, Unusable};
use crate::kafka::dead_letter::Letter;
use crate::kafka::letters::Letters;
use crate::kafka::worker::Stop;

/// How often the bar is moved.
const STEP: u64 = 1_000;

#[derive(Debug, Args)]
pub(super) struct Retry {
    #[command(flatten)]
    which: Which,
    /// Also print every letter, with what would become of it
    #[arg(long)]
    list: bool,
}

/// What would become of a letter.
struct Verdict {
    /// `event`, `ignored`, `partly`, or why it still fails.
    word: &'static str,
    detail: String,
    events: usize,
    still_fails: bool,
}

impl Verdict {
    fn of(second: Result<Second<'_>, Unusable>) -> Self {
        let second = match second {
            Ok(second) => second,
            Err(unusable) => {
                let detail = unusable.detail().to_owned();
                return Self { word: unusable.name(), detail, events: 0, still_fails: true };
            }
        };
        let events = second.events();
        let detail = second.reject().map(|reject| reject.detail.to_string()).unwrap_or_default();
        let word = match second.reject() {
            Some(reject) if second.fails() => reject.reason.name(),
            // A record of which some items can be read.
            Some(_) => "partly",
            None if events > 0 => "event",
            None => "ignored",
        };
        Self { word, detail, events, still_fails: second.reject().is_some() }
    }
}

impl Retry {
    /// # Errors
    /// The topic can't be read.
    pub(super) fn run(&self) -> Result<Exit, Stop> {
        let settings = self.which.settings()?;
        let letters = Letters::open(&settings)?;
        let selection = self.which.selection();
        let mut again = Again::new(&settings)?;
        let progress = Progress::new();
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let (mut read, mut foreign, mut failing, mut events) = (0, 0u64, 0u64, 0);
        let mut arena = Bump::new();
        letters.each(|letter| {
            read += 1;
            if read % STEP == 0 {
                progress.at(read, letters.len());
            }
            let Some(letter) = letter else {
                foreign += 1;
                return Ok(true);
            };
            if !selection.has(letter) {
                return Ok(true);
            }
            arena.reset();
            again.learn(letter);
            let verdict = Verdict::of(again.normalize(letter, &arena));
            *counts.entry((letter.reason.name(), verdict.word)).or_default() += 1;
            events += verdict.events;
            failing += u64::from(verdict.still_fails);
            if self.list {
                println!("{}", self.line(&letters.topic, letter, &verdict));
            }
            Ok(true)
        })?;
        drop(progress);
        let total: u64 = counts.values().sum();
        if self.which.output == Form::Json {
            let outcomes = counts.iter().map(|((was, now), count)| json!({"reason": was, "today": now, "dead_letters": count}));
            let outcomes: Vec<_> = outcomes.collect();
            let report = json!({
                "dead_letters": total, "events": events, "still_failing": failing, "foreign": foreign, "outcomes": outcomes,
            });
            println!("{}", if self.list { report.to_string() } else { format!("{report:#}") });
        } else {
            let heading = ["set aside as", "today", "dead letters"].map(str::to_owned);
            let rows = counts.iter().map(|((was, now), count)| [(*was).to_owned(), (*now).to_owned(), count.to_string()]);
            if total > 0 {
                println!("{}\n", aligned(&[heading].into_iter().chain(rows).collect::<Vec<_>>()));
            }
            println!("{total} dead letters: {} pass today and give {events} events, {failing} still fail", total - failing);
            if foreign > 0 {
                println!("{foreign} other records are none of this program's and were passed over");
            }
        }
        Ok(if failing == 0 { Exit::Success } else { Exit::Failure })
    }

    fn line(&self, topic: &str, letter: &Letter<'_>, verdict: &Verdict) -> String {
        let position = position(topic, letter.partition, letter.offset);
        let Verdict { word, detail, events, still_fails } = verdict;
        match self.which.output {
            Form::Table => format!("{position}  {}  {word}  {detail}", letter.reason.name()).trim_end().to_owned(),
            Form::Json => json!({
                "position": position, "reason": letter.reason.name(), "today": word, "detail": detail, "events": events,
                "still_fails": still_fails,
            })
            .to_string(),
        }
    }
}
