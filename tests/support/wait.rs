//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `attempt` gives something; panics after `deadline`, saying what was waited for.
pub fn eventually<T>(deadline: Duration, what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    poll(deadline, attempt).unwrap_or_else(|| panic!("waited {deadline:?} in vain until {what}"))
}

/// Waits until `attempt` gives something; none after `deadline`.
pub fn poll<T>(deadline: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = attempt() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        thread::sleep(POLL);
    }
}
