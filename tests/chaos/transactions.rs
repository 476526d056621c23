//! What became of every transaction, read from the brokers' own logs with Kafka's own tool: whether the outputs of a raw
//! record stand in the very transaction that commits its offset.
//!
//! A transaction is told by its producer's id and the moment at which the coordinator decided: a producer has one at a time,
//! and all brokers of a run share one clock. A record belongs to the transaction that the producer's next marker in its
//! partition ends; a marker belongs to the last decision before it. Markers may come twice, where a coordinator was killed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::support::check::{Seen, stream_topic};
use crate::support::jars;
use crate::support::node::java;
use crate::support::scenario::Scenario;

/// How many differences of one kind are printed.
const SHOWN: usize = 5;

/// A longer time without a commit is a pause.
const PAUSE_MS: i64 = 500;

/// Kafka's numbers for the states in which an outcome is decided.
const PREPARE_COMMIT: i64 = 2;
const PREPARE_ABORT: i64 = 3;

/// A transaction: the producer's id, and which of its decisions ended it.
type Transaction = (i64, usize);

/// What the logs say.
#[derive(Default)]
pub struct Transactions {
    pub committed: usize,
    pub aborted: usize,
    /// The group's last generation, or epoch: about so often its partitions were shared out anew.
    pub generations: i64,
    pub pauses: Pauses,
    /// Outputs that are not in the transaction that commits the offset of their raw record.
    pub torn: Vec<String>,
    /// The partitions of those outputs.
    pub torn_in: BTreeSet<String>,
    /// Committed offsets that go back, or that no transaction committed.
    pub offsets_wrong: Vec<String>,
}

/// Times in which the whole group committed nothing.
#[derive(Default)]
pub struct Pauses {
    pub count: usize,
    pub seconds: f64,
    pub longest_seconds: f64,
}

impl Pauses {
    /// From the moments of all commits, in milliseconds.
    fn between(mut commits: Vec<i64>) -> Pauses {
        commits.sort_unstable();
        let gaps = commits.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > PAUSE_MS);
        let mut pauses = Pauses::default();
        for gap in gaps {
            let seconds = gap as f64 / 1000.0;
            pauses.count += 1;
            pauses.seconds += seconds;
            pauses.longest_seconds = pauses.longest_seconds.max(seconds);
        }
        pauses
    }
}

/// What one producer's coordinator decided, in the order of time: when, and whether to commit.
type Decisions = HashMap<i64, Vec<(i64, bool)>>;

/// The batches of one partition.
#[derive(Default)]
struct Log {
    /// Last offset and producer of each batch of records, by its first offset.
    batches: BTreeMap<i64, (i64, i64)>,
    /// Time of each marker, by producer and offset.
    markers: BTreeMap<(i64, i64), i64>,
}

impl Log {
    /// Notes a line about a batch.
    fn note(&mut self, line: &str) {
        if !line.starts_with("baseOffset:") {
            return;
        }
        let (first, producer) = (field(line, "baseOffset"), field(line, "producerId"));
        if line.contains(" isControl: true ") {
            self.markers.insert((producer, first), field(line, "CreateTime"));
        } else {
            self.batches.insert(first, (field(line, "lastOffset"), producer));
        }
    }

    /// The transaction of the record at an offset; none where it was sent outside of any.
    fn transaction(&self, offset: i64, decisions: &Decisions) -> Option<(Transaction, bool)> {
        let (_, (last, producer)) = self.batches.range(..=offset).next_back()?;
        if *last < offset {
            return None;
        }
        let (_, marked_at) = self.markers.range((*producer, offset)..=(*producer, i64::MAX)).next()?;
        let decisions = decisions.get(producer)?;
        let decided = decisions.partition_point(|(decided_at, _)| decided_at <= marked_at).checked_sub(1)?;
        Some(((*producer, decided), decisions[decided].1))
    }
}

impl Transactions {
    /// Reads the logs of one broker, which has a replica of everything, and compares with what a consumer saw.
    pub fn read(cluster: &Cluster, scenario: &Scenario, seen: &[Seen]) -> Transactions {
        let data = cluster.data(0);
        let segments = |topic: &str| segments(&data, topic);
        let decisions = decisions(&segments("__transaction_state-"));
        let mut transactions = Transactions::default();
        let all = decisions.values().flatten();
        let commits: Vec<i64> = all.filter(|(_, is_commit)| *is_commit).map(|(at, _)| *at).collect();
        transactions.committed = commits.len();
        transactions.aborted = decisions.values().map(Vec::len).sum::<usize>() - commits.len();
        transactions.pauses = Pauses::between(commits);
        let offsets_topic = format!("__consumer_offsets-{}", Cluster::offsets_partition(&scenario.group()));
        let commits = transactions.commits(&segments(&offsets_topic), &decisions);
        let logs = logs(&segments(&stream_topic(&scenario.prefix, "")));

        for record in seen {
            let Some((topic, partition, offset)) = record.source() else { continue };
            let at = format!("{}-{}", record.topic, record.partition);
            let of_output = logs.get(&at).and_then(|log| log.transaction(record.offset, &decisions));
            let of_offset = commits.get(&format!("{topic}-{partition}")).and_then(|commits| {
                let (_, transaction) = commits.range(offset + 1..).next()?;
                Some((*transaction, true))
            });
            if of_output.is_none() || of_output != of_offset {
                transactions.torn.push(format!(
                    "{at}@{}: of {topic}-{partition}@{offset}: in transaction {of_output:?}, its offset in {of_offset:?} \
                     ((producer, number), committed)",
                    record.offset
                ));
                transactions.torn_in.insert(at);
            }
        }
        transactions
    }

