//! The faults: three threads that each deal theirs from a shuffled deck, so that a plan's numbers are met and a seed gives
//! the same order again.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;
use rdkafka::producer::{BaseProducer, Producer};
use serde_json::json;

use crate::alarm::Alarm;
use crate::cluster::{Cluster, Role};
use crate::history::History;
use crate::support::normalizer::Normalizer;
use crate::support::progress::Progress;
use crate::support::proxy::Proxy;
use crate::support::scenario::{SESSION_TIMEOUT_MS, SHUTDOWN_WITHIN};
use crate::support::wait::poll;

const READY_WITHIN: Duration = Duration::from_secs(60);
const PROGRESS_WITHIN: Duration = Duration::from_secs(60);
const FENCED_WITHIN: Duration = Duration::from_secs(30);

// The faults as the history and the ledger call them.
pub const KILLED: &str = "instance killed";
pub const RESTARTED: &str = "instance restarted";
pub const PAUSED: &str = "instance paused";
pub const JOINED: &str = "instance joined and left";
pub const FENCED: &str = "instance fenced";
pub const GAVE_UP: &str = "instance gave up";
pub const BROKER_KILLED: &str = "broker killed";
pub const BROKER_BOUNCED: &str = "broker bounced";
pub const CUT: &str = "coordinators cut off";
pub const DELAYED: &str = "coordinators slow";
pub const ENDED_LATE: &str = "ends of transactions late";
pub const SLOW_DISK: &str = "disk slow";

/// How many of each fault a run has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// `kill -9` of an instance; every fourth is of all instances at once.
    pub kills: usize,
    /// SIGTERM and a new start.
    pub restarts: usize,
    /// SIGSTOP for longer than the session time-out, then SIGCONT.
    pub zombies: usize,
    /// One more instance joins the group, works, and leaves it.
    pub joins: usize,
    /// A producer elsewhere takes an instance's transactional id, which fences it in the middle of its transaction.
    pub twins: usize,
    /// `kill -9` of the broker that leads something.
    pub broker_kills: usize,
    /// SIGTERM of a broker and a new start.
    pub broker_bounces: usize,
    /// All connections to transaction coordinators break.
    pub cuts: usize,
    /// Requests to transaction coordinators are slow for a while.
    pub delays: usize,
    /// Windows in which ends of transactions are delivered after the client has sent them again.
    pub late_ends: usize,
    /// A broker's writes are slow for a while.
    pub slow_disks: usize,
}

impl Plan {
    /// What fits into the slice that every test run has.
    pub const SLICE: Plan = Plan {
        kills: 7,
        restarts: 3,
        zombies: 4,
        joins: 3,
        twins: 3,
        broker_kills: 4,
        broker_bounces: 2,
        cuts: 6,
        delays: 4,
        late_ends: 10,
        slow_disks: 3,
    };

    /// Only what moves partitions, and nothing that breaks: to compare how they are shared out.
    pub const MOVES: Plan = Plan {
        kills: 0,
        restarts: 6,
        zombies: 0,
        joins: 8,
        twins: 0,
        broker_kills: 0,
        broker_bounces: 0,
        cuts: 0,
        delays: 0,
        late_ends: 0,
        slow_disks: 0,
    };

    /// The plan again and again.
    pub fn times(self, times: usize) -> Plan {
        Plan {
            kills: self.kills * times,
            restarts: self.restarts * times,
            zombies: self.zombies * times,
            joins: self.joins * times,
            twins: self.twins * times,
            broker_kills: self.broker_kills * times,
            broker_bounces: self.broker_bounces * times,
            cuts: self.cuts * times,
            delays: self.delays * times,
            late_ends: self.late_ends * times,
            slow_disks: self.slow_disks * times,
        }
    }
}

/// What the faults share.
pub struct Field<'r> {
    pub cluster: &'r Cluster,
    pub history: &'r History,
    pub group: &'r str,
    /// Transactional ids of the instances' first workers.
    pub transactional_ids: &'r [String],
    pub alarm: &'r Alarm,
}

