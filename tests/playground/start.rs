//! The playground without Docker: Kafka and the registry from their jars, the program, and the load of compose.yaml.
//!
//! All of it ends with this process, however that ends: what is left of a part then is cleaned up by its leash.

use std::io::{BufRead, BufReader, IsTerminal, stderr};
use std::net::TcpListener;
use std::process::{ChildStdout, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, fs, process};

use anyhow::{Context, Result, bail, ensure};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use event_normalizer::settings::{Settings, Source};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::bodies::{Bodies, key_and_body};
use super::folder;
use super::support::jars;
use super::support::kafka::{Kafka, tail};
use super::support::node::free_ports;
use super::support::normalizer::{Normalizer, program};
use super::support::registry::Registry;
use super::support::scenario::SHUTDOWN_WITHIN;
use super::support::wait::poll;

/// What people know Kafka and the program by. Where somebody has one of these ports already, another is taken.
const KAFKA_PORT: u16 = 9092;
const ADMIN_PORT: u16 = 9464;
/// The addresses in the settings file, which are those of compose.yaml.
const COMPOSE_BROKERS: &str = "kafka:19092";
const COMPOSE_REGISTRY: &str = "http://registry:8080/apis/ccompat/v7";
const PARTITIONS: i32 = 3;
/// The load never ends; what is kept of it does.
const RETENTION: &[&str] = &["log.retention.bytes=16777216"];

/// The topic of which an event is shown.
const SHOWN_TOPIC: &str = "events.sms";
const FIRST_EVENT_WITHIN: Duration = Duration::from_secs(60);
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
const QUEUE_PAUSE: Duration = Duration::from_millis(10);
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// As a shell has it after Ctrl-C.
const INTERRUPTED: i32 = 130;

pub fn run() -> ExitCode {
    match play() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play() -> Result<()> {
    let rounds_a_second = load_of_the_environment()?;
    let missing = jars::missing();
    if !missing.is_empty() {
        bail!(
            "the playground runs Kafka and a schema registry on this machine. Install:\n- {}\n\
             or, with Docker: docker compose -f deploy/compose.yaml up --build",
            missing.join("\n  and ")
        );
    }
    let interrupt = Interrupt::listen()?;
    eprintln!("starting Kafka (the first time its jars are fetched)");
    let [free, controller, proxy, behind, free_admin] = free_ports()?;
    let kafka = Kafka::alone([known_or(KAFKA_PORT, free), controller, proxy, behind], RETENTION)?;
    eprintln!("starting the schema registry");
    let registry = Registry::start()?;
    eprintln!("starting the normalizer");
    let admin = format!("127.0.0.1:{}", known_or(ADMIN_PORT, free_admin));
    let text = settings(&kafka, &registry, &admin)?;
    let sources = Settings::of_yaml(&text)?.sources;
    for source in &sources {
        kafka.create_topic(&source.topic, PARTITIONS, &[]);
    }
    let mut normalizer = Normalizer::with_file(&text, admin);
    normalizer.start_again();
    normalizer.wait_ready();
    let loads = sources.iter().map(|source| Load::start(&kafka, source, rounds_a_second)).collect::<Result<Vec<_>>>()?;
    let event = first_event(&kafka, &registry)?;

    println!("\nAn event of {SHOWN_TOPIC}, read with the schema that the registry has under its id:\n\n{event:#}\n");
    println!("{}", signpost(&kafka, &registry, &normalizer)?);
    let interrupted = interrupt.once_up();
    while let Err(RecvTimeoutError::Timeout) = interrupted.recv_timeout(COUNT_EVERY) {
        if let Some(code) = normalizer.ended() {
            bail!("the normalizer has ended by itself, {code:?}:\n{}", tail(&normalizer.log_file(), 20));
        }
        show_counts(&normalizer);
    }
    eprintln!("\nending: the load, the normalizer with its transactions, the registry, Kafka");
    drop(loads);
    let code = normalizer.terminate(SHUTDOWN_WITHIN);
    ensure!(code == Some(0), "the normalizer ended with {code:?}:\n{}", tail(&normalizer.log_file(), 20));
    Ok(())
}

/// How often a second each vendor's bodies are sent: the variable `LOAD`, as in compose.yaml.
fn load_of_the_environment() -> Result<u32> {
    let load = env::var("LOAD").unwrap_or_else(|_| "1".to_owned());
    load.parse().ok().filter(|load| (1..=1000).contains(load)).context("LOAD: expected a number from 1 to 1000")
}

/// Ctrl-C and SIGTERM. While the parts are being started they end the process at once, and the leashes do the rest.
struct Interrupt {
    are_up: Arc<AtomicBool>,
    interrupted: Receiver<()>,
}

impl Interrupt {
    fn listen() -> Result<Interrupt> {
        let are_up = Arc::new(AtomicBool::new(false));
        let (sender, interrupted) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let flag = Arc::clone(&are_up);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            if !flag.load(Ordering::Relaxed) {
                process::exit(INTERRUPTED);
            }
            // Whoever waits for it may be ending already.
            let _ = sender.send(());
        });
        Ok(Interrupt { are_up, interrupted })
    }

    /// From now on somebody waits for it, and ends the parts in order.
    fn once_up(&self) -> &Receiver<()> {
        self.are_up.store(true, Ordering::Relaxed);
        &self.interrupted
    }
}

fn known_or(known: u16, other: u16) -> u16 {
    if TcpListener::bind(("127.0.0.1", known)).is_ok() { known } else { other }
}