    /// The transactions that committed offsets of the group: by partition of a source, then by the next offset to read.
    fn commits(&mut self, segments: &[PathBuf], decisions: &Decisions) -> HashMap<String, BTreeMap<i64, Transaction>> {
        let mut offsets = Vec::new();
        let mut log = Log::default();
        dump(segments, &["--offsets-decoder"], |_, line| {
            if let Some((key, value)) = decoded(line) {
                let generation = value["data"]["generation"].as_i64().or(value["data"]["epoch"].as_i64());
                self.generations = self.generations.max(generation.unwrap_or(0));
                let (topic, partition) = (&key["data"]["topic"], &key["data"]["partition"]);
                if let (Some(topic), Some(partition), Some(next)) =
                    (topic.as_str(), partition.as_i64(), value["data"]["offset"].as_i64())
                {
                    offsets.push((field(line, "offset"), format!("{topic}-{partition}"), next));
                }
            } else {
                log.note(line);
            }
        });
        let mut commits: HashMap<String, BTreeMap<i64, Transaction>> = HashMap::new();
        for (at, partition, next) in offsets {
            match log.transaction(at, decisions) {
                Some((transaction, true)) => {
                    let commits = commits.entry(partition.clone()).or_default();
                    if let Some((last, _)) = commits.last_key_value()
                        && *last > next
                    {
                        self.offsets_wrong.push(format!("{partition}: {next} committed after {last}"));
                    }
                    // The same offset again has no record of its own.
                    commits.entry(next).or_insert(transaction);
                }
                Some((_, false)) => {}
                None => self.offsets_wrong.push(format!("{partition}: {next} committed outside of a transaction")),
            }
        }
        commits
    }
}

impl fmt::Display for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Transactions { committed, aborted, generations, pauses, .. } = self;
        writeln!(f, "transactions: {committed} committed, {aborted} aborted; {generations} generations of the group")?;
        let Pauses { count, seconds, longest_seconds } = pauses;
        writeln!(
            f,
            "no commit for more than {PAUSE_MS} ms: {count} times, {seconds:.1} s in all, {longest_seconds:.1} s at most"
        )?;
        for (kind, found) in [("torn", &self.torn), ("offsets wrong", &self.offsets_wrong)] {
            writeln!(f, "{kind}: {}", found.len())?;
            for text in found.iter().take(SHOWN) {
                writeln!(f, "  {text}")?;
            }
        }
        Ok(())
    }
}

/// What the coordinators decided, from their own topic.
fn decisions(segments: &[PathBuf]) -> Decisions {
    let mut decisions = Decisions::new();
    dump(segments, &["--transaction-log-decoder"], |_, line| {
        let Some((_, value)) = decoded(line) else { return };
        let data = &value["data"];
        let status = data["transactionStatus"].as_i64();
        if let (Some(status @ (PREPARE_COMMIT | PREPARE_ABORT)), Some(producer)) = (status, data["producerId"].as_i64()) {
            let at = data["transactionLastUpdateTimestampMs"].as_i64().expect("the time of a decision");
            decisions.entry(producer).or_default().push((at, status == PREPARE_COMMIT));
        }
    });
    decisions
}

/// The batches of each partition, by `topic-partition`.
fn logs(segments: &[PathBuf]) -> HashMap<String, Log> {
    let mut logs: HashMap<String, Log> = HashMap::new();
    dump(segments, &[], |partition, line| {
        if line.starts_with("baseOffset:") {
            logs.entry(partition.to_owned()).or_default().note(line);
        }
    });
    logs
}

/// The files of the partitions whose names begin so, each partition's in order.
pub fn segments(data: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for partition in fs::read_dir(data).expect("read the broker's data").flatten() {
        if partition.file_name().to_string_lossy().starts_with(prefix) {
            let segments = fs::read_dir(partition.path()).expect("read a partition's folder").flatten();
            files
                .extend(segments.map(|segment| segment.path()).filter(|path| path.extension().is_some_and(|ext| ext == "log")));
        }
    }
    files.sort();
    files
}

/// Runs Kafka's tool over files; gives each line with the name of the partition that it is about.
fn dump(segments: &[PathBuf], options: &[&str], mut each: impl FnMut(&str, &str)) {
    let libs = jars::libs().unwrap_or_else(|error| panic!("{error:#}"));
    let files = segments.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().join(",");
    let mut tool = java(&libs)
        .arg("org.apache.kafka.tools.DumpLogSegments")
        .args(options)
        .args(["--files", &files])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("start java");
    let mut partition = String::new();
    for line in BufReader::new(tool.stdout.take().expect("what the tool prints")).lines() {
        let line = line.expect("text");
        if let Some(path) = line.strip_prefix("Dumping ") {
            let folder = PathBuf::from(path).parent().and_then(|folder| folder.file_name().map(ToOwned::to_owned));
            partition = folder.expect("a partition's folder").to_string_lossy().into_owned();
        } else {
            each(&partition, &line);
        }
    }
    let status = tool.wait().expect("wait for the tool");
    assert!(status.success(), "Kafka's tool for its logs ended with {status}");
}

/// Key and value of a record, where the tool could decode them.
fn decoded(line: &str) -> Option<(Value, Value)> {
    let (_, rest) = line.strip_prefix("| ")?.split_once(" key: ")?;
    let (key, value) = rest.split_once(" payload: ")?;
    Some((serde_json::from_str(key).ok()?, serde_json::from_str(value).ok()?))
}

/// A number in a line of `name: value` pairs.
fn field(line: &str, name: &str) -> i64 {
    let start = line.find(&format!("{name}: ")).unwrap_or_else(|| panic!("no {name} in: {line}")) + name.len() + 2;
    let text = line[start..].split(' ').next().unwrap_or_default();
    text.parse().unwrap_or_else(|_| panic!("{name} is no number in: {line}"))
}
