//! How far a long read is: a bar on stderr, where that is a terminal.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is read sooner needs no bar.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// A bar that comes up where the work takes longer.
pub(super) struct Progress {
    began_at: Instant,
    bar: OnceCell<ProgressBar>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { began_at: Instant::now(), bar: OnceCell::new() }
    }

    /// So much is done.
    pub(super) fn at(&self, done: u64, total: u64) {
        if self.began_at.elapsed() < SHOWN_AFTER {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            // Draws nothing where stderr is no terminal.
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {pos} of {len} offsets  {eta} left");
            style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
        });
        bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
