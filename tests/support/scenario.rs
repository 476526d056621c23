//! One delivery test's own corner of Kafka: topics, group and settings of its own, and the check at the end.

use std::env;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use super::check::{Expected, Eye, Report, Seen, dead_letter_topic, stream_topic};
use super::feed::{Feed, source_topic};
use super::kafka::Kafka;
use super::load::{Raw, Vendor, generate};
use super::lock;
use super::normalizer::Normalizer;
use super::progress::Progress;
use super::reader::{Record, read_committed};

/// The session time-out that the instances have.
pub const SESSION_TIMEOUT_MS: u64 = 6_000;
/// The setting `shutdown_timeout_ms`, and a little for the process to end.
pub const SHUTDOWN_WITHIN: Duration = Duration::from_secs(28);

/// How long anything of a scenario may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A scenario holds the turn: a test that restarts the broker would disturb the others.
static TURN: Mutex<()> = Mutex::new(());

/// A test's own topics, group and settings. Dropping it deletes the topics.
pub struct Scenario {
    pub kafka: &'static Kafka,
    /// Begins the name of every topic, the group and the transactional ids.
    pub prefix: String,
    pub seed: u64,
    partitions: i32,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Scenario {
    /// Waits for its turn and prints the seed. `partitions` is that of the raw topics, which `create_sources` makes.
    pub fn new(name: &str, partitions: i32) -> Scenario {
        let turn = lock(&TURN);
        let named = env::var("EVENT_NORMALIZER_TEST_SEED").ok();
        let seed = named.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a seed is a number"));
        eprintln!("{name}: EVENT_NORMALIZER_TEST_SEED={seed} makes the same load again");
        let mut scenario = Scenario::on(Kafka::shared(), name, partitions, seed);
        scenario._turn = Some(turn);
        scenario
    }

    /// On a Kafka that no other scenario uses.
    pub fn on(kafka: &'static Kafka, name: &str, partitions: i32, seed: u64) -> Scenario {
        let prefix = format!("{name}-{:08x}", fastrand::u32(..));
        Scenario { kafka, prefix, seed, partitions, _turn: None }
    }

    /// As `new`, with the three raw topics there.
    pub fn with_sources(name: &str, partitions: i32) -> Scenario {
        let scenario = Scenario::new(name, partitions);
        scenario.create_sources(&[]);
        scenario
    }

    pub fn create_sources(&self, config: &[(&str, &str)]) {
        for vendor in Vendor::ALL {
            self.kafka.create_topic(&source_topic(&self.prefix, vendor), self.partitions, config);
        }
    }

    /// A load of this many records, to be written to the raw topics.
    pub fn load(&self, count: usize) -> Feed {
        self.feed(generate(self.seed, count, 0))
    }

    /// Records made by hand, to be written to the raw topics.
    pub fn feed(&self, records: Vec<Raw>) -> Feed {
        Feed::new(self.kafka, &self.prefix, records)
    }

    pub fn group(&self) -> String {
        format!("{}.group", self.prefix)
    }

    /// The settings that the tests start from. A test changes what it is about.
    pub fn settings(&self) -> Value {
        let source = |vendor: Vendor| json!({ "topic": source_topic(&self.prefix, vendor), "vendor": vendor.name() });
        json!({
            "kafka": {
                "brokers": self.kafka.brokers(),
                "group": self.group(),
                "transactional_id_prefix": format!("{}.first", self.prefix),
                // A killed process is missed after six seconds, not after 45; its transaction is over before that.
                "consumer_options": { "session.timeout.ms": SESSION_TIMEOUT_MS.to_string(), "heartbeat.interval.ms": "500" },
                "producer_options": { "transaction.timeout.ms": "5000" },
            },
            "sources": Vendor::ALL.map(source),
            "topics": {
                "template": stream_topic(&self.prefix, "{stream}"),
                "dead_letters": dead_letter_topic(&self.prefix),
                "create": true,
                "partitions": 6,
                "replication": self.kafka.replication(),
            },
            "delivery": { "guarantee": "exactly-once", "workers": 2, "shutdown_timeout_ms": 25000 },
            "log": { "level": "info", "format": "json" },
        })
    }

    /// Watches the normalizer's group.
    pub fn progress(&self) -> Progress {
        let sources = Vendor::ALL.map(|vendor| (source_topic(&self.prefix, vendor), self.partitions));
        Progress::new(self.kafka, &self.group(), sources.to_vec())
    }

    /// The topics that the load's events go to.
    pub fn busy_topics(&self) -> Vec<String> {
        ["sms", "whatsapp", "rcs", "email"].map(|stream| stream_topic(&self.prefix, stream)).to_vec()
    }

    /// Waits until the group has committed this share of the load, counted in records.
    pub fn until_committed(&self, normalizer: &mut Normalizer, records: usize) {
        let progress = self.progress();
        normalizer.until(PATIENCE, &format!("{records} records are committed"), || {
            progress.committed().filter(|committed| *committed >= records as i64)
        });
    }

    /// Waits until so many more offsets stand in the load's output topics, committed or not: with a number that has
    /// nothing to do with commits, this ends in the middle of a transaction.
    pub fn until_written_more(&self, normalizer: &mut Normalizer, offsets: i64) {
        let (progress, topics) = (self.progress(), self.busy_topics());
        let mut start = None;
        normalizer.until(PATIENCE, &format!("{offsets} more offsets are written"), || {
            let written = progress.written(&topics)?;
            (written >= *start.get_or_insert(written) + offsets).then_some(())
        });
    }

    /// Waits until the group's offsets stand at the end of every partition of the sources: lag 0.
    pub fn until_drained(&self, normalizer: &mut Normalizer) {
        let progress = self.progress();
        normalizer
            .until(PATIENCE, "the group's offsets are at the ends of the sources", || progress.lag().filter(|lag| *lag == 0));
    }

    /// All that can be read from the output topics and the dead-letter topic.
    pub fn read(&self) -> Vec<Record> {
        let topics = self.kafka.topics(&stream_topic(&self.prefix, ""));
        read_committed(self.kafka, &topics, PATIENCE)
    }

    /// Compares what came out with what the load says, once the normalizer is done, and prints the figures.
    pub fn check(&self, feed: &Feed) -> Report {
        self.check_with(feed, &Eye::new(&self.prefix))
    }

    /// As `check`, where events are framed otherwise.
    pub fn check_with(&self, feed: &Feed, eye: &Eye) -> Report {
        let seen: Vec<Seen> = self.read().into_iter().map(|record| eye.see(record)).collect();
        let report = Expected::of(feed, &self.prefix).compare(&seen);
        eprintln!("{report}");
        let lags = self.progress().lag_by_partition().expect("the group's offsets");
        assert!(lags.iter().all(|(_, _, lag)| *lag == 0), "offsets yet to be committed: {lags:?}");
        report
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        self.kafka.delete_topics(&self.prefix);
    }
}
