//! Every broker error that can come from each transactional call, and what the loop makes of it: the expected action stands
//! in `error_matrix/actions.tsv`, written down from the documents and from librdkafka's handlers, and the real loop is run
//! against librdkafka's mock cluster, which answers with the error.

mod scenarios;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::types::{RDKafkaApiKey as Key, RDKafkaRespErr};

use self::trial::{Setup, Trial};

const ACTIONS: &str = include_str!("error_matrix/actions.tsv");

/// Trials mostly wait: the mock lets a new group wait for 3 seconds.
const TRIALS_AT_ONCE: usize = 32;

/// A row of the table.
struct Pair {
    call: &'static Call,
    error: &'static str,
    action: &'static str,
}

/// A call, and how a trial comes to it.
struct Call {
    name: &'static str,
    key: Key,
    moment: Moment,
    /// The error that leads to the call, where a good run has none such.
    cause: Option<(Key, &'static str)>,
}

/// When the error is put in the call's way.
#[derive(Clone, Copy)]
enum Moment {
    /// Before the worker starts; its input is there already.
    Start,
    /// When the worker has its partition, before the first record.
    Joined,
    /// After the first commit, when nothing is left to read.
    Idle,
}

const CALLS: &[Call] = &[
    Call { name: "FindCoordinator", key: Key::FindCoordinator, moment: Moment::Start, cause: None },
    Call { name: "InitProducerId", key: Key::InitProducerId, moment: Moment::Start, cause: None },
    Call { name: "AddPartitionsToTxn", key: Key::AddPartitionsToTxn, moment: Moment::Start, cause: None },
    Call { name: "Produce", key: Key::Produce, moment: Moment::Start, cause: None },
    Call { name: "AddOffsetsToTxn", key: Key::AddOffsetsToTxn, moment: Moment::Start, cause: None },
    // The producer asks for the group's coordinator once, before its first TxnOffsetCommit.
    Call { name: "FindCoordinator-group", key: Key::FindCoordinator, moment: Moment::Joined, cause: None },
    Call { name: "TxnOffsetCommit", key: Key::TxnOffsetCommit, moment: Moment::Start, cause: None },
    Call { name: "EndTxn-commit", key: Key::EndTxn, moment: Moment::Start, cause: None },
    Call {
        name: "EndTxn-abort",
        key: Key::EndTxn,
        moment: Moment::Start,
        cause: Some((Key::TxnOffsetCommit, "ILLEGAL_GENERATION")),
    },
    Call {
        name: "InitProducerId-bump",
        key: Key::InitProducerId,
        moment: Moment::Joined,
        cause: Some((Key::AddPartitionsToTxn, "UNKNOWN_PRODUCER_ID")),
    },
    Call {
        name: "OffsetFetch-rewind",
        key: Key::OffsetFetch,
        moment: Moment::Idle,
        cause: Some((Key::TxnOffsetCommit, "ILLEGAL_GENERATION")),
    },
    Call { name: "OffsetFetch-start", key: Key::OffsetFetch, moment: Moment::Start, cause: None },
    Call { name: "JoinGroup", key: Key::JoinGroup, moment: Moment::Start, cause: None },
    Call { name: "SyncGroup", key: Key::SyncGroup, moment: Moment::Start, cause: None },
    Call { name: "Heartbeat", key: Key::Heartbeat, moment: Moment::Idle, cause: None },
];

/// Records of a first batch, and of a second one that shows that the loop goes on.
const FIRST: usize = 3;
const SECOND: usize = 1;

/// How long an idle group may take to heed a heartbeat's answer; there is one every 100 ms.
const HEARTBEAT_WAIT: Duration = Duration::from_millis(500);

#[test]
fn every_error_of_every_call_leads_to_the_action_of_the_table() {
    let pairs = pairs().expect("the table can be read");
    let open = Mutex::new(pairs.iter().enumerate().rev().collect::<Vec<_>>());
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..TRIALS_AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((index, pair)) = open.lock().expect("no trial panics").pop() else { break };
                    let outcome = pair.run();
                    found.lock().expect("no trial panics").insert(index, outcome);
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no trial panics");
    // On a machine that has no time for so many trials at once, a client's own time-outs run out. What is right alone is right.
    for (index, pair) in pairs.iter().enumerate() {
        if !found[&index].as_ref().is_ok_and(|(action, _)| action == pair.action) {
            found.insert(index, pair.run());
        }
    }
    println!("{}", matrix(&pairs, &found));
    let mut differences = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let difference = match &found[&index] {
            Ok((action, _)) if action == pair.action => continue,
            Ok((action, log)) => format!("{action}, not {}:\n{log}", pair.action),
            Err(error) => format!("expected {}: {error:#}", pair.action),
        };
        differences.push(format!("{} {}: {difference}", pair.call.name, pair.error));
    }
    assert!(differences.is_empty(), "{} of {} pairs differ:\n{}", differences.len(), pairs.len(), differences.join("\n"));
}

