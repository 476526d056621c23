//! The Kafka that the tests run against: a broker that is running already, one node of our own, or a container.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataTopic;
use testcontainers_modules::kafka::apache;
use testcontainers_modules::testcontainers::runners::SyncRunner;
use testcontainers_modules::testcontainers::{Container, ImageExt};

use super::jars;
use super::leash::Leash;
use super::lock;
use super::node::{Node, free_ports};
use super::proxy::Proxy;
use super::wait::poll;

const READY_WITHIN: Duration = Duration::from_secs(60);
const REQUEST_WITHIN: Duration = Duration::from_secs(30);

const NOT_OURS: &str = "which can't be done with a container or with the one that KAFKA_BROKERS names: unset KAFKA_BROKERS \
                        and install Java and Maven";

/// What every broker of ours is told, node or container.
const BROKER_SETTINGS: &[(&str, &str)] = &[
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    // A test says what topics there are; a topic that appears by itself would hide a fault.
    ("auto.create.topics.enable", "false"),
    // Room for the bodies that are too large for the normalizer.
    ("message.max.bytes", "16777216"),
    // What a killed process leaves open is ended a second after its time is over, not ten.
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    ("group.initial.rebalance.delay.ms", "0"),
    // Small and fast.
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("num.network.threads", "1"),
    ("num.io.threads", "2"),
    ("log.cleaner.dedupe.buffer.size", "4194304"),
    ("log.segment.bytes", "16777216"),
    ("log.index.size.max.bytes", "1048576"),
    ("file.delete.delay.ms", "1000"),
    // Benchmarks write more than they keep.
    ("log.retention.check.interval.ms", "5000"),
];

/// A Kafka to test against.
pub struct Kafka {
    brokers: String,
    /// Of the topics that the tests make.
    replication: i32,
    origin: Origin,
    proxied: Option<Proxied>,
}

/// A listener of a node of ours whose clients are sent to a proxy.
struct Proxied {
    proxy_port: u16,
    behind: u16,
    proxy: OnceLock<Proxy>,
}

enum Origin {
    /// Named by `KAFKA_BROKERS`; not ours.
    Named,
    Node(Mutex<Node>),
    /// Held so that it lives as long as the test process.
    Container {
        _container: Box<Container<apache::Kafka>>,
        _leash: Leash,
    },
}

impl Kafka {
    /// The one Kafka of this test binary, started when it is first asked for.
    ///
    /// In this order: the brokers of the environment variable `KAFKA_BROKERS`; a node of our own where Java and Maven
    /// are there; a container where a Docker engine answers. With none of them, every test that asks fails.
    pub fn shared() -> &'static Kafka {
        static SHARED: LazyLock<Result<Kafka>> = LazyLock::new(Kafka::start);
        match &*SHARED {
            Ok(kafka) => kafka,
            Err(error) => panic!("{error:#}"),
        }
    }

    fn start() -> Result<Kafka> {
        if let Some(brokers) = env::var("KAFKA_BROKERS").ok().filter(|brokers| !brokers.is_empty()) {
            wait_ready(&brokers, || Ok(())).with_context(|| format!("KAFKA_BROKERS={brokers}"))?;
            return Ok(Kafka::named(brokers, 1));
        }
        let missing = jars::missing();
        if missing.is_empty() {
            return Kafka::alone(free_ports()?, &[]);
        }
        start_container().map_err(|error| {
            anyhow!(
                "these tests need an Apache Kafka, and none can be started. Install one of:\n\
                 - {}\n\
                 - a Docker engine that answers (it said: {error})\n\
                 or name a running broker: KAFKA_BROKERS=localhost:9092",
                missing.join("\n  and ")
            )
        })
    }

    /// A node of our own, started on these ports, the first of which is for clients; with more properties as `key=value`.
    pub fn alone(ports: [u16; 4], more: &[&str]) -> Result<Kafka> {
        let [port, controller, proxy_port, behind] = ports;
        let brokers = format!("127.0.0.1:{port}");
        let mut properties = properties(port, controller, proxy_port, behind);
        properties.extend(more.iter().map(|property| (*property).to_owned()));
        let mut node = Node::new(brokers.clone(), properties)?;
        node.launch()?;
        node.wait_ready()?;
        let proxied = Some(Proxied { proxy_port, behind, proxy: OnceLock::new() });
        Ok(Kafka { brokers, replication: 1, origin: Origin::Node(Mutex::new(node)), proxied })
    }

    /// Brokers that somebody else runs.
    pub fn named(brokers: String, replication: i32) -> Kafka {
        Kafka { brokers, replication, origin: Origin::Named, proxied: None }
    }

    /// A node of ours that only some tests use; it must answer.
    pub fn of_node(brokers: String, node: Node) -> Kafka {
        Kafka { brokers, replication: 1, origin: Origin::Node(Mutex::new(node)), proxied: None }
    }

    /// The addresses for `bootstrap.servers`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The settings that every client of the tests starts from.
    pub fn client(&self) -> ClientConfig {
        client(&self.brokers)
    }

    /// Stops the broker with `stop` (SIGTERM or SIGKILL) and starts it again on the same data and ports.
    ///
    /// Fails the test where the broker isn't a node of ours: what a restart would have shown isn't shown then.
    pub fn restart(&self, stop: Signal) {
        let Origin::Node(node) = &self.origin else {
            panic!("this test restarts its broker, {NOT_OURS}");
        };
        let mut node = lock(node);
        let restarted = node.stop(stop).and_then(|()| node.launch()).and_then(|()| node.wait_ready());
        restarted.unwrap_or_else(|error| panic!("restart the broker: {error:#}"));
    }

    /// The address of a proxy through which alone its clients reach the broker, and the proxy.
    ///
    /// Fails the test where the broker isn't a node of ours.
    pub fn through_proxy(&self) -> (String, &Proxy) {
        let Some(Proxied { proxy_port, behind, proxy }) = &self.proxied else {
            panic!("this test puts a proxy before its broker, {NOT_OURS}");
        };
        let start = || Proxy::start(*proxy_port, *behind).unwrap_or_else(|error| panic!("start a proxy: {error:#}"));
        (format!("127.0.0.1:{proxy_port}"), proxy.get_or_init(start))
    }

    /// How many replicas the topics of the tests have.
    pub fn replication(&self) -> i32 {
        self.replication
    }

    /// Creates a topic.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(self.replication));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let admin = self.admin();
        let created = block_on(admin.create_topics([&topic], &within()));
        for result in created.expect("create topics") {
            result.unwrap_or_else(|(topic, code)| panic!("create topic {topic}: {code}"));
        }
    }

    /// The topics whose names begin with `prefix`, with their numbers of partitions.
    pub fn topics(&self, prefix: &str) -> Vec<(String, i32)> {
        self.find_topics(prefix).expect("fetch metadata")
    }

    /// Deletes the topics whose names begin with `prefix`, as far as that can be done: it runs after failures too.
    pub fn delete_topics(&self, prefix: &str) {
        let topics = self.find_topics(prefix).unwrap_or_default();
        let names: Vec<&str> = topics.iter().map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            let admin = self.admin();
            let _ = block_on(admin.delete_topics(&names, &within()));
        }
    }

    fn find_topics(&self, prefix: &str) -> Result<Vec<(String, i32)>> {
        let consumer: BaseConsumer = self.client().create()?;
        let metadata = consumer.fetch_metadata(None, REQUEST_WITHIN)?;
        let topics = metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix));
        Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32)).collect())
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("create an admin client")
    }
}

