//! Stops a source that dead-letters too much, so that a bad deploy doesn't set a whole topic aside.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::settings::{Settings, StopAbove};

/// Which sources are stopped, for all workers of the process and the admin port.
#[derive(Debug)]
pub struct Breaker {
    stop_above: Option<StopAbove>,
    /// By source.
    stopped: Vec<AtomicBool>,
    changes: AtomicU64,
}

impl Breaker {
    pub fn new(settings: &Settings) -> Self {
        Self {
            stop_above: settings.dead_letters.stop_above,
            stopped: settings.sources.iter().map(|_| AtomicBool::new(false)).collect(),
            changes: AtomicU64::new(0),
        }
    }

    /// `None` where the settings ask for nothing.
    pub fn stop_above(&self) -> Option<StopAbove> {
        self.stop_above
    }

    /// Stops a source; says whether it was running.
    pub fn stop(&self, source: usize) -> bool {
        let was_running = !self.stopped[source].swap(true, Ordering::Relaxed);
        if was_running {
            self.changes.fetch_add(1, Ordering::Release);
        }
        was_running
    }

    /// Lets every source go on.
    pub fn resume(&self) {
        for stopped in &self.stopped {
            stopped.store(false, Ordering::Relaxed);
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A number that grows with every change.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub fn is_stopped(&self, source: usize) -> bool {
        self.stopped[source].load(Ordering::Relaxed)
    }

    /// The sources that are stopped.
    pub fn stopped(&self) -> Vec<usize> {
        (0..self.stopped.len()).filter(|source| self.is_stopped(*source)).collect()
    }
}

/// What became of the last items of a source.
#[derive(Debug)]
pub struct Window {
    stop_above: StopAbove,
    /// Whether each was a dead letter, the oldest first.
    items: VecDeque<bool>,
    dead_letters: usize,
}

impl Window {
    pub fn new(stop_above: StopAbove) -> Self {
        Self { stop_above, items: VecDeque::with_capacity(stop_above.window), dead_letters: 0 }
    }

    /// Takes one more item; says whether too many are dead letters. That is known before the window is full, where so many
    /// are that the rest can't change it.
    pub fn add(&mut self, is_dead_letter: bool) -> bool {
        if self.items.len() == self.stop_above.window
            && let Some(was_dead_letter) = self.items.pop_front()
        {
            self.dead_letters -= usize::from(was_dead_letter);
        }
        self.items.push_back(is_dead_letter);
        self.dead_letters += usize::from(is_dead_letter);
        is_dead_letter && self.dead_letters as f64 > self.stop_above.ratio * self.stop_above.window as f64
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.dead_letters = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_ratio_of_the_window_is_too_much() {
        let mut window = Window::new(StopAbove { ratio: 0.5, window: 10 });
        assert_eq!((0..6).map(|_| window.add(true)).collect::<Vec<_>>(), [false, false, false, false, false, true]);
        window.clear();
        // Half of them is not more than half, for ever.
        assert!((0..1_000).all(|number| !window.add(number % 2 == 0)));
        // Long ago doesn't count.
        assert!((0..10).all(|_| !window.add(false)));
        assert!((0..5).all(|_| !window.add(true)));
        assert!(window.add(true));
    }

    #[test]
    fn any_dead_letter_is_too_much_where_the_ratio_is_0() {
        let mut window = Window::new(StopAbove { ratio: 0.0, window: 3 });
        assert!(!window.add(false));
        assert!(window.add(true));
    }
}
