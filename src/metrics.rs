//! Every metric, its labels and its meaning. Labels come only from closed lists and the settings.

mod catalogue;
mod labels;
mod table;

use anyhow::Result;
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use self::catalogue::Catalogue;
pub use self::catalogue::Description;
pub use self::labels::{Answer, Rebuild};
pub use self::table::Table;
use crate::event::Stream;
use crate::reject::{Ignored, Reason};
use crate::settings::Settings;
use crate::vendors::Adapter;
use crate::version::{COMMIT, VERSION};

/// All metrics of the process. What is said of each stands in [`Metrics::new`], from where the README has it too.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    descriptions: Vec<Description>,
    /// By source.
    pub records_consumed: Vec<IntCounter>,
    /// By source.
    pub bytes_consumed: Vec<IntCounter>,
    /// By vendor and stream.
    pub events_produced: Table,
    /// By vendor and reason.
    pub dead_letters: Table,
    /// By vendor and cause.
    pub records_ignored: Table,
    /// By vendor.
    pub unlisted_statuses: Table,
    /// By vendor.
    pub hint_conflicts: Table,
    /// By source; sources of one vendor share theirs.
    pub translate_seconds: Vec<Histogram>,
    event_delays: HistogramVec,
    pub record_age_seconds: Histogram,
    pub transactions_committed: IntCounter,
    pub transactions_aborted: IntCounter,
    pub transactions_fenced: IntCounter,
    pub commit_seconds: Histogram,
    pub transaction_records: Histogram,
    producer_rebuilds: Vec<IntCounter>,
    pub rebalances: IntCounter,
    pub assigned_partitions: IntGauge,
    /// By topic and partition.
    pub lag_records: IntGaugeVec,
    /// By topic and partition.
    pub lag_seconds: GaugeVec,
    /// By source.
    pub source_stopped: Vec<IntGauge>,
    pub last_commit_timestamp_seconds: IntGauge,
    /// By worker.
    pub consumers: Vec<ClientMetrics>,
    /// By worker.
    pub producers: Vec<ClientMetrics>,
    pub registry_requests: RegistryRequests,
}

/// What the statistics of one Kafka client tell.
#[derive(Debug, Clone)]
pub struct ClientMetrics {
    /// 1 while a connection to a broker is up.
    pub connected: IntGauge,
    pub request_timeouts: IntCounter,
    pub retries: IntCounter,
}

/// Requests to the schema registry, by [`Answer`].
#[derive(Debug, Clone)]
pub struct RegistryRequests(Vec<IntCounter>);

impl RegistryRequests {
    pub fn count(&self, answer: Answer) {
        self.0[answer as usize].inc();
    }
}

const NO_LABELS: [&str; 0] = [];

const TRANSLATE_BUCKETS: &[f64] = &[1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2];
const COMMIT_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const RECORD_BUCKETS: &[f64] = &[1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0];
const AGE_BUCKETS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
const DELAY_BUCKETS: &[f64] = &[1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];

