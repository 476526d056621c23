//! One worker on a mock cluster, seen only from outside: its metrics, its status, its log lines and how it ended.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tracing::Level;

use crate::avro::{self, Encoder};
use crate::breaker::Breaker;
use crate::exit::Exit;
use crate::kafka::embedded::{Reader, Writer};
use crate::kafka::worker::{Stop, Workers};
use crate::metrics::{Metrics, Rebuild};
use crate::settings::Settings;
use crate::status::{Shutdown, WorkerStatus};

const INPUT: &str = "raw.mobtexting";
const GROUP: &str = "trial";
/// The transactional id of worker 0.
const TRANSACTIONAL_ID: &str = "trial-0";

/// One item, which becomes one event.
const BODY: &str = include_str!("../../commands/demo/samples/mobtexting_sms_status.json");

/// Longest wait for anything. Most of what is awaited takes a few seconds, a call that is stuck takes 22.
const WAIT_MAX: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
const OUTPUT_WAIT: Duration = Duration::from_secs(10);

/// Options that make waits short; they change no decision. The session's time-out is how long the mock lets a group wait
/// for a member that does not come back.
const CONSUMER_OPTIONS: &[(&str, &str)] = &[
    ("heartbeat.interval.ms", "100"),
    ("session.timeout.ms", "3000"),
    ("fetch.wait.max.ms", "50"),
    ("socket.timeout.ms", "5000"),
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "100"),
    ("retry.backoff.ms", "20"),
    ("statistics.interval.ms", "200"),
];
const PRODUCER_OPTIONS: &[(&str, &str)] = &[
    ("linger.ms", "0"),
    ("transaction.timeout.ms", "10000"),
    ("socket.timeout.ms", "5000"),
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "100"),
    ("retry.backoff.ms", "20"),
];

/// What a trial needs beyond the usual.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub brokers: i32,
    pub commit_interval_ms: u64,
    pub commit_records: usize,
    pub consumer_options: &'static [(&'static str, &'static str)],
    pub producer_options: &'static [(&'static str, &'static str)],
}

impl Setup {
    pub const USUAL: Self =
        Self { brokers: 1, commit_interval_ms: 50, commit_records: 50_000, consumer_options: &[], producer_options: &[] };
}

/// What a broker can be to the worker, so that one can fail without the others.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    TransactionCoordinator,
    GroupCoordinator,
    OutputLeader,
}

pub(super) struct Trial {
    pub cluster: MockCluster<'static, DefaultProducerContext>,
    pub status: Arc<WorkerStatus>,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    workers: Workers,
    shutdown: Arc<Shutdown>,
    log: Log,
    writer: Writer,
    written: i64,
    worker: Option<JoinHandle<Result<(), Stop>>>,
}

