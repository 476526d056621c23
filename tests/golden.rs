//! Every fixture of every vendor: a payload, its expected outcome, one named test each.
//!
//! `x.json` is a payload, `x.expected.json` lists one entry per item: `{"event": …}`, `{"dead_letter": …}` or
//! `{"ignored": …}`; `x.hints.json` holds hints where a case needs them. Of a dead letter only what the file names is
//! compared. `make golden` writes the expected files anew.
//!
//! `tests/event_ids` holds the id of every event. Readers drop doubles by it, so an id never changes once published.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

mod fixtures;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use apache_avro::Schema;
use bumpalo::Bump;
use event_normalizer::avro::{self, Encoder};
use event_normalizer::commands::translate;
use event_normalizer::vendors::{ADAPTERS, Adapter, Outcome, Reading};
use fixtures::Fixture;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

static ENCODER: LazyLock<Encoder> = LazyLock::new(|| Encoder::verified().expect("the encoder fits the schema"));
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| avro::schema().expect("the schema is sound"));

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for adapter in ADAPTERS {
        for fixture in Fixture::all(adapter) {
            let name = format!("{}::{}", adapter.vendor, fixture.name);
            trials.push(Trial::test(name, move || check(adapter, &fixture)));
        }
        let name = format!("{}::every_row_has_a_case", adapter.vendor);
        trials.push(Trial::test(name, move || rows_have_cases(adapter)));
        trials.push(Trial::test(format!("{}::ids_stay", adapter.vendor), move || ids_stay(adapter)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn check(adapter: &Adapter, fixture: &Fixture) -> Result<(), Failed> {
    let found = outcomes(adapter, fixture)?.entries;
    let expected_path = fixture.path.with_extension("expected.json");
    if std::env::var_os("GOLDEN_REWRITE").is_some() {
        fs::write(&expected_path, serde_json::to_string_pretty(&found)? + "\n")?;
        return Ok(());
    }
    let expected: Vec<Value> =
        serde_json::from_slice(&fs::read(&expected_path).map_err(|error| format!("{}: {error}", expected_path.display()))?)?;
    if found.len() != expected.len() {
        return Err(format!("{} items, expected {}: {found:#?}", found.len(), expected.len()).into());
    }
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let is_same = match (found.get("dead_letter"), expected.get("dead_letter")) {
            (Some(found), Some(Value::Object(expected))) => expected.iter().all(|(key, value)| found.get(key) == Some(value)),
            _ => found == expected,
        };
        if !is_same {
            return Err(difference(index, found, expected).into());
        }
    }
    Ok(())
}

fn difference(index: usize, found: &Value, expected: &Value) -> String {
    let mut lines = vec![format!("item {index} differs")];
    let (mut found_leaves, mut expected_leaves) = (Vec::new(), Vec::new());
    leaves("", found, &mut found_leaves);
    leaves("", expected, &mut expected_leaves);
    lines.extend(expected_leaves.iter().filter(|leaf| !found_leaves.contains(leaf)).map(|leaf| format!("  expected {leaf}")));
    lines.extend(found_leaves.iter().filter(|leaf| !expected_leaves.contains(leaf)).map(|leaf| format!("  found    {leaf}")));
    lines.join("\n")
}

fn leaves(path: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| leaves(&format!("{path}/{key}"), value, out)),
        leaf => out.push(format!("{path} = {leaf}")),
    }
}

#[derive(Debug, Default)]
struct Outcomes {
    /// One for each item, in the form of the expected files.
    entries: Vec<Value>,
    /// The items that are events, with their ids.
    event_ids: Vec<(i32, String)>,
}

/// What becomes of each item. Each envelope also goes through Avro and back.
fn outcomes(adapter: &Adapter, fixture: &Fixture) -> Result<Outcomes, Failed> {
    let hints = fixture.hints();
    let arena = Bump::new();
    let mut outcomes = Outcomes::default();
    let mut failure = None;
    adapter.normalize(&fixture.body, &hints, &Reading::default(), &arena, |normalized| {
        let bytes = normalized.bytes;
        let entry = match normalized.outcome {
            Outcome::Event(event) => {
                let envelope = fixture.wrap(adapter, event, (normalized.index, normalized.count), bytes, &arena);
                let mut framed = Vec::new();
                ENCODER.encode(&envelope, &mut framed);
                if let Err(error) = avro::check(&SCHEMA, &envelope, &framed) {
                    failure = Some(error);
                }
                outcomes.event_ids.push((normalized.index, envelope.event_id.to_owned()));
                let mut object = translate::envelope_object(&envelope).expect("an envelope is a JSON object");
                for plumbing in ["event_id", "vendor", "received_at", "source", "payload"] {
                    assert!(object.shift_remove(plumbing).is_some(), "{plumbing} is always there");
                }
                json!({ "event": object })
            }
            Outcome::Ignored(ignored) => json!({"ignored": {"cause": ignored.cause()}}),
            Outcome::Rejected(reject) => json!({"dead_letter": {"reason": reject.reason.name(), "detail": reject.detail}}),
        };
        outcomes.entries.push(entry);
    });
    match failure {
        Some(error) => Err(format!("{error:#}").into()),
        None => Ok(outcomes),
    }
}

/// Every row of the catalogue has a case that gives its event, on its channel, in its format.
fn rows_have_cases(adapter: &Adapter) -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    for fixture in Fixture::all(adapter) {
        let hinted_format = fixture.hints().format.map(str::to_owned);
        for outcome in outcomes(adapter, &fixture)?.entries {
            let Some(event) = outcome.get("event") else { continue };
            let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let key = (text("vendor_event"), text("channel"), text("event_type"));
            for format in [None, event.get("vendor_format").and_then(Value::as_str).map(str::to_owned), hinted_format.clone()] {
                seen.insert((key.clone(), format));
            }
        }
    }
    let missing: Vec<_> = adapter
        .rows
        .iter()
        .filter(|row| {
            let key = (row.event.to_owned(), row.channel.slug().to_owned(), row.event_type.0.to_owned());
            !seen.contains(&(key, row.format.map(str::to_owned)))
        })
        .map(|row| format!("{} on {} as {}", row.event, row.channel, row.format.unwrap_or("default")))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("rows without a case: {missing:#?}").into()) }
}

/// No event has another id than the one on file. `make golden` adds the ids of new cases.
fn ids_stay(adapter: &Adapter) -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/event_ids").join(adapter.vendor).with_extension("tsv");
    let mut found = String::new();
    for fixture in Fixture::all(adapter) {
        for (index, id) in outcomes(adapter, &fixture)?.event_ids {
            writeln!(found, "{}\t{index}\t{id}", fixture.name)?;
        }
    }
    if std::env::var_os("GOLDEN_REWRITE").is_some() {
        fs::write(&path, found)?;
        return Ok(());
    }
    let expected = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let changed: Vec<_> = found.lines().filter(|line| !expected.lines().any(|own| own == *line)).collect();
    if changed.is_empty() { Ok(()) } else { Err(format!("case, item and id that are not on file: {changed:#?}").into()) }
}