/// Waits for the controller until what was asked for is done.
fn within() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(REQUEST_WITHIN))
}

/// The properties of a node that is alone.
fn properties(port: u16, controller: u16, proxy: u16, behind: u16) -> Vec<String> {
    let mut lines = vec![
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}"),
        format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy}"),
        "inter.broker.listener.name=PLAINTEXT".to_owned(),
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT".to_owned(),
    ];
    lines.extend(common_properties());
    lines
}

/// Those that every node has.
pub fn common_properties() -> impl Iterator<Item = String> {
    BROKER_SETTINGS.iter().map(|(key, value)| format!("{key}={value}"))
}

fn start_container() -> Result<Kafka> {
    let mut image = apache::Kafka::default()
        .with_jvm_image()
        .with_tag(jars::KAFKA_VERSION)
        .with_env_var("KAFKA_HEAP_OPTS", "-Xms256m -Xmx512m");
    for (key, value) in BROKER_SETTINGS {
        image = image.with_env_var(format!("KAFKA_{}", key.to_uppercase().replace('.', "_")), *value);
    }
    let container = image.start()?;
    let leash = Leash::on_container(container.id());
    let brokers = format!("127.0.0.1:{}", container.get_host_port_ipv4(apache::KAFKA_PORT)?);
    wait_ready(&brokers, || Ok(()))?;
    let origin = Origin::Container { _container: Box::new(container), _leash: leash };
    Ok(Kafka { brokers, replication: 1, origin, proxied: None })
}

/// Waits until the broker answers with metadata in which every partition has a leader; an open port says little.
pub fn wait_ready(brokers: &str, mut still_running: impl FnMut() -> Result<()>) -> Result<()> {
    let consumer: BaseConsumer = client(brokers).create()?;
    let mut trouble = None;
    let ready = poll(READY_WITHIN, || {
        if let Err(error) = still_running() {
            return Some(Err(error));
        }
        match consumer.fetch_metadata(None, Duration::from_millis(500)) {
            Ok(metadata) => {
                let mut partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
                let led = partitions.all(|partition| partition.leader() >= 0);
                (led && !metadata.brokers().is_empty()).then_some(Ok(()))
            }
            Err(error) => {
                trouble = Some(error);
                None
            }
        }
    });
    ready.unwrap_or_else(|| bail!("the broker at {brokers} wasn't ready within {READY_WITHIN:?}: {trouble:?}"))
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    // A broker that is restarted is found again at once.
    config.set("reconnect.backoff.max.ms", "500");
    config
}

/// The last lines of a log file.
pub fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Runs one call of rdkafka's admin client, which is async only.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("start a runtime");
    runtime.block_on(future)
}
