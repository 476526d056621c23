//! What a reader printed against what must be there, field by field.
//!
//! A reader prints one line with its version, `{"version": …}`, then one JSON object for each record: the fields of the
//! envelope by their names, times as RFC 3339 in UTC with milliseconds, bytes as hexadecimal digits. Nulls, empty maps
//! and groups in which all is null are the same as nothing, as `translate` prints them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::corpus::{Expected, Place};

/// Differences that are printed.
const SHOWN: usize = 20;

pub struct Report {
    /// Of the reader.
    pub version: String,
    pub records: usize,
    pub differences: Vec<String>,
}

#[derive(Deserialize)]
struct Heading {
    version: String,
}

/// Compares the lines of a reader. The error is that they are none; differences are in the report.
pub fn compare(expected: &BTreeMap<Place, Expected>, output: &str) -> Result<Report> {
    let mut lines = output.lines();
    let heading = lines.next().context("the reader printed nothing")?;
    let Heading { version } = serde_json::from_str(heading).with_context(|| format!("expected a version, not {heading}"))?;
    let mut report = Report { version, records: 0, differences: Vec::new() };
    let mut seen = BTreeSet::new();
    for line in lines {
        report.records += 1;
        let envelope: Map<String, Value> = serde_json::from_str(line).with_context(|| format!("expected JSON, not {line}"))?;
        let Some(place) = place(&envelope) else {
            report.differences.push(format!("a record without a source: {line}"));
            continue;
        };
        let Some(expected) = expected.get(&place) else {
            report.differences.push(format!("{}: a record that should not be there", name(&place)));
            continue;
        };
        if !seen.insert(place.clone()) {
            report.differences.push(format!("{}: the record is there again", name(&place)));
            continue;
        }
        let (is, should) = (leaves(&envelope), leaves(&expected.envelope));
        for field in is.keys().chain(should.keys()).collect::<BTreeSet<_>>() {
            let (is, should) = (is.get(field).copied(), should.get(field).copied());
            if !is_same(is, should) {
                let (is, should) = (shown(field, is), shown(field, should));
                let (place, case) = (name(&place), &expected.case);
                report.differences.push(format!("{place} ({case}): {field} is {is}, should be {should}"));
            }
        }
    }
    for (place, expected) in expected.iter().filter(|(place, _)| !seen.contains(*place)) {
        report.differences.push(format!("{} ({}): the record is missing", name(place), expected.case));
    }
    Ok(report)
}

fn place(envelope: &Map<String, Value>) -> Option<Place> {
    let source = envelope.get("source")?;
    let topic = source.get("kafka_topic")?.as_str()?.to_owned();
    let number = |name: &str| source.get(name)?.as_i64();
    Some((topic, number("kafka_partition")?, number("kafka_offset")?, number("item_index")?))
}

fn name((topic, partition, offset, item): &Place) -> String {
    format!("{topic}/{partition}@{offset} item {item}")
}

/// All values that are no objects, by their paths.
fn leaves(object: &Map<String, Value>) -> BTreeMap<String, &Value> {
    let mut leaves = BTreeMap::new();
    for (name, value) in object {
        match value {
            Value::Null => {}
            Value::Object(inner) => {
                leaves.extend(self::leaves(inner).into_iter().map(|(path, leaf)| (format!("{name}.{path}"), leaf)));
            }
            leaf => {
                leaves.insert(name.clone(), leaf);
            }
        }
    }
    leaves
}

fn is_same(is: Option<&Value>, should: Option<&Value>) -> bool {
    match (is, should) {
        // Some print 1 and some 1.0 for the same double.
        (Some(Value::Number(is)), Some(Value::Number(should))) if is.is_f64() || should.is_f64() => {
            is.as_f64() == should.as_f64()
        }
        (is, should) => is == should,
    }
}

/// A value as it is shown to people: the payload as a text.
fn shown(field: &str, value: Option<&Value>) -> String {
    match value {
        None => "not there".to_owned(),
        Some(Value::String(digits)) if field == "payload" => {
            let byte = |index| digits.get(index..index + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
            bytes.map_or_else(|| digits.clone(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        Some(value) => value.to_string(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "version {}: {} records, {} differences", self.version, self.records, self.differences.len())?;
        for difference in self.differences.iter().take(SHOWN) {
            writeln!(f, "  {difference}")?;
        }
        Ok(())
    }
}
