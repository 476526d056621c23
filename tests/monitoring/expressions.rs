//! Which metrics an expression of PromQL names, and whether there are such.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use event_normalizer::metrics::Metrics;
use event_normalizer::settings::Settings;

/// Prefixes of the names of our metrics: no function and no label begins so.
const PREFIXES: [&str; 2] = ["normalizer_", "process_"];

/// The names of metrics in an expression.
pub fn names(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':');
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix))).collect()
}

/// Every name under which Prometheus finds something of `/metrics`.
pub fn known() -> Result<BTreeSet<String>> {
    let metrics = Metrics::new(&Settings::of_yaml("{kafka: {brokers: 'b:1'}, sources: [{topic: raw, vendor: altcraft}]}")?)?;
    let mut known = BTreeSet::new();
    for description in metrics.descriptions() {
        if description.kind == "histogram" {
            known.extend(["bucket", "sum", "count"].map(|part| format!("{}_{part}", description.name)));
        } else {
            known.insert(description.name.to_owned());
        }
    }
    let text = metrics.text()?;
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE process_")?.split(' ').next());
    known.extend(names.map(|name| format!("process_{name}")));
    Ok(known)
}

/// Fails where an expression names a metric that there isn't, or none at all.
pub fn check(place: &str, expression: &str, known: &BTreeSet<String>) -> Result<()> {
    let names = names(expression);
    ensure!(!names.is_empty(), "{place} names no metric: {expression}");
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains(**name)).collect();
    ensure!(unknown.is_empty(), "{place} names {unknown:?}, which the program doesn't have");
    Ok(())
}

pub fn names_are_told_apart() -> Result<()> {
    let found = names(r#"sum by (job) (rate(normalizer_a_total{vendor="process"}[5m])) / process_threads > 0"#);
    ensure!(found == BTreeSet::from(["normalizer_a_total", "process_threads"]), "{found:?}");
    let known = known()?;
    ensure!(check("here", "normalizer_dead_letters_total", &known).is_ok() && check("here", "up", &known).is_err());
    ensure!(check("here", "normalizer_dead_letters", &known).is_err(), "a metric that there isn't was found");
    ensure!(check("here", "normalizer_record_age_seconds", &known).is_err(), "a histogram has no series of its own name");
    Ok(())
}
