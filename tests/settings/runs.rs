//! Runs of the program that several cases look at. Each is done once, by the first case that asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::support::kafka::Kafka;
use crate::support::normalizer::Normalizer;
use crate::support::progress::Progress;
use crate::support::reader::{Decoder, Record, read_committed};
use crate::support::scenario::{PATIENCE, SHUTDOWN_WITHIN, Scenario};
use crate::support::wait::eventually;

/// Kafka's own answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// What [`Slow`] and [`Stopped`] have as `commit_interval_ms`: longer than anything else that they do takes.
pub const INTERVAL: Duration = Duration::from_secs(6);
/// How long the brokers let [`Stopped`] wait.
const STUCK: Duration = Duration::from_secs(20);
/// How long it may take where it should give up after a second.
const EXIT_WITHIN: Duration = Duration::from_secs(12);

/// A report of Infobip's that doesn't tell its channel.
const COMMON: &str = include_str!("../../src/vendors/infobip/fixtures/delivery/common_format_hint_only.json");
/// A body of MOBtexting's that doesn't tell which channel the person has left.
const UNSUBSCRIPTION: &str = include_str!("../../src/vendors/mobtexting/fixtures/unsubscription/no_sentence.json");
const HOOK: &str = r#"{"event_type":"send","event_date":"2026-03-02T10:00:00Z","account_id":41,"profile_id":"65e2d1f0a8c4b91d2c7e4f10","event_data":{"send_message_id":"mail-1"}}"#;

/// A report of MOBtexting's, with a national number and a time without a zone.
fn report(id: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","mobile":"09876500001","status":"DELIVRD","units":1,"deliv_time":"2026-02-10 09:30:07","custom":"shop"{more}}}"#
    )
}

/// A raw topic of both runs of [`Pair`]. Each is there for one key.
struct Source {
    name: &'static str,
    vendor: &'static str,
    bodies: Vec<String>,
    header: Option<(&'static str, &'static str)>,
    /// What the settings say more of it, in the run that is told more.
    more: Value,
}

/// This one is no source of the run that is told little.
const ONLY_TOLD: &str = "topic";

