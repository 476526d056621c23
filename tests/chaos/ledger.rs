//! The ledger: one line for each run that happened, good or bad.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::nemesis;
use crate::run::{Orders, Outcome};

/// The file, from the root of the project.
const FILE: &str = "tests/chaos/ledger.tsv";

/// The faults in the order of their columns.
const FAULTS: [&str; 12] = [
    nemesis::KILLED,
    nemesis::RESTARTED,
    nemesis::PAUSED,
    nemesis::JOINED,
    nemesis::FENCED,
    nemesis::GAVE_UP,
    nemesis::BROKER_KILLED,
    nemesis::BROKER_BOUNCED,
    nemesis::CUT,
    nemesis::DELAYED,
    nemesis::ENDED_LATE,
    nemesis::SLOW_DISK,
];

/// Adds a line about a run.
pub fn add(orders: &Orders, outcome: &Outcome) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let is_new = !path.exists();
    let mut file = File::options().create(true).append(true).open(&path).expect("open the ledger");
    let mut names = vec!["date", "commit", "seed", "assignment", "instances", "seconds", "raw records"];
    names.extend(["events", "dead letters", "committed", "aborted"]);
    names.extend(FAULTS);
    names.extend(["late ends delivered", "lost", "doubled", "torn", "other findings", "resources"]);
    let mut values = vec![
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string(),
        commit(),
        orders.seed.to_string(),
        format!("{:?}", orders.assignment),
        orders.instances.to_string(),
        outcome.seconds.to_string(),
        outcome.records.to_string(),
        outcome.after.outputs_read.to_string(),
        outcome.after.dead_letters_read.to_string(),
        outcome.transactions.committed.to_string(),
        outcome.transactions.aborted.to_string(),
    ];
    values.extend(FAULTS.map(|fault| outcome.faults.get(fault).copied().unwrap_or(0).to_string()));
    values.push(outcome.late_ends.to_string());
    let mut findings = outcome.findings();
    for kind in ["lost", "doubled", "torn"] {
        let found = findings.iter().position(|(name, _)| *name == kind).map(|index| findings.remove(index).1);
        values.push(found.unwrap_or(0).to_string());
    }
    let others: Vec<_> = findings.iter().map(|(name, count)| format!("{name}: {count}")).collect();
    values.push(if others.is_empty() { "none".to_owned() } else { others.join(", ") });
    values.push(outcome.resources.as_ref().map_or("-".to_owned(), ToString::to_string));
    if is_new {
        writeln!(file, "{}", names.join("\t")).expect("write the ledger");
    }
    writeln!(file, "{}", values.join("\t")).expect("write the ledger");
}

/// The commit that is checked out, with a plus where files differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", "src", "Cargo.lock"]);
    let mark = if changed.is_none_or(|changed| changed.is_empty()) { "" } else { "+" };
    git(&["rev-parse", "--short", "HEAD"]).map_or("unknown".to_owned(), |commit| commit + mark)
}
