//! Faults that the loop can be given on purpose, to prove that the tests of delivery find them. Only a build with the feature
//! `seeded-faults` has any; no other build looks at the variable.

use clap::ValueEnum;
use rdkafka::consumer::BaseConsumer;

use crate::settings::Settings;

/// What a loop may get wrong. Named in the environment variable `SEEDED_FAULT`, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Fault {
    /// Commits the offset of the last record and not that of the next.
    OffsetsEarly,
    /// Commits the offset after the next.
    OffsetsLate,
    /// Commits the offsets through the consumer, after the transaction.
    OffsetsOutside,
    /// Goes on with the transaction that should have been aborted.
    AbortSkipped,
    /// Reads on behind the records of an aborted transaction.
    RewindSkipped,
    /// Keeps the transaction open while its partitions go.
    RevokeIgnored,
    /// Commits also for partitions that are somebody else's already: as no member, of whom the coordinator checks nothing.
    LostCommitted,
    /// Keeps a producer whose end of a transaction may still be on its way.
    DirtyKept,
    /// Sends dead letters with a producer that knows no transactions.
    DeadLetterOutside,
    /// Commits with the group's metadata of the first transaction.
    GroupStale,
}

#[cfg(feature = "seeded-faults")]
static SEEDED: std::sync::LazyLock<Option<Fault>> = std::sync::LazyLock::new(|| {
    let name = std::env::var("SEEDED_FAULT").ok()?;
    match Fault::from_str(&name, false) {
        Ok(fault) => Some(fault),
        Err(error) => {
            eprintln!("SEEDED_FAULT={name}: {error}");
            std::process::exit(2);
        }
    }
});

/// Of [`Fault::LostCommitted`]: a consumer of the group that never joins it.
#[cfg(feature = "seeded-faults")]
pub(super) fn stranger(settings: &Settings) -> Option<&'static BaseConsumer> {
    static STRANGER: std::sync::OnceLock<Option<BaseConsumer>> = std::sync::OnceLock::new();
    if !is_seeded(Fault::LostCommitted) {
        return None;
    }
    STRANGER.get_or_init(|| super::consumer(settings).ok()?.create().ok()).as_ref()
}

/// Of [`Fault::LostCommitted`]: nobody.
#[cfg(not(feature = "seeded-faults"))]
pub(super) const fn stranger(_: &Settings) -> Option<&'static BaseConsumer> {
    None
}

/// Whether the loop is to have this fault.
#[cfg(feature = "seeded-faults")]
pub(super) fn is_seeded(fault: Fault) -> bool {
    *SEEDED == Some(fault)
}

/// Whether the loop is to have this fault: never.
#[cfg(not(feature = "seeded-faults"))]
pub(super) const fn is_seeded(_: Fault) -> bool {
    false
}