fn sources() -> Vec<Source> {
    let one = |name, vendor, body: &str, more| Source { name, vendor, bodies: vec![body.to_owned()], header: None, more };
    let with_header = |name, vendor, body: &str, header, more| Source { header: Some(header), ..one(name, vendor, body, more) };
    let short = report("short", "");
    let many = (0..24).map(|number| report(&format!("many-{number}"), "")).collect();
    vec![
        Source { bodies: many, ..one("many", "mobtexting", "", json!({})) },
        one(ONLY_TOLD, "mobtexting", &short, json!({})),
        one("vendor", "mobtexting", HOOK, json!({ "vendor": "altcraft" })),
        one("channel", "infobip", COMMON, json!({ "channel": "sms" })),
        one("event", "mobtexting", UNSUBSCRIPTION, json!({ "event": "rcs:unsubscription" })),
        one("format", "infobip", COMMON, json!({ "format": "delivery.sms.v4.json" })),
        one("account", "mobtexting", &short, json!({ "account": "acme" })),
        one("zone", "mobtexting", &short, json!({ "zone": "Asia/Kolkata" })),
        one("region", "mobtexting", &short, json!({ "region": "IN" })),
        with_header(
            "channel-header",
            "infobip",
            COMMON,
            ("x-channel", "sms"),
            json!({ "hint_headers": { "channel": "x-channel" } }),
        ),
        with_header(
            "event-header",
            "mobtexting",
            UNSUBSCRIPTION,
            ("x-event", "rcs:unsubscription"),
            json!({ "hint_headers": { "event": "x-event" } }),
        ),
        with_header(
            "format-header",
            "infobip",
            COMMON,
            ("x-format", "delivery.sms.v4.json"),
            json!({ "hint_headers": { "format": "x-format" } }),
        ),
        one("long", "mobtexting", &report("long", &format!(r#","cid":"{}""#, "x".repeat(3_000))), json!({})),
        one("deep", "mobtexting", &report("deep", r#","more":[[[[[[[[[[1]]]]]]]]]]"#), json!({})),
        one("comma", "mobtexting", &report("comma", ","), json!({})),
        one("bad", "mobtexting", "not JSON", json!({})),
    ]
}

/// An event as a reader sees it.
pub struct Event {
    pub record: Record,
    pub envelope: Value,
}

/// What a run showed from outside, while it ran and after.
pub struct Run {
    /// Its group, which also begins the names of its topics.
    pub prefix: String,
    /// The offsets that its group has committed.
    pub committed: i64,
    /// How the group shares partitions out, as its members agreed.
    pub assignor: String,
    pub clients: BTreeSet<String>,
    pub status: Value,
    pub log: String,
    /// Partitions of each topic.
    pub topics: BTreeMap<String, i32>,
    /// Whether a producer with the id `<prefix>.ids-0` was fenced off.
    pub is_id_taken: bool,
    events: Vec<Event>,
    letters: Vec<Record>,
}

impl Run {
    /// The events of a raw topic.
    pub fn events(&self, source: &str) -> Vec<&Event> {
        let name = format!(".raw.{source}");
        let is_of =
            |event: &&Event| event.envelope["source"]["kafka_topic"].as_str().is_some_and(|topic| topic.ends_with(&name));
        self.events.iter().filter(is_of).collect()
    }

    /// The one event of a raw topic.
    pub fn event(&self, source: &str) -> &Event {
        let events = self.events(source);
        assert_eq!(events.len(), 1, "events of {source}; {} became of it", self.fate(source));
        events[0]
    }

    /// The one dead letter of a raw topic.
    pub fn letter(&self, source: &str) -> Option<&Record> {
        let name = format!(".raw.{source}");
        let is_of = |letter: &&Record| letter.header("__streams.errors.topic").is_some_and(|topic| topic.ends_with(&name));
        self.letters.iter().find(is_of)
    }

    /// What became of the record of a raw topic: the channel of its event, or the reason of its dead letter.
    pub fn fate(&self, source: &str) -> String {
        let reason = self.letter(source).and_then(|letter| letter.header("normalizer.dead-letter.reason"));
        let channel = self.events(source).first().and_then(|event| event.envelope["channel"].as_str().map(str::to_owned));
        channel.or(reason.map(str::to_owned)).unwrap_or_else(|| "nothing".to_owned())
    }
}

/// Two runs over the same raw topics: one is told as little as can be, the other one all that can be shown side by side.
pub struct Pair {
    pub bare: Run,
    pub told: Run,
}

pub fn pair() -> &'static Pair {
    static PAIR: LazyLock<Option<Pair>> = LazyLock::new(|| catch_unwind(Pair::run).ok());
    done(&PAIR)
}

/// One that failed is told of by the case that began it; for the others it is not there.
fn done<T>(run: &'static LazyLock<Option<T>>) -> &'static T {
    run.as_ref().expect("the run that this case looks at failed, see above")
}

/// Topics of our own on the shared Kafka.
fn corner(name: &str) -> Scenario {
    Scenario::on(Kafka::shared(), name, 1, 0)
}

/// All that must be there.
pub fn settings(corner: &Scenario, run: &str, sources: &Value) -> Value {
    json!({
        "kafka": { "brokers": corner.kafka.brokers(), "group": format!("{}.{run}", corner.prefix) },
        "sources": sources,
        "topics": {
            "template": format!("{}.{run}.{{stream}}", corner.prefix),
            "dead_letters": format!("{}.{run}.lost", corner.prefix),
            "create": true,
            "replication": corner.kafka.replication(),
        },
    })
}

impl Pair {
    fn run() -> Pair {
        let corner = corner("settings");
        let (mut bare, mut told) = (Vec::new(), Vec::new());
        for Source { name, vendor, bodies, header, more } in sources() {
            let topic = format!("{}.raw.{name}", corner.prefix);
            corner.kafka.create_topic(&topic, 1, &[]);
            write(corner.kafka, &topic, bodies.iter().map(String::as_str), header);
            let little = json!({ "topic": topic, "vendor": vendor });
            let mut much = little.clone();
            much.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
            if name != ONLY_TOLD {
                bare.push(little);
            }
            told.push(much);
        }
        // Of as many partitions in both runs, so that where a record goes differs by its partitioner alone.
        let (sms, texts) = (format!("{}.bare.sms", corner.prefix), format!("{}.told.texts", corner.prefix));
        corner.kafka.create_topic(&sms, 6, &[]);
        corner.kafka.create_topic(&texts, 6, &[]);
        let bare = settings(&corner, "bare", &json!(bare));
        let mut told = settings(&corner, "told", &json!(told));
        let all = json!({
            "kafka": {
                "transactional_id_prefix": format!("{}.ids", corner.prefix),
                "options": { "client.id": "told-client" },
                "consumer_options": { "partition.assignment.strategy": "range" },
                "producer_options": { "partitioner": "consistent_random" },
            },
            "topics": { "overrides": { "sms": texts }, "partitions": 2 },
            "delivery": { "workers": 3 },
            "limits": { "body_bytes": 2000, "depth": 8 },
            "dead_letters": { "payload": "none" },
            "envelope": { "payload": "none", "cloud_events": true },
            "lenient_json": false,
            "log": { "level": "warn" },
        });
        for (section, keys) in all.as_object().expect("a map") {
            match keys.as_object() {
                Some(keys) => keys.iter().for_each(|(key, value)| told[section][key] = value.clone()),
                None => told[section] = keys.clone(),
            }
        }
        let outsider = Outsider::new(&corner);
        Pair { bare: observe(&corner, "bare", &bare, &outsider), told: observe(&corner, "told", &told, &outsider) }
    }
}

/// Runs the program until all is read, and looks at what can be seen of it.
fn observe(corner: &Scenario, run: &str, settings: &Value, outsider: &Outsider) -> Run {
    outsider.begin();
    let mut normalizer = Normalizer::start(settings);
    let prefix = format!("{}.{run}", corner.prefix);
    let progress = progress(corner, settings, &prefix);
    until_drained(&mut normalizer, &progress);
    let (assignor, clients) = members(corner.kafka, &prefix);
    let status = normalizer.status();
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let topics = corner.kafka.topics(&format!("{prefix}."));
    let lost = format!("{prefix}.lost");
    let (letters, events): (Vec<_>, Vec<_>) =
        read_committed(corner.kafka, &topics, PATIENCE).into_iter().partition(|record| record.topic == lost);
    let decoder = Decoder::new();
    // What is no envelope is no event: the case that looks for it misses it.
    let event = |record: Record| {
        let envelope = decoder.json(record.value.as_deref().unwrap_or_default()).ok()?;
        Some(Event { record, envelope })
    };
    Run {
        prefix,
        committed: progress.committed().expect("the group's offsets"),
        assignor,
        clients,
        status,
        log: normalizer.log(),
        topics: topics.into_iter().collect(),
        is_id_taken: !outsider.commits(),
        events: events.into_iter().filter_map(event).collect(),
        letters,
    }
}

/// Another producer that has the transactional id of a worker; who comes later fences it off.
struct Outsider {
    producer: BaseProducer,
    topic: String,
}

impl Outsider {
    fn new(corner: &Scenario) -> Outsider {
        let topic = format!("{}.outside", corner.prefix);
        corner.kafka.create_topic(&topic, 1, &[]);
        let mut config = corner.kafka.client();
        config.set("transactional.id", format!("{}.ids-0", corner.prefix)).set("transaction.timeout.ms", "300000");
        let producer: BaseProducer = config.create().expect("create a producer");
        producer.init_transactions(PATIENCE).expect("initialize transactions");
        Outsider { producer, topic }
    }

    fn begin(&self) {
        self.producer.begin_transaction().expect("begin a transaction");
        self.producer.send(BaseRecord::<(), str>::to(&self.topic).payload("x")).expect("send");
        self.producer.flush(ANSWER_WITHIN).expect("write");
    }

    fn commits(&self) -> bool {
        self.producer.commit_transaction(ANSWER_WITHIN).is_ok()
    }
}

/// How the members of a group share partitions out, and what the clients call themselves.
fn members(kafka: &Kafka, group: &str) -> (String, BTreeSet<String>) {
    let consumer: BaseConsumer = kafka.client().create().expect("create a consumer");
    eventually(ANSWER_WITHIN, "the group's members are told", || {
        let groups = consumer.fetch_group_list(Some(group), ANSWER_WITHIN).ok()?;
        // While members come it has agreed on nothing.
        let group = groups.groups().first().filter(|group| group.state() == "Stable")?;
        let clients = group.members().iter().map(|member| member.client_id().to_owned()).collect();
        Some((group.protocol().to_owned(), clients))
    })
}

fn progress(corner: &Scenario, settings: &Value, group: &str) -> Progress {
    let topic = |source: &Value| (source["topic"].as_str().expect("a topic").to_owned(), 1);
    let sources = settings["sources"].as_array().expect("sources").iter().map(topic).collect();
    Progress::new(corner.kafka, group, sources)
}

fn until_drained(normalizer: &mut Normalizer, progress: &Progress) {
    normalizer.until(PATIENCE, "all is read and committed", || progress.lag().filter(|lag| *lag == 0));
}

/// Writes bodies to a raw topic and waits until Kafka has them.
fn write<'b>(kafka: &Kafka, topic: &str, bodies: impl IntoIterator<Item = &'b str>, header: Option<(&str, &str)>) {
    let producer: BaseProducer = kafka.client().create().expect("create a producer");
    for body in bodies {
        let mut record = BaseRecord::<(), str>::to(topic).payload(body);
        if let Some((key, value)) = header {
            record = record.headers(OwnedHeaders::new().insert(Header { key, value: Some(value) }));
        }
        producer.send(record).map_err(|(error, _)| error).expect("send");
    }
    producer.flush(ANSWER_WITHIN).expect("write");
}

/// A run that begins at the end of its topic, and whose transactions end by their number of records or take [`INTERVAL`].
pub struct Slow {
    pub has_read_old: bool,
    /// From a record to its commit.
    pub waited: Duration,
    /// How many transactions [`BURST`] records took.
    pub transactions: f64,
}

/// Records that are written at once.
pub const BURST: usize = 40;
pub const COMMIT_RECORDS: usize = 10;
pub const COMMIT_BYTES: usize = 1_000;

pub fn slow() -> &'static Slow {
    static SLOW: LazyLock<Option<Slow>> = LazyLock::new(|| catch_unwind(Slow::run).ok());
    done(&SLOW)
}

impl Slow {
    fn run() -> Slow {
        let corner = corner("slow");
        let (topic, output) = (format!("{}.raw", corner.prefix), format!("{}.slow.sms", corner.prefix));
        corner.kafka.create_topic(&topic, 1, &[]);
        let write = |ids: &[String]| {
            let bodies: Vec<_> = ids.iter().map(|id| report(id, "")).collect();
            write(corner.kafka, &topic, bodies.iter().map(String::as_str), None);
        };
        write(&["old".to_owned()]);
        let mut settings = settings(&corner, "slow", &json!([{ "topic": topic, "vendor": "mobtexting" }]));
        settings["kafka"]["auto_offset_reset"] = json!("latest");
        settings["delivery"] =
            json!({ "workers": 1, "commit_interval_ms": INTERVAL.as_millis() as u64, "commit_records": COMMIT_RECORDS });
        let mut normalizer = Normalizer::start(&settings);
        normalizer.wait_ready();
        let progress = progress(&corner, &settings, &format!("{}.slow", corner.prefix));
        // When it has found the end of the topic can't be seen: from then on, what is written is read.
        let mut number = 0;
        normalizer.until(PATIENCE, "something is read", || {
            number += 1;
            write(&[format!("new-{number}")]);
            progress.written(std::slice::from_ref(&output)).filter(|written| *written > 0)
        });
        until_drained(&mut normalizer, &progress);

        let written_at = Instant::now();
        write(&["one".to_owned()]);
        until_drained(&mut normalizer, &progress);
        let waited = written_at.elapsed();

        let before = counted(&normalizer);
        write(&(0..BURST).map(|number| format!("burst-{number}")).collect::<Vec<_>>());
        let transactions = transactions_since(&normalizer, before);
        assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
        let decoder = Decoder::new();
        let read = read_committed(corner.kafka, &corner.kafka.topics(&output), PATIENCE);
        let id = |record: &Record| decoder.json(record.value.as_deref().unwrap_or_default()).expect("an envelope");
        let has_read_old = read.iter().any(|record| id(record)["message"]["message_id"] == "old");
        Slow { has_read_old, waited, transactions }
    }
}

/// Transactions that were committed, and the records in them.
fn counted(normalizer: &Normalizer) -> (f64, f64) {
    let of = |name| normalizer.metric(&format!("normalizer_transaction_records_{name}"), &[]);
    // What is counted between the two questions shows in the second.
    let records = of("sum");
    (of("count"), records)
}

/// Waits until the records of a burst are committed, and says in how many transactions.
fn transactions_since(normalizer: &Normalizer, (count, records): (f64, f64)) -> f64 {
    let end = records + BURST as f64;
    let (now, _) = eventually(PATIENCE, "the burst is committed", || Some(counted(normalizer)).filter(|(_, sum)| *sum >= end));
    now - count
}

/// A run whose transactions end by their bytes or take [`INTERVAL`], and that is asked to stop while the brokers hang.
pub struct Stopped {
    /// How many transactions [`BURST`] records took.
    pub transactions: f64,
    pub exit: Option<i32>,
    pub log: String,
}

pub fn stopped() -> &'static Stopped {
    static STOPPED: LazyLock<Option<Stopped>> = LazyLock::new(|| catch_unwind(Stopped::run).ok());
    done(&STOPPED)
}

impl Stopped {
    fn run() -> Stopped {
        let corner = corner("stopped");
        let (topic, output) = (format!("{}.raw", corner.prefix), format!("{}.stopped.sms", corner.prefix));
        corner.kafka.create_topic(&topic, 1, &[]);
        let bodies: Vec<_> = (0..BURST).map(|number| report(&format!("burst-{number}"), "")).collect();
        write(corner.kafka, &topic, bodies.iter().map(String::as_str), None);
        let (address, proxy) = corner.kafka.through_proxy();
        let mut settings = settings(&corner, "stopped", &json!([{ "topic": topic, "vendor": "mobtexting" }]));
        settings["kafka"]["brokers"] = json!(address);
        settings["delivery"] = json!({
            "workers": 1,
            "commit_interval_ms": INTERVAL.as_millis() as u64,
            "commit_bytes": COMMIT_BYTES,
            "shutdown_timeout_ms": 1_000,
        });
        settings["log"] = json!({ "format": "text" });
        let mut normalizer = Normalizer::start(&settings);
        normalizer.wait_ready();
        let transactions = transactions_since(&normalizer, (0.0, 0.0));

        // A transaction is open, and can't be ended.
        let progress = progress(&corner, &settings, &format!("{}.stopped", corner.prefix));
        let written = || progress.written(std::slice::from_ref(&output));
        let before = eventually(ANSWER_WITHIN, "the output is there", written);
        write(corner.kafka, &topic, [report("last", "").as_str()], None);
        normalizer.until(PATIENCE, "a transaction is open", || written().filter(|now| *now > before));
        proxy.delay_coordinator(STUCK);
        normalizer.signal(Signal::SIGTERM);
        let exit = normalizer.wait_exit(EXIT_WITHIN);
        proxy.heal();
        Stopped { transactions, exit, log: normalizer.log() }
    }
}