impl Trial {
    pub fn new(setup: Setup) -> Result<Self> {
        let cluster = MockCluster::new(setup.brokers)?;
        let mut settings = Settings::of_yaml(&format!(
            "kafka: {{brokers: '{}', group: {GROUP}, transactional_id_prefix: trial}}\n\
             sources: [{{topic: {INPUT}, vendor: mobtexting, zone: Asia/Kolkata}}]\n\
             delivery: {{workers: 1, commit_interval_ms: {}, commit_records: {}}}",
            cluster.bootstrap_servers(),
            setup.commit_interval_ms,
            setup.commit_records
        ))?;
        let owned = |options: &[(&str, &str)]| -> Vec<_> {
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        settings.kafka.consumer_options.extend(owned(CONSUMER_OPTIONS));
        settings.kafka.consumer_options.extend(owned(setup.consumer_options));
        settings.kafka.producer_options.extend(owned(PRODUCER_OPTIONS));
        settings.kafka.producer_options.extend(owned(setup.producer_options));
        for topic in settings.stream_topics().values().map(String::as_str).chain([INPUT, &settings.topics.dead_letters]) {
            cluster.create_topic(topic, 1, setup.brokers)?;
            cluster.partition_leader(topic, 0, Some(1))?;
        }
        let writer = Writer::connect(&settings.kafka.brokers)?;
        let (metrics, encoder) = (Arc::new(Metrics::new(&settings)?), Encoder::verified()?);
        let settings = Arc::new(settings);
        let trial = Self {
            cluster,
            status: Arc::default(),
            workers: Workers::new(Arc::clone(&settings), Arc::clone(&metrics), Arc::new(Breaker::new(&settings)), |_| encoder)?,
            settings,
            metrics,
            shutdown: Arc::default(),
            log: Log::default(),
            writer,
            written: 0,
            worker: None,
        };
        trial.give(Role::TransactionCoordinator, 1)?;
        trial.give(Role::GroupCoordinator, 1)?;
        Ok(trial)
    }

    /// Gives a role to a broker; without more, broker 1 has them all.
    pub fn give(&self, role: Role, broker: i32) -> Result<()> {
        match role {
            Role::TransactionCoordinator => {
                self.cluster.coordinator(MockCoordinator::Transaction(TRANSACTIONAL_ID.to_owned()), broker)?;
            }
            Role::GroupCoordinator => self.cluster.coordinator(MockCoordinator::Group(GROUP.to_owned()), broker)?,
            Role::OutputLeader => {
                for topic in self.settings.stream_topics().values() {
                    self.cluster.partition_leader(topic, 0, Some(broker))?;
                }
            }
        }
        Ok(())
    }

    /// What requests that name an output topic are answered with.
    pub fn set_output_error(&self, error: RDKafkaRespErr) -> Result<()> {
        for topic in self.settings.stream_topics().values() {
            self.cluster.topic_error(topic, error)?;
        }
        Ok(())
    }

    /// Adds records to the input.
    pub fn write(&mut self, records: usize) -> Result<()> {
        for _ in 0..records {
            self.writer.write(INPUT, BODY.as_bytes())?;
            self.written += 1;
        }
        Ok(())
    }

    /// The next requests of a kind are answered with these errors.
    pub fn fail(&self, call: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.cluster.request_errors(call, errors);
    }

    pub fn start(&mut self) {
        let (workers, status, shutdown) = (self.workers.clone(), Arc::clone(&self.status), Arc::clone(&self.shutdown));
        let log = self.log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::INFO).with_writer(move || log.clone()).finish();
        // Only this thread's lines go to this trial: librdkafka's own come from other threads.
        let run = move || tracing::subscriber::with_default(subscriber, || workers.run(0, &status, &shutdown));
        self.worker = Some(thread::spawn(run));
    }

