//! What an open transaction will have done. It counts only when the transaction is committed.

use crate::event::Stream;
use crate::metrics::Metrics;
use crate::reject::{Ignored, Reason};
use crate::vendors::ADAPTERS;

/// Counts by source, vendor, stream, reason and cause, as flat tables.
#[derive(Debug)]
pub(super) struct Tally {
    records: Vec<u64>,
    bytes: Vec<u64>,
    produced: Vec<u64>,
    dead_letters: Vec<u64>,
    ignored: Vec<u64>,
    unlisted_statuses: Vec<u64>,
    hint_conflicts: Vec<u64>,
    /// Timestamp of the oldest record, in milliseconds since 1970.
    pub oldest_record_at: Option<i64>,
}

impl Tally {
    pub fn new(sources: usize) -> Self {
        Self {
            records: vec![0; sources],
            bytes: vec![0; sources],
            produced: vec![0; ADAPTERS.len() * Stream::COUNT],
            dead_letters: vec![0; ADAPTERS.len() * Reason::ALL.len()],
            ignored: vec![0; ADAPTERS.len() * Ignored::ALL.len()],
            unlisted_statuses: vec![0; ADAPTERS.len()],
            hint_conflicts: vec![0; ADAPTERS.len()],
            oldest_record_at: None,
        }
    }

    pub fn record(&mut self, source: usize, bytes: usize, timestamp: Option<i64>) {
        self.records[source] += 1;
        self.bytes[source] += bytes as u64;
        self.oldest_record_at = match (self.oldest_record_at, timestamp) {
            (Some(oldest), Some(timestamp)) => Some(oldest.min(timestamp)),
            (oldest, timestamp) => oldest.or(timestamp),
        };
    }

    pub fn produced(&mut self, vendor: usize, stream: Stream) {
        self.produced[vendor * Stream::COUNT + stream.index()] += 1;
    }

    pub fn dead_letter(&mut self, vendor: usize, reason: Reason) {
        self.dead_letters[vendor * Reason::ALL.len() + reason as usize] += 1;
    }

    pub fn ignored(&mut self, vendor: usize, ignored: Ignored) {
        self.ignored[vendor * Ignored::ALL.len() + ignored as usize] += 1;
    }

    pub fn unlisted_status(&mut self, vendor: usize) {
        self.unlisted_statuses[vendor] += 1;
    }

    pub fn hint_conflict(&mut self, vendor: usize) {
        self.hint_conflicts[vendor] += 1;
    }

    pub fn records(&self) -> u64 {
        self.records.iter().sum()
    }

    /// Adds the counts to the metrics and starts anew.
    pub fn settle(&mut self, metrics: &Metrics) {
        let add = |counters: &[prometheus::IntCounter], counts: &mut [u64]| {
            for (counter, count) in counters.iter().zip(counts) {
                if *count > 0 {
                    counter.inc_by(std::mem::take(count));
                }
            }
        };
        add(&metrics.records_consumed, &mut self.records);
        add(&metrics.bytes_consumed, &mut self.bytes);
        add(&metrics.events_produced, &mut self.produced);
        add(&metrics.dead_letters, &mut self.dead_letters);
        add(&metrics.records_ignored, &mut self.ignored);
        add(&metrics.unlisted_statuses, &mut self.unlisted_statuses);
        add(&metrics.hint_conflicts, &mut self.hint_conflicts);
        self.oldest_record_at = None;
    }

    /// Forgets the counts of an aborted transaction.
    pub fn clear(&mut self) {
        for counts in [
            &mut self.records,
            &mut self.bytes,
            &mut self.produced,
            &mut self.dead_letters,
            &mut self.ignored,
            &mut self.unlisted_statuses,
            &mut self.hint_conflicts,
        ] {
            counts.fill(0);
        }
        self.oldest_record_at = None;
    }
}