impl Metrics {
    /// Registers every metric, and every series that can be told from the settings at 0. Series by partition come with the
    /// partitions.
    ///
    /// # Errors
    /// Two metrics share a name: a fault of the build.
    pub fn new(settings: &Settings) -> Result<Self> {
        let mut catalogue = Catalogue::default();
        let of = &mut catalogue;
        let topics: Vec<_> = settings.sources.iter().map(|source| source.topic.as_str()).collect();
        let is_configured = |adapter: &Adapter| settings.sources.iter().any(|source| source.vendor == adapter.vendor);
        let by_vendor =
            |series: IntCounterVec, values: &[&'static str]| Table::new(series, values, |adapter, _| is_configured(adapter));

        let help = "Always 1: the version and the commit that run.";
        of.gauges("normalizer_build_info", &["version", "commit"], help)?.with_label_values(&[VERSION, COMMIT]).set(1);

        let help = "Raw records whose offset was committed.";
        let records_consumed = each(&of.counters("normalizer_records_consumed_total", &["topic"], help)?, &topics);
        let help = "Bytes of the values of raw records whose offset was committed.";
        let bytes_consumed = each(&of.counters("normalizer_consumed_bytes_total", &["topic"], help)?, &topics);

        let help = "Events in committed transactions.";
        let series = of.counters("normalizer_events_produced_total", &["vendor", "stream"], help)?;
        let streams: Vec<_> = Stream::all().map(Stream::name).collect();
        let events_produced = Table::new(series, &streams, |adapter, position| {
            is_configured(adapter) && adapter.streams().any(|stream| stream.index() == position)
        });
        let help = "Dead letters in committed transactions: records and items that were set aside.";
        let series = of.counters("normalizer_dead_letters_total", &["vendor", "reason"], help)?;
        let dead_letters = by_vendor(series, &Reason::ALL.map(Reason::name));
        let help = "Records and items that were left out on purpose: tombstones, empty batches, verification probes.";
        let series = of.counters("normalizer_records_ignored_total", &["vendor", "cause"], help)?;
        let records_ignored = by_vendor(series, &Ignored::ALL.map(Ignored::cause));
        let help = "Events with a status word that is in no table: the vendor has new words.";
        let unlisted_statuses = by_vendor(of.counters("normalizer_unknown_status_words_total", &["vendor"], help)?, &[]);
        let help = "Events whose body contradicts a hint of the settings or of a record's headers; the body holds.";
        let hint_conflicts = by_vendor(of.counters("normalizer_hint_conflicts_total", &["vendor"], help)?, &[]);

        let help = "Time to turn a record into encoded events, without waiting for the client's queue; of one record in 64.";
        let series = of.histograms("normalizer_translate_duration_seconds", &["vendor"], TRANSLATE_BUCKETS, help)?;
        let translate_seconds =
            settings.sources.iter().map(|source| series.with_label_values(&[source.vendor.as_str()])).collect();
        let help = "Age of events by the vendor's clock at the beginning of the transaction that published them; of those with a time.";
        let event_delays = of.histograms("normalizer_event_delay_seconds", &["stream"], DELAY_BUCKETS, help)?;
        for stream in settings.stream_topics().keys() {
            event_delays.with_label_values(&[stream.name()]);
        }
        let help = "Age of the oldest record of a transaction when it was committed: its commit less its timestamp in Kafka.";
        let record_age_seconds = of.histograms("normalizer_record_age_seconds", &[], AGE_BUCKETS, help)?;

        let help = "Transactions, each by what became of it.";
        let transactions = of.counters("normalizer_transactions_total", &["outcome"], help)?;
        let help = "Time that a commit took.";
        let commit_seconds = of.histograms("normalizer_transaction_commit_duration_seconds", &[], COMMIT_BUCKETS, help)?;
        let help = "Raw records in a committed transaction.";
        let transaction_records = of.histograms("normalizer_transaction_records", &[], RECORD_BUCKETS, help)?;
        let help = "Unix time of the last commit; 0 before the first.";
        let last_commit = of.gauges("normalizer_last_commit_timestamp_seconds", &[], help)?;
        let help = "Producers replaced after a fault.";
        let producer_rebuilds = of.counters("normalizer_producer_rebuilds_total", &["reason"], help)?;
        let help = "Assignments and revocations of partitions.";
        let rebalances = of.counters("normalizer_rebalances_total", &[], help)?;
        let help = "Partitions that this process reads.";
        let assigned_partitions = of.gauges("normalizer_assigned_partitions", &[], help)?;

        let help = "Records that wait in a partition that this process reads: its end less the offset that was committed.";
        let lag_records = of.gauges("normalizer_consumer_lag_records", &["topic", "partition"], help)?;
        let help = "How long the oldest record that waits in a partition has waited at most; 0 where none waits.";
        let lag_seconds = of.fractional_gauges("normalizer_consumer_lag_seconds", &["topic", "partition"], help)?;
        let help = "1 where dead_letters.stop_above has stopped the source.";
        let stopped = of.gauges("normalizer_source_stopped", &["topic"], help)?;

        let help = "1 while the client has a connection to a broker; as of the client's statistics, every 5 s.";
        let connected = of.gauges("normalizer_kafka_connected", &["client"], help)?;
        let help = "Requests to brokers that timed out.";
        let timeouts = of.counters("normalizer_kafka_request_timeouts_total", &["client"], help)?;
        let help = "Requests to brokers that were sent again.";
        let retries = of.counters("normalizer_kafka_tx_retries_total", &["client"], help)?;
        let clients = |kind: &str| -> Vec<_> {
            let client = |worker| {
                let labels = [format!("{kind}-{worker}")];
                ClientMetrics {
                    connected: connected.with_label_values(&labels),
                    request_timeouts: timeouts.with_label_values(&labels),
                    retries: retries.with_label_values(&labels),
                }
            };
            (0..settings.delivery.workers()).map(client).collect()
        };
        let help = "Requests to the schema registry, by what came of them.";
        let requests = of.counters("normalizer_schema_registry_requests_total", &["outcome"], help)?;

        #[cfg(target_os = "linux")]
        of.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self {
            records_consumed,
            bytes_consumed,
            events_produced,
            dead_letters,
            records_ignored,
            unlisted_statuses,
            hint_conflicts,
            translate_seconds,
            event_delays,
            record_age_seconds: record_age_seconds.with_label_values(&NO_LABELS),
            transactions_committed: transactions.with_label_values(&["committed"]),
            transactions_aborted: transactions.with_label_values(&["aborted"]),
            transactions_fenced: transactions.with_label_values(&["fenced"]),
            commit_seconds: commit_seconds.with_label_values(&NO_LABELS),
            transaction_records: transaction_records.with_label_values(&NO_LABELS),
            producer_rebuilds: each(&producer_rebuilds, &Rebuild::ALL.map(Rebuild::reason)),
            rebalances: rebalances.with_label_values(&NO_LABELS),
            assigned_partitions: assigned_partitions.with_label_values(&NO_LABELS),
            lag_records,
            lag_seconds,
            source_stopped: topics.iter().map(|topic| stopped.with_label_values(&[topic])).collect(),
            last_commit_timestamp_seconds: last_commit.with_label_values(&NO_LABELS),
            consumers: clients("consumer"),
            producers: clients("producer"),
            registry_requests: RegistryRequests(each(&requests, &Answer::ALL.map(Answer::outcome))),
            registry: catalogue.registry,
            descriptions: catalogue.descriptions,
        })
    }

    /// The delay of the events of a stream.
    pub fn event_delay(&self, stream: Stream) -> Histogram {
        self.event_delays.with_label_values(&[stream.name()])
    }

    /// Counts a producer that is replaced.
    pub fn rebuilt(&self, reason: Rebuild) {
        self.producer_rebuilds[reason as usize].inc();
    }

    /// Producers that were replaced for a reason.
    pub fn rebuilds(&self, reason: Rebuild) -> u64 {
        self.producer_rebuilds[reason as usize].get()
    }

    /// What each metric is about, in the order in which they are registered. Those of the process itself, `process_*`, are
    /// left out.
    pub fn descriptions(&self) -> &[Description] {
        &self.descriptions
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

/// The series of each value of the only label.
fn each(counters: &IntCounterVec, values: &[&str]) -> Vec<IntCounter> {
    values.iter().map(|value| counters.with_label_values(&[value])).collect()
}
