//! Counters by vendor and one of the closed lists.

use prometheus::{IntCounter, IntCounterVec};

use crate::vendors::{ADAPTERS, Adapter};

/// Counters in the order of [`ADAPTERS`], and within a vendor in the order of a closed list. Those of the vendors of the
/// settings are there at 0 from the start; another one comes with its first count.
#[derive(Debug)]
pub struct Table {
    series: IntCounterVec,
    labels: Vec<Vec<&'static str>>,
    known: Vec<Option<IntCounter>>,
}

impl Table {
    /// `values` are the closed list, empty where there is none beside the vendors; `is_known` says which of it a vendor can
    /// give.
    pub(super) fn new(series: IntCounterVec, values: &[&'static str], is_known: impl Fn(&Adapter, usize) -> bool) -> Self {
        let mut table = Self { series, labels: Vec::new(), known: Vec::new() };
        for adapter in ADAPTERS {
            for position in 0..values.len().max(1) {
                let labels: Vec<_> = [adapter.vendor].into_iter().chain(values.get(position).copied()).collect();
                table.known.push(is_known(adapter, position).then(|| table.series.with_label_values(&labels)));
                table.labels.push(labels);
            }
        }
        table
    }

    /// Counts at a position of the table.
    pub fn add(&self, position: usize, count: u64) {
        match &self.known[position] {
            Some(counter) => counter.inc_by(count),
            None => self.series.with_label_values(&self.labels[position]).inc_by(count),
        }
    }

    /// The sum over all that were known from the start.
    pub fn total(&self) -> u64 {
        self.known.iter().flatten().map(IntCounter::get).sum()
    }
}
