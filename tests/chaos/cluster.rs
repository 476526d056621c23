//! Three brokers, each behind a proxy.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataTopic;

use crate::support::kafka::Kafka;
use crate::support::node::{Node, free_ports};
use crate::support::proxy::Proxy;
use crate::support::wait::eventually;
use crate::support::{jars, lock};

const NODES: usize = 3;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const IN_SYNC_WITHIN: Duration = Duration::from_secs(120);
const MISSED_WITHIN: Duration = Duration::from_secs(60);

/// Partitions of the brokers' own topics: few, so that every broker leads some and a start is quick.
const OFFSETS_PARTITIONS: i32 = 3;
const TRANSACTION_PARTITIONS: i32 = 3;

/// What every node is told, beside its place in the cluster.
const SETTINGS: &[(&str, &str)] = &[
    ("default.replication.factor", "3"),
    ("min.insync.replicas", "2"),
    ("offsets.topic.replication.factor", "3"),
    ("transaction.state.log.replication.factor", "3"),
    ("transaction.state.log.min.isr", "2"),
    ("unclean.leader.election.enable", "false"),
    ("auto.create.topics.enable", "false"),
    // Nothing is compacted away: what became of every transaction is read from the logs afterwards.
    ("log.cleaner.enable", "false"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("log.index.size.max.bytes", "1048576"),
];

/// Short time-outs, so that more faults fit into a run.
pub const QUICK: &[(&str, &str)] = &[
    // A broker that is killed is missed after three seconds.
    ("broker.session.timeout.ms", "3000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("controller.quorum.election.timeout.ms", "1000"),
    ("controller.quorum.fetch.timeout.ms", "2000"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    ("group.initial.rebalance.delay.ms", "0"),
    // The group protocol of KIP-848 has its time-outs here and not in the clients.
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.heartbeat.interval.ms", "500"),
    ("group.consumer.heartbeat.interval.ms", "1000"),
];

/// Three brokers, each behind a proxy. Dropping it ends them.
pub struct Cluster {
    nodes: Vec<Mutex<Node>>,
    pub proxies: Vec<Proxy>,
    /// Addresses behind the proxies, for what watches.
    pub kafka: &'static Kafka,
    /// Addresses of the proxies, for what is watched.
    pub proxied: String,
    watcher: BaseConsumer,
}

/// Whose leader is meant.
#[derive(Clone, Copy, Debug)]
pub enum Role<'a> {
    /// The coordinator of this transactional id.
    TransactionCoordinator(&'a str),
    /// The coordinator of this consumer group.
    GroupCoordinator(&'a str),
    Controller,
}

impl Cluster {
    /// Starts three brokers with Kafka's own time-outs, where `settings` don't say otherwise.
    pub fn start(settings: &[(&str, &str)]) -> Result<Cluster> {
        let missing = jars::missing();
        ensure!(
            missing.is_empty(),
            "these tests start and kill three brokers of their own; install {}",
            missing.join("\n  and ")
        );
        let ports: Vec<[u16; 4]> = (0..NODES).map(|_| free_ports()).collect::<Result<_>>()?;
        let voters: Vec<_> =
            ports.iter().zip(1..).map(|([.., controller], id)| format!("{id}@127.0.0.1:{controller}")).collect();
        let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
        for ([proxy, behind, direct, controller], id) in ports.iter().zip(1..) {
            let mut properties = vec![
                "process.roles=broker,controller".to_owned(),
                format!("node.id={id}"),
                format!("controller.quorum.voters={}", voters.join(",")),
                "controller.listener.names=CONTROLLER".to_owned(),
                format!(
                    "listeners=CLIENTS://127.0.0.1:{behind},DIRECT://127.0.0.1:{direct},CONTROLLER://127.0.0.1:{controller}"
                ),
                format!("advertised.listeners=CLIENTS://127.0.0.1:{proxy},DIRECT://127.0.0.1:{direct}"),
                "inter.broker.listener.name=DIRECT".to_owned(),
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT,CLIENTS:PLAINTEXT,DIRECT:PLAINTEXT".to_owned(),
                format!("offsets.topic.num.partitions={OFFSETS_PARTITIONS}"),
                format!("transaction.state.log.num.partitions={TRANSACTION_PARTITIONS}"),
            ];
            properties.extend(SETTINGS.iter().chain(settings).map(|(key, value)| format!("{key}={value}")));
            let mut node = Node::new(format!("127.0.0.1:{direct}"), properties)?;
            node.launch()?;
            nodes.push(Mutex::new(node));
            proxies.push(Proxy::start(*proxy, *behind)?);
        }
        let addresses = |port: fn(&[u16; 4]) -> u16| {
            ports.iter().map(|ports| format!("127.0.0.1:{}", port(ports))).collect::<Vec<_>>().join(",")
        };
        let kafka: &'static Kafka = Box::leak(Box::new(Kafka::named(addresses(|ports| ports[2]), NODES as i32)));
        let cluster = Cluster {
            nodes,
            proxies,
            kafka,
            proxied: addresses(|ports| ports[0]),
            watcher: kafka.client().create().context("create a consumer")?,
        };
        for node in &cluster.nodes {
            lock(node).wait_ready()?;
        }
        Ok(cluster)
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    pub fn stop(&self, node: usize, signal: Signal) {
        lock(&self.nodes[node]).stop(signal).unwrap_or_else(|error| panic!("stop broker {node}: {error:#}"));
    }

    /// Waits until a stopped broker leads nothing any more, so that no coordinator is back before the controller has missed it.
    ///
    /// Kafka 4.3.1 starts such a broker with the leaderships that it had. Where its log of transactions ends with a decision
    /// that no other broker has, it sends the markers of that decision, and only then is told that it leads nothing and has
    /// its log cut. Offsets are committed then whose outputs may be aborted. No client can do anything about that.
    pub fn wait_missed(&self, node: usize) {
        let id = i32::try_from(node + 1).expect("the id of a node");
        eventually(MISSED_WITHIN, "a stopped broker leads nothing", || {
            let metadata = self.watcher.fetch_metadata(None, ANSWER_WITHIN).ok()?;
            let mut partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
            partitions.all(|partition| partition.leader() >= 0 && partition.leader() != id).then_some(())
        });
    }

    /// Starts a stopped broker again and waits until it answers.
    pub fn start_again(&self, node: usize) {
        let mut node = lock(&self.nodes[node]);
        node.launch().and_then(|()| node.wait_ready()).unwrap_or_else(|error| panic!("start a broker again: {error:#}"));
    }

    /// Waits until every partition of the cluster has all its replicas in sync.
    pub fn wait_in_sync(&self) {
        eventually(IN_SYNC_WITHIN, "all replicas are in sync", || {
            let metadata = self.watcher.fetch_metadata(None, ANSWER_WITHIN).ok()?;
            let mut partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
            let in_sync = partitions.all(|partition| partition.leader() >= 0 && partition.isr().len() == NODES);
            (in_sync && metadata.brokers().len() == NODES).then_some(())
        });
    }

    /// The position of the broker that has this role now; none while nobody has it.
    pub fn leader(&self, role: Role<'_>) -> Option<usize> {
        match role {
            Role::TransactionCoordinator(id) => self.leader_of("__transaction_state", id, TRANSACTION_PARTITIONS),
            Role::GroupCoordinator(group) => self.leader_of("__consumer_offsets", group, OFFSETS_PARTITIONS),
            Role::Controller => self.controller(),
        }
    }

    /// The partition of `__consumer_offsets` that has this group's offsets.
    pub fn offsets_partition(group: &str) -> i32 {
        partition_of(group, OFFSETS_PARTITIONS)
    }

    /// The folders of a node's partitions.
    pub fn data(&self, node: usize) -> PathBuf {
        lock(&self.nodes[node]).data()
    }

    /// What a node printed.
    pub fn log(&self, node: usize) -> PathBuf {
        lock(&self.nodes[node]).log()
    }

    fn leader_of(&self, topic: &str, key: &str, partitions: i32) -> Option<usize> {
        let metadata = self.watcher.fetch_metadata(Some(topic), ANSWER_WITHIN).ok()?;
        let wanted = partition_of(key, partitions);
        let partition = metadata.topics().first()?.partitions().iter().find(|partition| partition.id() == wanted)?;
        usize::try_from(partition.leader() - 1).ok()
    }

    /// Brokers hide who the active controller is; the nodes write down whom they follow.
    fn controller(&self) -> Option<usize> {
        let state = fs::read(self.data(0).join("__cluster_metadata-0/quorum-state")).ok()?;
        let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
        usize::try_from(state["leaderId"].as_i64()? - 1).ok()
    }
}

/// The partition of an internal topic that keeps what belongs to this id, as brokers compute it from Java's hash.
fn partition_of(id: &str, partitions: i32) -> i32 {
    let hash = id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions
}
