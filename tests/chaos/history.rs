//! What happened in a run, line by line, so that a failure can be followed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

/// A file of JSON lines. Each has the milliseconds since the start of the run.
pub struct History {
    file: Mutex<File>,
    started_at: Instant,
    faults: Mutex<BTreeMap<&'static str, usize>>,
}

impl History {
    pub fn create(path: &Path) -> History {
        let file = File::create(path).unwrap_or_else(|error| panic!("create {}: {error}", path.display()));
        History { file: Mutex::new(file), started_at: Instant::now(), faults: Mutex::default() }
    }

    /// Notes a fault that is about to happen, and counts it.
    pub fn fault(&self, who: &str, fault: &'static str, details: Value) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner).entry(fault).or_default() += 1;
        self.note(who, fault, details);
    }

    /// How often each fault has happened.
    pub fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that `who` did or saw `what`.
    pub fn note(&self, who: &str, what: &str, details: Value) {
        let mut line = json!({ "ms": self.started_at.elapsed().as_millis() as u64, "who": who, "what": what });
        if let (Some(line), Value::Object(details)) = (line.as_object_mut(), details) {
            line.extend(details);
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").expect("write the history");
    }
}