    /// Waits until `is_so`.
    ///
    /// # Errors
    /// It didn't come to that in time, or the worker ended before.
    pub fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + WAIT_MAX;
        while !is_so(self) {
            ensure!(!self.has_ended(), "the worker ended before {what}");
            ensure!(Instant::now() < deadline, "waited in vain for {what}; the worker says:\n{}", self.log());
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    /// As [`Trial::until`], but for a time in which nothing may come; says whether it came.
    pub fn within(&self, time: Duration, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let deadline = Instant::now() + time;
        while !is_so(self) {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(LOOK_INTERVAL);
        }
        true
    }

    pub fn until_joined(&self) -> Result<()> {
        self.until("the worker had its partition", |trial| trial.status.has_joined())
    }

    pub fn until_committed(&self) -> Result<()> {
        self.until("all input was committed", Self::has_committed)
    }

    /// Whether the offset after the last record of the input is committed.
    pub fn has_committed(&self) -> bool {
        let status = self.status.json(|_| String::new(), |_| false);
        status.pointer("/assignment/0/position").and_then(serde_json::Value::as_i64) == Some(self.written)
    }

    /// Whether `/readyz` would say no though the worker reads.
    pub fn is_out_of_readiness(&self) -> bool {
        self.status.has_joined() && !self.status.is_ready() && !self.has_ended()
    }

    pub fn has_ended(&self) -> bool {
        self.worker.as_ref().is_none_or(JoinHandle::is_finished)
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Transactions that were not committed.
    pub fn aborted(&self) -> u64 {
        self.metrics().transactions_aborted.get() + self.metrics().transactions_fenced.get()
    }

    pub fn rebuilds(&self) -> u64 {
        Rebuild::ALL.into_iter().map(|reason| self.metrics().rebuilds(reason)).sum()
    }

    /// Whether a producer could not be used any more.
    pub fn has_replaced(&self) -> bool {
        [Rebuild::Fenced, Rebuild::Fatal, Rebuild::Stuck].into_iter().any(|reason| self.metrics().rebuilds(reason) > 0)
    }

    pub fn dead_letters(&self) -> u64 {
        self.metrics().dead_letters.total()
    }

    /// Records that wait to be read, once the statistics tell; before the first commit that is as far as was polled.
    pub fn lag(&self) -> Option<u64> {
        let text = self.metrics().text().ok()?;
        text.lines().find(|line| line.starts_with("normalizer_consumer_lag_records{"))?.rsplit(' ').next()?.parse().ok()
    }

    /// What the worker has said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// The exit code of a worker that ended by itself.
    pub fn exit(&mut self) -> Result<Option<Exit>> {
        self.until_ended()?;
        let ended = self.worker.take().context("the worker was started")?.join();
        Ok(ended.ok().context("the worker has panicked")?.err().map(|stop| stop.exit))
    }

    pub fn until_ended(&self) -> Result<()> {
        ensure!(self.within(WAIT_MAX, Self::has_ended), "the worker goes on; it says:\n{}", self.log());
        Ok(())
    }

    /// Reads the output from its beginning, also what is not committed.
    pub fn outputs(&self) -> Result<Outputs> {
        Ok(Outputs(Reader::connect(&self.settings.kafka.brokers, &self.output_topics())?))
    }

    fn output_topics(&self) -> Vec<String> {
        let settings = &self.settings;
        settings.stream_topics().into_values().chain([settings.topics.dead_letters.clone()]).collect()
    }

    pub fn ask_to_stop(&self) {
        self.shutdown.ask();
    }

    /// Asks the worker to stop, and checks that all the input is committed and all its outputs are there.
    pub fn finish(mut self) -> Result<()> {
        self.until_committed()?;
        ensure!(self.status.is_ready(), "the worker reads and commits but says that it is not ready");
        self.ask_to_stop();
        if let Some(exit) = self.exit()? {
            bail!("asked to stop, the worker ends with {exit:?}; it says:\n{}", self.log());
        }
        let metrics = self.metrics();
        let consumed = metrics.records_consumed[0].get();
        let events = metrics.events_produced.total();
        ensure!(consumed >= self.written.unsigned_abs(), "{consumed} of {} records are counted", self.written);
        ensure!(consumed == events + self.dead_letters(), "{consumed} records became {events} events, and dead letters");
        self.find_outputs()
    }

    /// Each record of the input has at least one output. (The mock also shows what was aborted, so that this alone proves
    /// little; the counts of what was committed stand beside it.)
    fn find_outputs(&self) -> Result<()> {
        let Outputs(reader) = self.outputs()?;
        let mut missing: BTreeSet<i64> = (0..self.written).collect();
        let schema = avro::schema()?;
        while !missing.is_empty() {
            let Some(published) = reader.next(OUTPUT_WAIT)? else { bail!("no output of the records {missing:?}") };
            let offset = match published.header("__streams.errors.offset") {
                Some(offset) => offset.parse().ok(),
                None => avro::decode_json(&schema, &published.value)?
                    .pointer("/source/kafka_offset")
                    .and_then(serde_json::Value::as_i64),
            };
            missing.remove(&offset.context("an output says of which record it is")?);
        }
        Ok(())
    }
}

impl Drop for Trial {
    /// Lets no worker outlive its cluster.
    fn drop(&mut self) {
        self.ask_to_stop();
        // A worker that waits for a broker would stay.
        let _ = self.cluster.broker_up(-1);
        self.within(WAIT_MAX, Self::has_ended);
    }
}

pub(super) struct Outputs(Reader);

impl Outputs {
    /// Waits until so many more outputs were sent.
    pub fn until_sent(&self, records: usize) -> Result<()> {
        for _ in 0..records {
            self.0.next(OUTPUT_WAIT)?.context("waited in vain for an output")?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
