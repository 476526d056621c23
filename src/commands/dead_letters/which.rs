//! Which dead letters, and in which form: what all subcommands share.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::event::Instant;
use crate::exit::Exit;
use crate::kafka::selection::Selection;
use crate::kafka::worker::Stop;
use crate::logs;
use crate::reject::Reason;
use crate::settings::{Log, Settings};
use crate::vendors;

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Settings file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Received at this time or later: 2026-03-03T14:00:00Z, 2026-03-03 (UTC), or so long ago, as 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<When>,
    /// Received before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<When>,
    /// Set aside for this reason; several separated by commas
    #[arg(long, value_delimiter = ',', value_parser = reason)]
    reason: Vec<Reason>,
    /// Of this vendor; several separated by commas
    #[arg(long, value_delimiter = ',', value_parser = vendor)]
    vendor: Vec<&'static str>,
    /// Of this raw topic; several separated by commas
    #[arg(long, value_delimiter = ',')]
    topic: Vec<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Table,
    Json,
}

/// A time as it was given.
#[derive(Debug, Clone, Copy)]
struct When {
    at: Instant,
    /// Counted from now, so that it is another time in the next call.
    is_relative: bool,
}

impl Which {
    /// # Errors
    /// The settings can't be used.
    pub(super) fn settings(&self) -> Result<Settings, Stop> {
        settings(self.settings.as_deref())
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            since: self.since.map(|since| since.at),
            until: self.until.map(|until| until.at),
            reasons: self.reason.clone(),
            vendors: self.vendor.clone(),
            topics: self.topic.clone(),
        }
    }

    pub(super) fn has_relative_time(&self) -> bool {
        [self.since, self.until].into_iter().flatten().any(|when| when.is_relative)
    }
}

/// Reads the settings and starts the log, which tells only of trouble: people read the output.
///
/// # Errors
/// The settings can't be used.
pub(super) fn settings(file: Option<&std::path::Path>) -> Result<Settings, Stop> {
    let settings = Settings::read(file).map_err(|error| Stop { exit: Exit::Settings, error })?;
    logs::start(&Log { level: "warn".to_owned(), format: settings.log.format })?;
    Ok(settings)
}

fn reason(text: &str) -> Result<Reason> {
    let names = || Reason::ALL.map(Reason::name).join(", ");
    Reason::ALL.into_iter().find(|reason| reason.name() == text).with_context(|| format!("expected one of {}", names()))
}

fn vendor(text: &str) -> Result<&'static str> {
    let names = || vendors::ADAPTERS.map(|adapter| adapter.vendor).join(", ");
    vendors::find(text).map(|adapter| adapter.vendor).with_context(|| format!("expected one of {}", names()))
}

fn time(text: &str) -> Result<When> {
    let fixed = text
        .parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(|time| Ok(time.to_zoned(TimeZone::UTC)?.timestamp())))
        .or_else(|_| text.parse::<Date>().and_then(|date| Ok(date.to_zoned(TimeZone::UTC)?.timestamp())));
    if let Ok(at) = fixed {
        return Ok(When { at: Instant(at.as_millisecond()), is_relative: false });
    }
    let ago: Span =
        text.parse().map_err(|_| anyhow!("expected a time as 2026-03-03T14:00:00Z, a day, or so long ago, as 2h"))?;
    let at = Timestamp::now().to_zoned(TimeZone::UTC).checked_sub(ago.abs())?.timestamp();
    Ok(When { at: Instant(at.as_millisecond()), is_relative: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_fixed_or_so_long_ago() {
        for (text, expected) in [
            ("2026-03-03T14:22:30Z", 1_772_547_750_000),
            ("2026-03-03T15:22:30+01:00", 1_772_547_750_000),
            ("2026-03-03T14:22:30", 1_772_547_750_000),
            ("2026-03-03", 1_772_496_000_000),
        ] {
            let when = time(text).unwrap();
            assert_eq!((when.at.0, when.is_relative), (expected, false), "{text}");
        }
        let before = Timestamp::now().as_millisecond();
        let when = time("2d").unwrap();
        assert!(when.is_relative && (0..60_000).contains(&(when.at.0 - (before - 172_800_000))), "{}", when.at);
        assert!(time("yesterday").is_err());
    }
}
