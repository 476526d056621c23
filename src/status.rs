//! What workers tell the admin port: whether they turn, what they read, what went wrong last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

/// A turn of the loop may take as long as a transaction lives, and twice that again in a rebalance.
const TURN_MAX: Duration = Duration::from_secs(60);

/// The end of a transaction waits for its coordinator as long as that is away. What takes even longer is a client that doesn't
/// come back.
const END_MAX: Duration = Duration::from_secs(15 * 60);

/// Told by a signal to all that runs.
#[derive(Debug, Default)]
pub struct Shutdown {
    is_asked: AtomicBool,
    lock: Mutex<()>,
    asked: Condvar,
}

impl Shutdown {
    pub fn ask(&self) {
        let _guard = lock(&self.lock);
        self.is_asked.store(true, Ordering::Relaxed);
        self.asked.notify_all();
    }

    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Waits for `duration` or until asked, and returns whether asked.
    pub fn wait(&self, duration: Duration) -> bool {
        let guard = lock(&self.lock);
        // A condition variable that is poisoned would end a wait early, which is no harm.
        drop(self.asked.wait_timeout_while(guard, duration, |()| !self.is_asked()));
        self.is_asked()
    }
}

/// What the start waits for, until it is done.
#[derive(Debug)]
pub struct Startup(Mutex<Option<String>>);

impl Default for Startup {
    fn default() -> Self {
        Self(Mutex::new(Some("starting".to_owned())))
    }
}

impl Startup {
    pub fn waits_for(&self, reason: String) {
        *lock(&self.0) = Some(reason);
    }

    pub fn done(&self) {
        *lock(&self.0) = None;
    }

    /// `None` once the workers run.
    pub fn reason(&self) -> Option<String> {
        lock(&self.0).clone()
    }
}

/// One worker, as the admin port sees it.
#[derive(Debug)]
pub struct WorkerStatus {
    started_at: Instant,
    /// Milliseconds from the start to the last turn of the loop.
    turned: AtomicU64,
    is_ending_transaction: AtomicBool,
    is_blocked: AtomicBool,
    has_ended: AtomicBool,
    details: Mutex<Details>,
}

#[derive(Debug, Default)]
struct Details {
    /// Whether the group has answered at least once, maybe with no partition.
    has_joined: bool,
    /// Source and partition.
    assignment: Vec<(usize, i32)>,
    /// Next offsets, as of the last commit; none of a partition of which nothing was ever committed.
    positions: BTreeMap<(usize, i32), i64>,
    last_commit_at: Option<Timestamp>,
    last_error: Option<String>,
    last_error_at: Option<Timestamp>,
}

impl Default for WorkerStatus {
    fn default() -> Self {
        Self {
            started_at: Instant::now(),
            turned: AtomicU64::new(0),
            is_ending_transaction: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            details: Mutex::default(),
        }
    }
}

impl WorkerStatus {
    pub fn turn(&self) {
        let elapsed = self.started_at.elapsed().as_millis();
        self.turned.store(u64::try_from(elapsed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Commits or aborts: meanwhile the loop need not turn.
    pub fn ends_transaction<T>(&self, end: impl FnOnce() -> T) -> T {
        self.turn();
        self.is_ending_transaction.store(true, Ordering::Relaxed);
        let result = end();
        self.is_ending_transaction.store(false, Ordering::Relaxed);
        self.turn();
        result
    }

    /// A commit has succeeded; `positions` are the next offsets by source and partition.
    pub fn committed(&self, positions: BTreeMap<(usize, i32), i64>) {
        self.is_blocked.store(false, Ordering::Relaxed);
        let mut details = self.details();
        details.last_commit_at = Some(Timestamp::now());
        details.positions = positions;
    }

    /// An error that is being retried. A missing right also takes the process out of readiness until it is back.
    pub fn failed(&self, error: &str, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
        let mut details = self.details();
        details.last_error = Some(error.to_owned());
        details.last_error_at = Some(Timestamp::now());
    }

    pub fn ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// The group has answered. What blocked it is over, and what blocks a transaction will be told again.
    /// `positions` are those from which known partitions are read on.
    pub fn assigned(&self, partitions: &[(usize, i32)], positions: &BTreeMap<(usize, i32), i64>) {
        self.is_blocked.store(false, Ordering::Relaxed);
        let mut details = self.details();
        details.has_joined = true;
        details.assignment.extend_from_slice(partitions);
        details.positions.clone_from(positions);
    }

    pub fn revoked(&self, partitions: &[(usize, i32)]) {
        self.details().assignment.retain(|partition| !partitions.contains(partition));
    }

    pub fn assignment(&self) -> Vec<(usize, i32)> {
        self.details().assignment.clone()
    }

    /// Whether the loop turns. A broker's outage is no reason to be restarted.
    pub fn is_alive(&self) -> bool {
        self.is_alive_at(self.started_at.elapsed())
    }

    fn is_alive_at(&self, elapsed: Duration) -> bool {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        let longest = if self.is_ending_transaction.load(Ordering::Relaxed) { END_MAX } else { TURN_MAX };
        !self.has_ended.load(Ordering::Relaxed) && elapsed.saturating_sub(turned) < longest
    }

    pub fn has_joined(&self) -> bool {
        self.details().has_joined
    }

    pub fn has_committed(&self) -> bool {
        self.details().last_commit_at.is_some()
    }

    pub fn is_ready(&self) -> bool {
        self.unready().is_none()
    }

    /// Why the worker is not ready; `None` where it is.
    pub fn unready(&self) -> Option<String> {
        let details = self.details();
        let error = || details.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        if self.has_ended.load(Ordering::Relaxed) {
            return Some("has ended".to_owned());
        }
        if !details.has_joined {
            return Some(format!("has not joined the group{}", error()));
        }
        self.is_blocked.load(Ordering::Relaxed).then(|| format!("is blocked{}", error()))
    }

    /// For `/status`; `topic` names the topic of a source, `is_stopped` says whether it is paused for its dead letters.
    pub fn json(&self, topic: impl Fn(usize) -> String, is_stopped: impl Fn(usize) -> bool) -> Value {
        let details = self.details();
        let assignment: Vec<_> = details
            .assignment
            .iter()
            .map(|key| {
                let position = details.positions.get(key);
                json!({"topic": topic(key.0), "partition": key.1, "position": position, "paused": is_stopped(key.0)})
            })
            .collect();
        json!({
            "alive": self.is_alive(),
            "joined": details.has_joined,
            "assignment": assignment,
            "last_commit_at": details.last_commit_at.map(|at| at.to_string()),
            "last_error": details.last_error,
            "last_error_at": details.last_error_at.map(|at| at.to_string()),
        })
    }

    fn details(&self) -> MutexGuard<'_, Details> {
        lock(&self.details)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stands_still_is_not_alive_but_one_that_waits_for_its_coordinator_is() {
        let status = WorkerStatus::default();
        status.turn();
        let later = |seconds| status.is_alive_at(status.started_at.elapsed() + Duration::from_secs(seconds));
        assert!(later(50) && !later(70));
        status.ends_transaction(|| assert!(later(14 * 60) && !later(16 * 60)));
        assert!(later(50) && !later(70));
        status.ended();
        assert!(!later(0));
    }
}