/// The settings file of compose.yaml, with the addresses of what runs here.
fn settings(kafka: &Kafka, registry: &Registry, admin: &str) -> Result<String> {
    let text = fs::read_to_string(folder().join("event-normalizer.yaml"))?;
    for address in [COMPOSE_BROKERS, COMPOSE_REGISTRY] {
        ensure!(text.contains(address), "the playground's settings don't name {address}");
    }
    let text = text.replace(COMPOSE_BROKERS, kafka.brokers()).replace(COMPOSE_REGISTRY, &registry.url());
    Ok(format!("{text}admin:\n  address: {admin}\n"))
}

/// Writes a vendor's bodies to its raw topic. Dropping it ends that.
struct Load {
    script: Option<Bodies>,
    writer: Option<JoinHandle<()>>,
}

impl Load {
    fn start(kafka: &Kafka, source: &Source, rounds_a_second: u32) -> Result<Load> {
        let producer: ThreadedProducer<DefaultProducerContext> = kafka.client().create()?;
        let (script, printed) = Bodies::start(&source.vendor, rounds_a_second)?;
        let topic = source.topic.clone();
        let writer = thread::spawn(move || {
            if let Err(error) = write(&producer, &topic, printed) {
                eprintln!("the load of {topic} has ended: {error:#}");
            }
        });
        Ok(Load { script: Some(script), writer: Some(writer) })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // With the script its lines end, and with them the writer.
        drop(self.script.take());
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

fn write(producer: &ThreadedProducer<DefaultProducerContext>, topic: &str, printed: BufReader<ChildStdout>) -> Result<()> {
    for line in printed.lines() {
        let line = line?;
        // The script may have been ended in the middle of a line.
        let Ok((key, body)) = key_and_body(&line) else { break };
        let mut record = BaseRecord::to(topic).key(key).payload(body);
        while let Err((error, refused)) = producer.send(record) {
            // Kafka is away for a while, or slower than the load.
            let is_full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            ensure!(is_full, "{error}");
            thread::sleep(QUEUE_PAUSE);
            record = refused;
        }
    }
    Ok(producer.flush(FLUSH_WITHIN)?)
}

/// The first event of a topic, as a reader has it that knows the registry alone.
fn first_event(kafka: &Kafka, registry: &Registry) -> Result<Value> {
    let mut config = kafka.client();
    config.set("group.id", "playground").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[SHOWN_TOPIC])?;
    let found = poll(FIRST_EVENT_WITHIN, || match consumer.poll(Duration::from_millis(100))? {
        Ok(record) => record.payload().map(<[u8]>::to_vec),
        // It passes, or the deadline does.
        Err(_) => None,
    });
    let framed = found.with_context(|| format!("nothing came out on {SHOWN_TOPIC} within {FIRST_EVENT_WITHIN:?}"))?;
    let Some(([0, id @ ..], mut datum)) = framed.split_first_chunk::<5>() else {
        bail!("the event has no registry's id before it");
    };
    let schema = Schema::parse_str(&registry.schema(u32::from_be_bytes(*id))?)?;
    let event = GenericDatumReader::builder(&schema).build()?.read_value(&mut datum)?;
    Ok(for_people(Value::try_from(event)?))
}

/// Without what is null, and without the bytes of the payload.
fn for_people(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let fields = fields.into_iter().filter(|(name, value)| name != "payload" && !value.is_null());
    Value::Object(fields.map(|(name, value)| (name, for_people(value))).collect())
}

/// Where to look, and what to try.
fn signpost(kafka: &Kafka, registry: &Registry, normalizer: &Normalizer) -> Result<String> {
    let (brokers, admin, registry) = (kafka.brokers(), normalizer.address(), registry.url());
    let (settings, log) = (normalizer.settings_file(), normalizer.log_file());
    let (settings, log) = (settings.display(), log.display());
    let program = program();
    let program = program.display();
    let java = format!("java -cp '{}/*' org.apache.kafka.tools", jars::libs()?.display());
    Ok(format!(
        "\
The playground runs.

  Kafka              {brokers}   raw.infobip, raw.mobtexting, raw.altcraft; events.*; events.dead-letters
  schema registry    {registry}/subjects
  metrics            http://{admin}/metrics   and /status, /readyz, /healthz
  settings           {settings}
  log                {log}

What the vendors sent, and what was set aside:
  {java}.consumer.ConsoleConsumer --bootstrap-server {brokers} --from-beginning --max-messages 3 --topic raw.infobip
  {program} dead-letters summary --settings {settings}
  {program} dead-letters list --limit 3 --settings {settings}

How far the group has read:
  {java}.consumer.group.ConsumerGroupCommand --bootstrap-server {brokers} --describe --group event-normalizer

The events are Avro, framed with the registry's id; schemas/README.md says how others read them, with isolation.level=read_committed.
More load: LOAD=20 make playground. Ctrl-C ends everything.
"
    ))
}

/// One line that stays where it is on a terminal.
fn show_counts(normalizer: &Normalizer) {
    if !normalizer.is_ready() {
        return eprintln!("{}", normalizer.readiness().unwrap_or_else(|| "the normalizer does not answer".to_owned()).trim());
    }
    let [records, events, dead_letters] =
        ["normalizer_records_consumed_total", "normalizer_events_produced_total", "normalizer_dead_letters_total"]
            .map(|name| normalizer.metric(name, &[]));
    let line = format!("{records} raw records became {events} events and {dead_letters} dead letters");
    if stderr().is_terminal() {
        eprint!("\r{line}");
    } else {
        eprintln!("{line}");
    }
}
