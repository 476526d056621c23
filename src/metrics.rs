//! Every metric, its labels and its meaning. Labels come only from closed lists and the settings.

use anyhow::Result;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::event::Stream;
use crate::reject::{Ignored, Reason};
use crate::settings::Settings;
use crate::vendors::{ADAPTERS, Adapter};

/// All metrics of the process. Tables by vendor are in the order of [`ADAPTERS`], the inner index is the closed list's.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Raw records whose offset was committed, by `topic`.
    pub records_consumed: Vec<IntCounter>,
    /// Bytes of their values, by `topic`.
    pub bytes_consumed: Vec<IntCounter>,
    /// Events in committed transactions, by `vendor` and `stream`.
    pub events_produced: Vec<IntCounter>,
    /// Dead letters in committed transactions, by `vendor` and `reason`.
    pub dead_letters: Vec<IntCounter>,
    /// Records and items left out on purpose, by `vendor` and `cause`.
    pub records_ignored: Vec<IntCounter>,
    /// Events with a status word that is in no table, by `vendor`.
    pub unlisted_statuses: Vec<IntCounter>,
    /// Events whose body contradicts a hint, by `vendor`.
    pub hint_conflicts: Vec<IntCounter>,
    /// Transactions by `outcome`.
    pub transactions_committed: IntCounter,
    pub transactions_aborted: IntCounter,
    pub transactions_fenced: IntCounter,
    /// Time from the first offset sent to the end of the commit.
    pub commit_seconds: Histogram,
    /// Raw records in a committed transaction.
    pub transaction_records: Histogram,
    /// Age of the oldest record of a transaction when it was committed.
    pub record_age_seconds: Histogram,
    /// Producers replaced after a fault.
    pub producer_rebuilds: IntCounter,
    /// Assignments and revocations.
    pub rebalances: IntCounter,
    /// Partitions that this process reads.
    pub assigned_partitions: IntGauge,
    /// Records that wait in a partition, by `topic` and `partition`.
    pub lag_records: IntGaugeVec,
    /// Whether a source is stopped by `dead_letters.stop_above`, by `topic`.
    pub source_stopped: Vec<IntGauge>,
    /// Unix time of the last commit.
    pub last_commit_timestamp_seconds: IntGauge,
}

const COMMIT_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const RECORD_BUCKETS: &[f64] = &[1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0];
const AGE_BUCKETS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

impl Metrics {
    /// Registers every metric, and every series of the configured vendors at 0.
    ///
    /// # Errors
    /// Two metrics share a name: a fault of the build.
    pub fn new(settings: &Settings) -> Result<Self> {
        let registry = Registry::new();
        let by_topic = |name: &str, help: &str| -> Result<Vec<IntCounter>> {
            let counters = counters(&registry, name, help, &["topic"])?;
            Ok(settings.sources.iter().map(|source| counters.with_label_values(&[&source.topic])).collect())
        };
        let outcomes = counters(&registry, "normalizer_transactions_total", "Transactions by outcome.", &["outcome"])?;
        let build =
            Opts::new("normalizer_build_info", "The running version.").const_label("version", env!("CARGO_PKG_VERSION"));
        let build = IntGauge::with_opts(build)?;
        build.set(1);
        registry.register(Box::new(build))?;
        let lag = Opts::new("normalizer_consumer_lag_records", "Records that wait in an assigned partition.");
        let lag = IntGaugeVec::new(lag, &["topic", "partition"])?;
        registry.register(Box::new(lag.clone()))?;
        let stopped = Opts::new("normalizer_source_stopped", "1 where dead_letters.stop_above has stopped the source.");
        let stopped = IntGaugeVec::new(stopped, &["topic"])?;
        registry.register(Box::new(stopped.clone()))?;

        Ok(Self {
            records_consumed: by_topic("normalizer_records_consumed_total", "Raw records whose offset was committed.")?,
            bytes_consumed: by_topic("normalizer_consumed_bytes_total", "Bytes of the values of consumed records.")?,
            events_produced: by_vendor(
                &registry,
                ("normalizer_events_produced_total", "Events in committed transactions.", "stream"),
                Stream::all().map(Stream::name),
            )?,
            dead_letters: by_vendor(
                &registry,
                ("normalizer_dead_letters_total", "Dead letters in committed transactions.", "reason"),
                Reason::ALL.into_iter().map(Reason::name),
            )?,
            records_ignored: by_vendor(
                &registry,
                ("normalizer_records_ignored_total", "Records and items left out on purpose.", "cause"),
                Ignored::ALL.into_iter().map(Ignored::cause),
            )?,
            unlisted_statuses: of_vendors(
                &registry,
                "normalizer_unknown_status_words_total",
                "Events with a status word that is in no table.",
            )?,
            hint_conflicts: of_vendors(
                &registry,
                "normalizer_hint_conflicts_total",
                "Events whose body contradicts a hint; the body holds.",
            )?,
            transactions_committed: outcomes.with_label_values(&["committed"]),
            transactions_aborted: outcomes.with_label_values(&["aborted"]),
            transactions_fenced: outcomes.with_label_values(&["fenced"]),
            commit_seconds: histogram(
                &registry,
                "normalizer_transaction_commit_duration_seconds",
                "Time that a commit took.",
                COMMIT_BUCKETS,
            )?,
            transaction_records: histogram(
                &registry,
                "normalizer_transaction_records",
                "Raw records in a committed transaction.",
                RECORD_BUCKETS,
            )?,
            record_age_seconds: histogram(
                &registry,
                "normalizer_record_age_seconds",
                "Age of the oldest record of a transaction when it was committed.",
                AGE_BUCKETS,
            )?,
            producer_rebuilds: counter(&registry, "normalizer_producer_rebuilds_total", "Producers replaced after a fault.")?,
            rebalances: counter(&registry, "normalizer_rebalances_total", "Assignments and revocations.")?,
            assigned_partitions: gauge(&registry, "normalizer_assigned_partitions", "Partitions that this process reads.")?,
            lag_records: lag,
            source_stopped: settings.sources.iter().map(|source| stopped.with_label_values(&[&source.topic])).collect(),
            last_commit_timestamp_seconds: gauge(
                &registry,
                "normalizer_last_commit_timestamp_seconds",
                "Unix time of the last commit.",
            )?,
            registry,
        })
    }

    /// The metrics in Prometheus' text format 0.0.4.
    ///
    /// # Errors
    /// A metric can't be written: a fault of the build.
    pub fn text(&self) -> Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8(text)?)
    }
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

/// A table by vendor and one closed list; `metric` is its name, its help and the list's label.
fn by_vendor(
    registry: &Registry,
    metric: (&str, &str, &str),
    values: impl Iterator<Item = &'static str>,
) -> Result<Vec<IntCounter>> {
    let (name, help, label) = metric;
    let counters = counters(registry, name, help, &["vendor", label])?;
    let values: Vec<_> = values.collect();
    let series = |adapter: &'static Adapter| values.iter().map(|value| counters.with_label_values(&[adapter.vendor, value]));
    Ok(ADAPTERS.into_iter().flat_map(series).collect())
}

fn of_vendors(registry: &Registry, name: &str, help: &str) -> Result<Vec<IntCounter>> {
    let counters = counters(registry, name, help, &["vendor"])?;
    Ok(ADAPTERS.into_iter().map(|adapter| counters.with_label_values(&[adapter.vendor])).collect())
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
    let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}
