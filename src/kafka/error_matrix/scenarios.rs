//! Faults that last, come back, or hit a transaction in its middle. They mirror the list of librdkafka's own tests of
//! transactions on its mock.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::types::RDKafkaApiKey as Key;

use super::code;
use super::trial::{Role, Setup, Trial};
use crate::exit::Exit;

type Scenario = (&'static str, fn() -> Result<()>);

const SCENARIOS: &[Scenario] = &[
    ("a request that times out in flight is repeated, and its producer then replaced", slow_coordinator),
    ("the coordinator moves in the middle of a transaction", moving_coordinator),
    ("the transaction's coordinator is down during a commit", || broker_down(Role::TransactionCoordinator)),
    ("the group's coordinator goes down during a commit, and another takes over", lost_group_coordinator),
    ("the leader of the output is down during a commit", || broker_down(Role::OutputLeader)),
    ("a delivery that times out is aborted and read again", timed_out_delivery),
    ("an abort does not wait for a delivery report that never comes", missing_report),
    ("the output topic disappears for a while", topic_disappears),
    ("an error that can be retried comes twice and many times", many_retries),
    ("aborts in a row come at a growing distance", many_aborts),
    ("five fatal errors are got over, six are not", many_fatal_errors),
    ("the producer is fenced at every start", fenced_at_start),
    ("offsets are unstable for a while when they are to be gone back to", unstable_offsets),
    ("a right to the group comes back while nothing is to read", idle_group_right),
    ("a worker that meets only errors stops when it is asked to", stop_amid_errors),
];

#[test]
fn every_scenario_ends_with_all_input_committed() {
    let running: Vec<_> = SCENARIOS.iter().map(|(_, scenario)| thread::spawn(*scenario)).collect();
    let mut failures = Vec::new();
    for ((name, scenario), running) in SCENARIOS.iter().zip(running) {
        let is_good = running.join().is_ok_and(|result| result.is_ok());
        // What fails beside the others, for want of time, is tried alone.
        if let Some(error) = (!is_good).then(scenario).and_then(Result::err) {
            failures.push(format!("{name}: {error:#}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// On three brokers, with transactions that stay open long enough to be hit in the middle.
const LONG: Setup = Setup { brokers: 3, commit_interval_ms: 2_000, ..Setup::USUAL };

/// A trial in which one record is committed and nothing has failed; broker 3 has the role, where one is given.
fn idle(setup: Setup, role: Option<Role>) -> Result<Trial> {
    let mut trial = Trial::new(setup)?;
    if let Some(role) = role {
        trial.give(role, 3)?;
    }
    trial.write(1)?;
    trial.start();
    trial.until_committed()?;
    Ok(trial)
}

fn ensure_counts(trial: &Trial, aborted: u64, rebuilds: u64) -> Result<()> {
    let found = (trial.aborted(), trial.rebuilds());
    ensure!(
        found == (aborted, rebuilds),
        "{found:?} aborts and new producers, not {:?}; the worker says:\n{}",
        (aborted, rebuilds),
        trial.log()
    );
    Ok(())
}

fn slow_coordinator() -> Result<()> {
    let mut trial = idle(Setup { brokers: 3, ..Setup::USUAL }, Some(Role::TransactionCoordinator))?;
    // Longer than the producer's socket time-out.
    trial.cluster.broker_round_trip_time(3, Duration::from_secs(10))?;
    trial.write(1)?;
    ensure!(!trial.within(Duration::from_secs(4), Trial::has_committed), "no request was slow");
    trial.cluster.broker_round_trip_time(3, Duration::ZERO)?;
    trial.until_committed()?;
    trial.until("the producer was replaced", |trial| trial.rebuilds() > 0)?;
    ensure!(trial.aborted() == 0, "the transaction was aborted:\n{}", trial.log());
    trial.finish()
}

fn moving_coordinator() -> Result<()> {
    let mut trial = idle(LONG, None)?;
    let outputs = trial.outputs()?;
    outputs.until_sent(1)?;
    for broker in [2, 3] {
        trial.write(1)?;
        outputs.until_sent(1)?;
        ensure!(!trial.has_committed(), "the transaction was over before the coordinator moved");
        trial.give(Role::TransactionCoordinator, broker)?;
        trial.until_committed()?;
    }
    ensure!(trial.aborted() == 0, "the transaction was aborted:\n{}", trial.log());
    trial.finish()
}

fn broker_down(role: Role) -> Result<()> {
    let mut trial = idle(LONG, Some(role))?;
    let outputs = trial.outputs()?;
    trial.write(1)?;
    outputs.until_sent(2)?;
    ensure!(!trial.has_committed(), "the transaction was over before the broker went");
    trial.cluster.broker_down(3)?;
    // One more record, for which the broker is needed too.
    trial.write(1)?;
    ensure!(!trial.within(Duration::from_secs(3), Trial::has_committed), "the broker was not needed");
    trial.cluster.broker_up(3)?;
    trial.until_committed()?;
    ensure!(trial.aborted() == 0, "an outage is waited for, not aborted:\n{}", trial.log());
    ensure!(trial.rebuilds() <= 1, "{} new producers for one outage:\n{}", trial.rebuilds(), trial.log());
    trial.finish()
}

/// The producer may wait for ever for the coordinator that it knows (librdkafka#5456, #5511): it has to be left behind.
fn lost_group_coordinator() -> Result<()> {
    let mut trial = idle(LONG, Some(Role::GroupCoordinator))?;
    let outputs = trial.outputs()?;
    trial.write(1)?;
    outputs.until_sent(2)?;
    ensure!(!trial.has_committed(), "the transaction was over before the broker went");
    trial.cluster.broker_down(3)?;
    trial.give(Role::GroupCoordinator, 1)?;
    trial.until_committed()?;
    trial.cluster.broker_up(3)?;
    trial.finish()
}

fn timed_out_delivery() -> Result<()> {
    let setup = Setup { brokers: 3, producer_options: &[("message.timeout.ms", "1500")], ..Setup::USUAL };
    let mut trial = idle(setup, Some(Role::OutputLeader))?;
    trial.cluster.broker_down(3)?;
    trial.write(1)?;
    // As often as a refused record would need to be set aside.
    trial.until("the transaction was aborted", |trial| trial.aborted() >= 3)?;
    trial.cluster.broker_up(3)?;
    trial.until_committed()?;
    ensure!(trial.dead_letters() == 0, "a record was set aside though no broker has refused it");
    trial.finish()
}

/// The partition is lost while the output's leader is away: no report has come, and nothing has failed that would purge what
/// waits. (librdkafka#4849 is why an abort waits for a report at all.)
fn missing_report() -> Result<()> {
    let mut trial = Trial::new(Setup { brokers: 3, commit_interval_ms: 4_000, ..Setup::USUAL })?;
    trial.give(Role::OutputLeader, 3)?;
    trial.cluster.broker_down(3)?;
    trial.write(1)?;
    trial.start();
    trial.until("the record was read", |trial| trial.lag() == Some(0))?;
    let lost_at = Instant::now();
    trial.fail(Key::Heartbeat, &[code("ILLEGAL_GENERATION")?]);
    trial.until("the partition came back", |trial| trial.log().matches("partitions assigned").count() > 1)?;
    ensure!(trial.aborted() == 1, "the transaction was over before its partition was lost:\n{}", trial.log());
    // 5 s, and 2 s until the group is together again. The message's own time-out of 10 s would have reported it too.
    ensure!(lost_at.elapsed() < Duration::from_secs(9), "the abort took {:?}", lost_at.elapsed());
    trial.cluster.broker_up(3)?;
    trial.finish()
}

fn topic_disappears() -> Result<()> {
    let mut trial = idle(Setup::USUAL, None)?;
    trial.set_output_error(code("UNKNOWN_TOPIC_OR_PART")?)?;
    trial.write(1)?;
    ensure!(!trial.within(Duration::from_secs(2), Trial::has_committed), "the topic was there");
    trial.set_output_error(code("NO_ERROR")?)?;
    trial.until_committed()?;
    ensure!(trial.aborted() == 0, "the transaction was aborted:\n{}", trial.log());
    trial.finish()
}

fn many_retries() -> Result<()> {
    let mut trial = idle(Setup::USUAL, None)?;
    for (key, error) in [
        (Key::AddOffsetsToTxn, "COORDINATOR_NOT_AVAILABLE"),
        (Key::TxnOffsetCommit, "COORDINATOR_LOAD_IN_PROGRESS"),
        (Key::EndTxn, "CONCURRENT_TRANSACTIONS"),
    ] {
        for times in [2, 5] {
            trial.fail(key, &vec![code(error)?; times]);
            trial.write(1)?;
            trial.until_committed()?;
        }
    }
    ensure!(trial.aborted() == 0, "a transaction was aborted:\n{}", trial.log());
    trial.finish()
}

fn many_aborts() -> Result<()> {
    let mut trial = idle(Setup::USUAL, None)?;
    let began_at = Instant::now();
    trial.fail(Key::TxnOffsetCommit, &[code("REBALANCE_IN_PROGRESS")?; 5]);
    trial.write(1)?;
    trial.until_committed()?;
    // 100, 200, 400, 800 and 1600 ms.
    ensure!(began_at.elapsed() > Duration::from_secs(3), "five attempts took {:?}", began_at.elapsed());
    // Each is told by librdkafka in a line that also stands for a request that may still arrive.
    ensure_counts(&trial, 5, 5)?;
    trial.finish()
}

fn many_fatal_errors() -> Result<()> {
    let mut trial = idle(Setup::USUAL, None)?;
    trial.fail(Key::AddOffsetsToTxn, &[code("INVALID_PRODUCER_EPOCH")?; 5]);
    trial.write(1)?;
    trial.until_committed()?;
    ensure_counts(&trial, 5, 5)?;
    ensure!(trial.metrics().transactions_fenced.get() == 5, "not all five are counted as fenced");
    trial.fail(Key::AddOffsetsToTxn, &[code("INVALID_PRODUCER_EPOCH")?]);
    trial.write(1)?;
    let exit = trial.exit()?.context("the worker ended as if it was asked to")?;
    ensure!(exit == Exit::GivenUp, "{exit:?}");
    Ok(())
}

fn fenced_at_start() -> Result<()> {
    let mut trial = Trial::new(Setup::USUAL)?;
    trial.fail(Key::InitProducerId, &[code("PRODUCER_FENCED")?; 6]);
    trial.start();
    let exit = trial.exit()?.context("the worker ended as if it was asked to")?;
    ensure!(exit == Exit::GivenUp, "{exit:?}");
    Ok(())
}

fn unstable_offsets() -> Result<()> {
    let mut trial = idle(Setup::USUAL, None)?;
    trial.fail(Key::TxnOffsetCommit, &[code("ILLEGAL_GENERATION")?]);
    trial.fail(Key::OffsetFetch, &[code("UNSTABLE_OFFSET_COMMIT")?; 10]);
    trial.write(1)?;
    trial.until_committed()?;
    ensure!(trial.aborted() == 1, "{} transactions were aborted:\n{}", trial.aborted(), trial.log());
    trial.finish()
}

/// Without any record, since the mock forgets offsets: a record that was read would be read again, and committed.
fn idle_group_right() -> Result<()> {
    let mut trial = Trial::new(Setup::USUAL)?;
    trial.start();
    trial.until_joined()?;
    trial.fail(Key::JoinGroup, &vec![code("GROUP_AUTHORIZATION_FAILED")?; 1_000]);
    trial.fail(Key::Heartbeat, &[code("UNKNOWN_MEMBER_ID")?]);
    trial.until("the worker was out of readiness", Trial::is_out_of_readiness)?;
    trial.cluster.clear_request_errors(Key::JoinGroup);
    trial.until("the worker was ready again", |trial| trial.status.is_ready())?;
    trial.write(1)?;
    trial.finish()
}

fn stop_amid_errors() -> Result<()> {
    let mut trial = idle(Setup::USUAL, None)?;
    trial.fail(Key::TxnOffsetCommit, &vec![code("UNKNOWN")?; 1_000]);
    trial.write(1)?;
    // The pause after the sixth is of 3.2 s.
    trial.until("some transactions were aborted", |trial| trial.aborted() >= 6)?;
    let asked_at = Instant::now();
    trial.ask_to_stop();
    let exit = trial.exit()?;
    ensure!(exit.is_none(), "asked to stop, the worker ends with {exit:?}");
    ensure!(asked_at.elapsed() < Duration::from_secs(2), "the stop took {:?}", asked_at.elapsed());
    Ok(())
}
