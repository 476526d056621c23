//! One worker's view of the breaker: what became of the last items of each source, and which sources stand still.

use tracing::error;

use super::outbox::Shared;
use crate::breaker::{Breaker, Window};

/// Changes only between two records, so that the open transaction has nothing of a source that is stopped.
#[derive(Debug)]
pub(super) struct Watch {
    /// By source; empty where the settings ask for nothing.
    windows: Vec<Window>,
    stopped: Vec<bool>,
    /// The changes that were heeded.
    changes: u64,
}

/// Sources that are to stand still from here on, or to go on.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub stopped: Vec<usize>,
    pub resumed: Vec<usize>,
}

impl Watch {
    pub fn new(breaker: &Breaker, sources: usize) -> Self {
        let windows = breaker.stop_above().map(|stop_above| (0..sources).map(|_| Window::new(stop_above)).collect());
        Self { windows: windows.unwrap_or_default(), stopped: vec![false; sources], changes: 0 }
    }

    pub fn event(&mut self, source: usize) {
        if let Some(window) = self.windows.get_mut(source) {
            window.add(false);
        }
    }

    /// An item is set aside. Where too many are, the source is stopped, for all workers of the process.
    pub fn dead_letter(&mut self, source: usize, shared: &Shared) {
        let Some(window) = self.windows.get_mut(source) else { return };
        if window.add(true) && shared.breaker.stop(source) {
            shared.metrics.source_stopped[source].set(1);
            let topic = &shared.sources[source].topic;
            let stop_above = shared.breaker.stop_above();
            let ratio = stop_above.map(|stop_above| stop_above.ratio);
            let window = stop_above.map(|stop_above| stop_above.window);
            error!(topic, ratio, window, "a source is stopped for too many dead letters; a restart or SIGHUP lets it go on");
        }
    }

    pub fn is_stopped(&self, source: usize) -> bool {
        self.stopped[source]
    }

    /// Whether sources were stopped or resumed since [`Watch::heed`].
    pub fn is_behind(&self, shared: &Shared) -> bool {
        self.changes != shared.breaker.changes()
    }

    /// Takes over what was stopped and resumed. The open transaction must have been ended.
    pub fn heed(&mut self, shared: &Shared) -> Change {
        let mut change = Change::default();
        self.changes = shared.breaker.changes();
        for (source, is_stopped) in self.stopped.iter_mut().enumerate() {
            let was_stopped = std::mem::replace(is_stopped, shared.breaker.is_stopped(source));
            match (was_stopped, *is_stopped) {
                (false, true) => change.stopped.push(source),
                (true, false) => change.resumed.push(source),
                _ => {}
            }
            if !*is_stopped && was_stopped {
                self.windows[source].clear();
            }
        }
        change
    }
}
