//! What a process takes while it works: memory, threads, file descriptors.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a start takes is not counted.
const WARM_AFTER: Duration = Duration::from_secs(60);

/// One look at `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub seconds: f64,
    pub resident_mb: f64,
    pub threads: f64,
    pub descriptors: f64,
}

/// Looks at a process over a run.
pub struct Resources(Vec<Sample>);

/// Looks at a process every second until `is_over`, or until it has ended.
pub fn watch(process: u32, is_over: &dyn Fn() -> bool) -> Resources {
    let started_at = Instant::now();
    let mut samples = Vec::new();
    while !is_over() {
        let Some(sample) = look(process, started_at) else { break };
        samples.push(sample);
        thread::sleep(LOOK_EVERY);
    }
    Resources(samples)
}

fn look(process: u32, started_at: Instant) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let number = |name: &str| -> Option<f64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(Sample {
        seconds: started_at.elapsed().as_secs_f64(),
        resident_mb: number("VmRSS:")? / 1024.0,
        threads: number("Threads:")?,
        descriptors: fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as f64,
    })
}

impl Resources {
    /// The samples without the start.
    fn warm(&self) -> &[Sample] {
        let start = self.0.partition_point(|sample| sample.seconds < WARM_AFTER.as_secs_f64());
        &self.0[start..]
    }

    /// Mean over the first and over the last fifth of the run, and the largest.
    pub fn summary(&self, of: fn(&Sample) -> f64) -> Option<[f64; 3]> {
        let warm = self.warm();
        let fifth = warm.len() / 5;
        if fifth == 0 {
            return None;
        }
        let mean = |samples: &[Sample]| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
        let largest = warm.iter().map(of).fold(0.0, f64::max);
        Some([mean(&warm[..fifth]), mean(&warm[warm.len() - fifth..]), largest])
    }

    fn line(&self, name: &str, of: fn(&Sample) -> f64) -> String {
        match self.summary(of) {
            Some([first, last, largest]) => format!("{name} {first:.1} at first, {last:.1} at last, {largest:.0} at most"),
            None => format!("{name}: too short to tell"),
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the instance that was spared, over {} s (means of the first and the last fifth): {}; {}; {}",
            self.0.len(),
            self.line("resident MB", |sample| sample.resident_mb),
            self.line("threads", |sample| sample.threads),
            self.line("file descriptors", |sample| sample.descriptors)
        )
    }
}