fn pairs() -> Result<Vec<Pair>> {
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::new();
    for line in ACTIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (Some(call), Some(error), Some(action)) = (columns.next(), columns.next(), columns.next()) else {
            anyhow::bail!("{line}: expected a call, an error and an action");
        };
        ensure!(seen.insert((call, error)), "{call} {error} stands there twice");
        let call = CALLS.iter().find(|known| known.name == call).with_context(|| format!("{call} is no call"))?;
        code(error)?;
        pairs.push(Pair { call, error, action });
    }
    Ok(pairs)
}

/// An error by Kafka's name of it, or by librdkafka's with an underscore before it.
fn code(name: &str) -> Result<RDKafkaRespErr> {
    let name = format!("RD_KAFKA_RESP_ERR_{name}");
    let mut known = (-200..200).filter_map(|code| RDKafkaRespErr::try_from(code).ok());
    known.find(|code| format!("{code:?}") == name).with_context(|| format!("{name} is no error"))
}

impl Pair {
    /// Runs the loop into the error, and says what it did about it, with its log.
    fn run(&self) -> Result<(String, String)> {
        // A right that is missing stays missing until it is given back; a record that is refused is refused again.
        let times = match self.action {
            "exit-77" | "exit-78" | "waits" => 1_000,
            "set-aside" => 2,
            _ => 1,
        };
        let commit_records = if self.action == "set-aside" { 1 } else { 50_000 };
        // No other member of a group is fenced by its instance.
        let consumer_options: &[_] = if self.error == "FENCED_INSTANCE_ID" { &[("group.instance.id", "trial")] } else { &[] };
        let mut trial = Trial::new(Setup { commit_records, consumer_options, ..Setup::USUAL })?;
        let rebalances = match self.call.moment {
            Moment::Start => {
                trial.write(FIRST)?;
                self.inject(&trial, times)?;
                trial.start();
                1
            }
            Moment::Joined => {
                trial.start();
                trial.until_joined()?;
                self.inject(&trial, times)?;
                trial.write(FIRST)?;
                1
            }
            Moment::Idle => {
                trial.write(FIRST)?;
                trial.start();
                trial.until_committed()?;
                self.inject(&trial, times)?;
                let before = trial.metrics().rebalances.get();
                if self.call.cause.is_none() {
                    trial.within(HEARTBEAT_WAIT, |trial| trial.metrics().rebalances.get() > before);
                }
                trial.write(SECOND)?;
                before
            }
        };
        let mut was_out_of_readiness = false;
        let is_settled = |trial: &Trial| {
            if trial.is_out_of_readiness() {
                was_out_of_readiness = true;
                trial.cluster.clear_request_errors(self.call.key);
            }
            trial.has_ended() || trial.has_committed()
        };
        trial.until("the input was committed", is_settled)?;
        if trial.has_ended() {
            let exit = trial.exit()?.context("the worker ended though nobody asked it to")?;
            return Ok((format!("exit-{}", exit.code()), trial.log()));
        }
        trial.write(SECOND)?;
        trial.until_committed()?;

        let log = trial.log();
        let action = match () {
            () if was_out_of_readiness => "waits",
            () if trial.dead_letters() > 0 => "set-aside",
            () if log.contains("the consumer is replaced") => "new-consumer",
            () if trial.has_replaced() || log.contains("the producer can't be started") => "replace",
            () if trial.aborted() > 0 => "abort",
            () if trial.rebuilds() > 0 => "renew",
            () if trial.metrics().rebalances.get() > rebalances => "rejoin",
            () => "retry",
        };
        // One error leads to few attempts, and one that stays is met at a growing distance.
        ensure!(trial.aborted() <= 5 && trial.rebuilds() <= 5, "{action}, but the loop spins:\n{log}");
        trial.finish().with_context(|| action.to_owned())?;
        Ok((action.to_owned(), log))
    }

    fn inject(&self, trial: &Trial, times: usize) -> Result<()> {
        if let Some((key, error)) = self.call.cause {
            trial.fail(key, &[code(error)?]);
        }
        trial.fail(self.call.key, &vec![code(self.error)?; times]);
        Ok(())
    }
}

/// The table as it was found: errors by calls.
fn matrix(pairs: &[Pair], found: &BTreeMap<usize, Result<(String, String)>>) -> String {
    let errors: BTreeSet<_> = pairs.iter().map(|pair| pair.error).collect();
    let cell = |error: &str, call: &Call| {
        let index = pairs.iter().position(|pair| pair.error == error && std::ptr::eq(pair.call, call));
        index.map_or("·", |index| found[&index].as_ref().map_or("failed", |(action, _)| action.as_str()))
    };
    let first = errors.iter().map(|error| error.len()).max().unwrap_or_default();
    let mut text = format!("{:first$}", "");
    for call in CALLS {
        text += &format!("  {}", call.name);
    }
    for error in errors {
        text += &format!("\n{error:first$}");
        for call in CALLS {
            text += &format!("  {:width$}", cell(error, call), width = call.name.len());
        }
    }
    text
}
