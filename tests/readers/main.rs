//! Readers that others wrote can read the envelopes, field by field.

mod compare;
mod corpus;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod programs;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use std::process::{Command, ExitCode};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

use compare::{Report, compare};
use corpus::Corpus;
use stage::{Framing, Stage};
use support::registry::Registry;

/// A program that reads the envelopes.
struct Reader {
    test: &'static str,
    framing: Framing,
    deadline: Duration,
    command: fn(&Stage) -> Result<Command>,
}

const IN_EVERY_TEST: [Reader; 4] = [
    Reader { test: "java_single_object", framing: Framing::SingleObject, deadline: SOON, command: java },
    Reader { test: "java_confluent", framing: Framing::Confluent, deadline: SOON, command: java },
    Reader { test: "python_single_object", framing: Framing::SingleObject, deadline: SOON, command: python },
    Reader { test: "python_confluent", framing: Framing::Confluent, deadline: SOON, command: python },
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
    fn read(&self, stage: &Stage) -> Result<Report> {
        let mut command = (self.command)(stage)?;
        command.arg(stage.kafka.brokers()).arg(self.framing.name()).arg(stage.registry.url()).arg(stage::schema());
        command.args(stage.topics(self.framing));
        compare(&stage.corpus.expected, &programs::output(command, self.deadline)?)
    }
}

fn java(_: &Stage) -> Result<Command> {
    let mut command = programs::java("java")?;
    command.arg(programs::folder("java").join("Reader.java"));
    Ok(command)
}

fn python(_: &Stage) -> Result<Command> {
    let mut command = programs::python("python")?;
    command.arg(programs::folder("python").join("reader.py"));
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