impl Field<'_> {
    fn is_over(&self) -> bool {
        self.alarm.is_raised()
    }

    /// Waits, but not longer than until the alarm.
    fn pause(&self, duration: Duration) {
        let end = Instant::now() + duration;
        // A fault lasts its time: there is no other condition to wait for.
        while !self.is_over() && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProcessFault {
    Kill,
    KillAll,
    Restart,
    Zombie,
    Join,
    Twin,
}

/// Deals faults to the instances. `guest` is the one that joins and leaves; the first instance is never ended where
/// `spares_first` says so, since its memory is watched.
pub fn harm_processes(
    field: &Field<'_>,
    plan: &Plan,
    mut rng: Rng,
    instances: &mut [Normalizer],
    guest: &mut Normalizer,
    spares_first: bool,
    progress: &Progress,
) {
    let mut deck = Vec::new();
    for kill in 0..plan.kills {
        deck.push(if kill % 4 == 3 && !spares_first { ProcessFault::KillAll } else { ProcessFault::Kill });
    }
    deck.extend([ProcessFault::Restart].repeat(plan.restarts));
    deck.extend([ProcessFault::Zombie].repeat(plan.zombies));
    deck.extend([ProcessFault::Join].repeat(plan.joins));
    deck.extend([ProcessFault::Twin].repeat(plan.twins));
    rng.shuffle(&mut deck);
    for fault in deck {
        wait_progress(field, progress, || start_ended(field, instances));
        field.pause(Duration::from_millis(rng.u64(..1_500)));
        if field.is_over() {
            return;
        }
        let number = rng.usize(usize::from(spares_first)..instances.len());
        let victim = &mut instances[number];
        let away = Duration::from_millis(rng.u64(..1_500));
        match fault {
            ProcessFault::Kill => {
                field.history.fault("processes", KILLED, json!({ "victim": number }));
                victim.kill();
                field.pause(away);
                victim.start_again();
            }
            ProcessFault::KillAll => {
                for number in 0..instances.len() {
                    field.history.fault("processes", KILLED, json!({ "victim": number, "together": true }));
                }
                instances.iter_mut().for_each(Normalizer::kill);
                field.pause(away);
                instances.iter_mut().for_each(Normalizer::start_again);
            }
            ProcessFault::Restart => {
                field.history.fault("processes", RESTARTED, json!({ "victim": number }));
                end(field, victim);
                field.pause(away);
                victim.start_again();
            }
            ProcessFault::Zombie => {
                field.history.fault("processes", PAUSED, json!({ "victim": number }));
                victim.pause();
                // Longer than a session, which makes a zombie; some longer than a transaction lives, and some not.
                field.pause(Duration::from_millis(SESSION_TIMEOUT_MS + rng.u64(500..5_500)));
                victim.resume();
            }
            ProcessFault::Join => {
                field.history.fault("processes", JOINED, json!({}));
                guest.start_again();
                if poll(READY_WITHIN, || guest.is_ready().then_some(())).is_none() {
                    field.alarm.raise(format!("an instance that joined is not ready within {READY_WITHIN:?}"));
                }
                wait_progress(field, progress, || start_ended(field, instances));
                end(field, guest);
                field.history.note("processes", "left", json!({}));
            }
            ProcessFault::Twin => {
                let id = &field.transactional_ids[number];
                field.history.fault("processes", FENCED, json!({ "transactional_id": id }));
                take_transactional_id(field, id);
            }
        }
    }
}

/// Ends an instance as an operator does.
pub fn end(field: &Field<'_>, instance: &mut Normalizer) {
    let code = instance.terminate(SHUTDOWN_WITHIN);
    if code != Some(0) {
        field.alarm.raise(format!("an instance that was asked to end did so with {code:?}"));
    }
}

fn take_transactional_id(field: &Field<'_>, id: &str) {
    let mut config = field.cluster.kafka.client();
    let twin: BaseProducer = config.set("transactional.id", id).create().expect("create a producer");
    if poll(FENCED_WITHIN, || twin.init_transactions(FENCED_WITHIN).ok()).is_none() {
        field.alarm.raise(format!("the transactional id {id} could not be taken within {FENCED_WITHIN:?}"));
    }
}

/// Waits until the group has committed more of every partition in which something waits.
fn wait_progress(field: &Field<'_>, progress: &Progress, mut meanwhile: impl FnMut()) {
    let mut behind: Option<Vec<(String, i32, i64)>> = None;
    let moved = poll(PROGRESS_WITHIN, || {
        meanwhile();
        if field.is_over() {
            return Some(());
        }
        let committed = progress.committed_by_partition()?;
        let Some(behind) = &mut behind else {
            let lags = progress.lag_by_partition()?;
            let waiting = committed.into_iter().zip(lags).filter(|(_, (_, _, lag))| *lag > 0);
            behind = Some(waiting.map(|(committed, _)| committed).collect());
            return None;
        };
        for (topic, partition, now) in committed {
            behind.retain(|(t, p, then)| (t, *p) != (&topic, partition) || *then >= now);
        }
        behind.is_empty().then_some(())
    });
    if moved.is_none() {
        field.alarm.raise(format!("within {PROGRESS_WITHIN:?} nothing was committed of {behind:?}"));
    }
}

/// Starts again what has ended by itself, as Kubernetes does with a container.
pub fn start_ended(field: &Field<'_>, instances: &mut [Normalizer]) {
    for (number, instance) in instances.iter_mut().enumerate() {
        if let Some(code) = instance.ended() {
            field.history.fault("processes", GAVE_UP, json!({ "victim": number, "code": code }));
            instance.start_again();
        }
    }
}

/// Deals faults to the brokers, one at a time, on purpose to those that lead something. The next one waits until the group
/// has got over the last: a cluster that has a coordinator for seconds only lets nobody work.
pub fn harm_brokers(field: &Field<'_>, plan: &Plan, mut rng: Rng, progress: &Progress) {
    let mut deck = [(BROKER_KILLED, Signal::SIGKILL)].repeat(plan.broker_kills);
    deck.extend([(BROKER_BOUNCED, Signal::SIGTERM)].repeat(plan.broker_bounces));
    rng.shuffle(&mut deck);
    for (turn, (fault, signal)) in deck.into_iter().enumerate() {
        wait_progress(field, progress, || ());
        field.pause(Duration::from_millis(rng.u64(1_000..6_000)));
        if field.is_over() {
            return;
        }
        let role = match turn % 3 {
            0 => Role::TransactionCoordinator(&field.transactional_ids[rng.usize(..field.transactional_ids.len())]),
            1 => Role::Controller,
            _ => Role::GroupCoordinator(field.group),
        };
        let victim = field.cluster.leader(role).unwrap_or_else(|| rng.usize(..field.cluster.count()));
        field.history.fault("brokers", fault, json!({ "leads": format!("{role:?}"), "victim": victim }));
        field.cluster.stop(victim, signal);
        field.cluster.wait_missed(victim);
        field.pause(Duration::from_millis(rng.u64(..2_000)));
        field.cluster.start_again(victim);
        field.cluster.wait_in_sync();
        field.history.note("brokers", "in sync", json!({ "victim": victim }));
    }
}

/// Deals faults to the connections between the instances and the brokers.
pub fn harm_network(field: &Field<'_>, plan: &Plan, mut rng: Rng) {
    let mut deck = [CUT].repeat(plan.cuts);
    deck.extend([DELAYED].repeat(plan.delays));
    deck.extend([ENDED_LATE].repeat(plan.late_ends));
    deck.extend([SLOW_DISK].repeat(plan.slow_disks));
    rng.shuffle(&mut deck);
    let proxies = &field.cluster.proxies;
    for fault in deck {
        field.pause(Duration::from_millis(rng.u64(500..6_000)));
        if field.is_over() {
            return;
        }
        field.history.fault("network", fault, json!({}));
        match fault {
            CUT => proxies.iter().for_each(Proxy::cut_coordinator),
            DELAYED => {
                let delay = Duration::from_millis(rng.u64(100..1_500));
                proxies.iter().for_each(|proxy| proxy.delay_coordinator(delay));
            }
            ENDED_LATE => {
                for proxy in proxies {
                    let delays = (0..3).map(|_| Duration::from_millis(rng.u64(100..1_000))).collect();
                    proxy.deliver_ends_late(delays);
                }
            }
            _ => {
                let victim = rng.usize(..proxies.len());
                proxies[victim].delay_produce(Duration::from_millis(rng.u64(50..500)));
            }
        }
        field.pause(Duration::from_millis(rng.u64(2_000..5_000)));
        proxies.iter().for_each(Proxy::heal);
    }
}
