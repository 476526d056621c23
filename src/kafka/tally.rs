//! What an open transaction will have done. It counts only when the transaction is committed: until then nothing is shared
//! with other threads, so that no event costs a lock or the look-up of a label.

use prometheus::Histogram;
use prometheus::local::LocalHistogram;

use crate::event::Stream;
use crate::metrics::{Metrics, Table};
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
    /// By source: how long the translation of a record took.
    translations: Vec<LocalHistogram>,
    /// By stream, each from its first event on.
    delays: Vec<Option<LocalHistogram>>,
    /// Timestamp of the oldest record, in milliseconds since 1970.
    pub oldest_record_at: Option<i64>,
}

impl Tally {
    pub fn new(metrics: &Metrics) -> Self {
        let sources = metrics.records_consumed.len();
        Self {
            records: vec![0; sources],
            bytes: vec![0; sources],
            produced: vec![0; ADAPTERS.len() * Stream::COUNT],
            dead_letters: vec![0; ADAPTERS.len() * Reason::ALL.len()],
            ignored: vec![0; ADAPTERS.len() * Ignored::ALL.len()],
            unlisted_statuses: vec![0; ADAPTERS.len()],
            hint_conflicts: vec![0; ADAPTERS.len()],
            translations: metrics.translate_seconds.iter().map(Histogram::local).collect(),
            delays: vec![None; Stream::COUNT],
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

    /// How old an event was by its vendor's clock.
    pub fn delay(&mut self, metrics: &Metrics, stream: Stream, seconds: f64) {
        self.delays[stream.index()].get_or_insert_with(|| metrics.event_delay(stream).local()).observe(seconds);
    }

    pub fn translation(&mut self, source: usize, seconds: f64) {
        self.translations[source].observe(seconds);
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
        for (counters, counts) in [(&metrics.records_consumed, &mut self.records), (&metrics.bytes_consumed, &mut self.bytes)] {
            take(counts, |source, count| counters[source].inc_by(count));
        }
        let add = |table: &Table, counts: &mut [u64]| take(counts, |position, count| table.add(position, count));
        add(&metrics.events_produced, &mut self.produced);
        add(&metrics.dead_letters, &mut self.dead_letters);
        add(&metrics.records_ignored, &mut self.ignored);
        add(&metrics.unlisted_statuses, &mut self.unlisted_statuses);
        add(&metrics.hint_conflicts, &mut self.hint_conflicts);
        self.translations.iter().chain(self.delays.iter().flatten()).for_each(LocalHistogram::flush);
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
        self.translations.iter().chain(self.delays.iter().flatten()).for_each(LocalHistogram::clear);
        self.oldest_record_at = None;
    }
}

/// Hands on what was counted, and leaves 0.
fn take(counts: &mut [u64], mut each: impl FnMut(usize, u64)) {
    for (position, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
        each(position, std::mem::take(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn an_aborted_transaction_leaves_nothing_behind() {
        let settings = "{kafka: {brokers: 'b:1'}, sources: [{topic: raw, vendor: altcraft}], delivery: {workers: 1}}";
        let metrics = Metrics::new(&Settings::of_yaml(settings).expect("settings")).expect("metrics");
        let email = Stream::from_name("email").expect("a stream");
        let altcraft = ADAPTERS.iter().position(|adapter| adapter.vendor == "altcraft").expect("a vendor");
        let mut tally = Tally::new(&metrics);
        let count = |tally: &mut Tally| {
            tally.record(0, 10, Some(1));
            tally.produced(altcraft, email);
            tally.delay(&metrics, email, 2.0);
            tally.translation(0, 0.000_003);
        };
        let found = |metrics: &Metrics| {
            let counts = [metrics.translate_seconds[0].get_sample_count(), metrics.event_delay(email).get_sample_count()];
            (counts, metrics.events_produced.total(), metrics.records_consumed[0].get())
        };
        count(&mut tally);
        assert_eq!(found(&metrics), ([0, 0], 0, 0), "counted before the commit");
        tally.clear();
        tally.settle(&metrics);
        assert_eq!(found(&metrics), ([0, 0], 0, 0), "counted after an abort");
        count(&mut tally);
        count(&mut tally);
        tally.settle(&metrics);
        tally.settle(&metrics);
        assert_eq!(found(&metrics), ([2, 2], 2, 2));
    }
}
