//! Readers that others wrote can read the envelopes, field by field.

mod cloud_events;
mod compare;
mod corpus;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod programs;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

use compare::{Report, compare};
use corpus::{Corpus, Expected, Place};
use stage::{Framing, Stage};
use support::registry::Registry;

/// A program that reads the envelopes.
struct Reader {
    test: &'static str,
    framing: Framing,
    deadline: Duration,
    command: fn(&Stage, Framing) -> Result<Command>,
    /// What it must print.
    expected: fn(&Stage) -> Result<BTreeMap<Place, Expected>>,
}

const IN_EVERY_TEST: [Reader; 5] = [
    Reader::new("java_single_object", Framing::SingleObject, java),
    Reader::new("java_confluent", Framing::Confluent, java),
    Reader::new("python_single_object", Framing::SingleObject, python),
    Reader::new("python_confluent", Framing::Confluent, python),
    Reader { expected: cloud_events::expected, ..Reader::new("python_cloud_events", Framing::Confluent, python_cloud_events) },
];

const SOON: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let stage = Arc::new(LazyLock::new(Stage::set as fn() -> Result<Stage>));
    let mut trials = vec![
        trial("the_registry_keeps_schemas_until_it_is_stopped", registry),
        trial("every_difference_is_found", differences),
    ];
    for reader in IN_EVERY_TEST {
        let stage = stage.clone();
        trials.push(trial(reader.test, move || {
            let stage = stage.as_ref().as_ref().map_err(|error| anyhow!("{error:#}"))?;
            let report = reader.read(stage)?;
            ensure!(report.differences.is_empty(), "{report}");
            Ok(())
        }));
    }
    drop(stage);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test whose error is shown with its causes.
fn trial(name: &str, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

impl Reader {
    const fn new(test: &'static str, framing: Framing, command: fn(&Stage, Framing) -> Result<Command>) -> Reader {
        Reader { test, framing, deadline: SOON, command, expected: |stage| Ok(stage.corpus.expected.clone()) }
    }

    fn read(&self, stage: &Stage) -> Result<Report> {
        let command = (self.command)(stage, self.framing)?;
        compare(&(self.expected)(stage)?, &programs::output(command, self.deadline)?)
    }
}

fn java(stage: &Stage, framing: Framing) -> Result<Command> {
    let mut command = programs::java("java")?;
    command.arg(programs::folder("java").join("Reader.java"));
    command.arg(stage.kafka.brokers()).arg(framing.name()).arg(stage.registry.url()).arg(stage::schema());
    command.args(stage.topics(framing));
    Ok(command)
}

fn python(stage: &Stage, framing: Framing) -> Result<Command> {
    python_as(framing.name(), stage, framing)
}

fn python_cloud_events(stage: &Stage, framing: Framing) -> Result<Command> {
    python_as("cloud-events", stage, framing)
}

fn python_as(mode: &str, stage: &Stage, framing: Framing) -> Result<Command> {
    let mut command = programs::python("python")?;
    command.arg(programs::folder("python").join("reader.py"));
    command.arg(stage.kafka.brokers()).arg(mode).arg(stage.registry.url()).arg(stage::schema());
    command.args(stage.topics(framing));
    Ok(command)
}

/// A reader that changes, drops, adds or doubles something is found out.
fn differences() -> Result<()> {
    let expected = Corpus::read("readers")?.expected;
    let mut lines: Vec<Value> = expected.values().map(|expected| Value::Object(expected.envelope.clone())).collect();
    let found = |lines: &[Value]| -> Result<Vec<String>> {
        let printed: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Ok(compare(&expected, &format!("{}\n{printed}", json!({ "version": "1" })))?.differences)
    };
    assert_eq!(found(&lines)?, Vec::<String>::new());

    let changes: [fn(&mut Value); 5] = [
        |envelope| envelope["event_id"] = json!("another"),
        |envelope| envelope["attributes"] = json!({ "another": "" }),
        |envelope| envelope["cost"] = json!({ "amount": "0.50" }),
        |envelope| envelope["received_at"] = json!("2026-03-04T07:45:12Z"),
        |envelope| envelope["payload"] = Value::Null,
    ];
    for change in changes {
        let original = lines[0].clone();
        change(&mut lines[0]);
        let found = found(&lines)?;
        assert!(!found.is_empty(), "not found: {}", lines[0]);
        lines[0] = original;
    }
    let last = lines.pop().context("envelopes")?;
    assert!(found(&lines)?[0].ends_with("the record is missing"));
    lines.extend([last.clone(), last.clone()]);
    assert!(found(&lines)?[0].ends_with("the record is there again"));
    lines.pop();
    let mut stranger = last;
    stranger["source"]["item_index"] = json!(1000);
    lines.push(stranger);
    assert!(found(&lines)?[0].ends_with("a record that should not be there"));
    Ok(())
}

fn registry() -> Result<()> {
    let first = r#"{"type":"record","name":"A","fields":[{"name":"a","type":"string"}]}"#;
    let incompatible = r#"{"type":"record","name":"A","fields":[{"name":"a","type":"int"}]}"#;
    let mut registry = Registry::start()?;
    let id = registry.register("topic/a-value", first)?;
    assert_eq!(registry.register("other-value", first)?, id, "one schema has one id");
    assert_eq!(registry.schema(id)?, first);
    let mut subjects = registry.subjects()?;
    subjects.sort();
    assert_eq!(subjects, ["other-value", "topic/a-value"]);

    registry.set_compatibility("topic/a-value", "FULL_TRANSITIVE")?;
    let refusal = registry.register("topic/a-value", incompatible).expect_err("a refusal").to_string();
    assert!(refusal.contains("status 409"), "{refusal}");

    let url = registry.url();
    registry.stop()?;
    assert!(registry.subjects().is_err(), "a stopped registry answers");
    registry.start_again()?;
    assert_eq!(registry.url(), url);
    assert_eq!(registry.subjects()?, Vec::<String>::new(), "its memory is gone");
    Ok(())
}
