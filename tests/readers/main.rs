//! Readers that others wrote can read the envelopes, field by field.
//!
//! Without arguments these are tests like any other, of the readers that are small enough for every run. With `run` all
//! readers read, and the table of `schemas/README.md` says what came of it: `cargo test --test readers -- run --help`.

mod cloud_events;
mod compare;
mod container;
mod corpus;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod programs;
mod readme;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::env;
use std::process::{Command, ExitCode};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

use compare::{Report, compare};
use corpus::{Corpus, Expected, Place};
use readme::Row;
use stage::{Framing, Stage};
use support::registry::Registry;

/// A program that reads the envelopes.
struct Reader {
    /// Its test; what the command `run` calls it.
    name: &'static str,
    /// In the table of `schemas/README.md`, as are `framing` and `result`.
    title: &'static str,
    framing: &'static str,
    /// What can be said where nothing differs.
    result: &'static str,
    command: fn(&Stage) -> Result<Command>,
    /// What it must print.
    expected: fn(&Stage) -> Result<BTreeMap<Place, Expected>>,
}

const IN_EVERY_TEST: [Reader; 5] = [
    Reader::new("java_single_object", "Avro for Java, `BinaryMessageDecoder`", SINGLE_OBJECT, |stage| {
        java(stage, Framing::SingleObject)
    }),
    Reader::new("java_confluent", "Apicurio's deserializer for Java", CONFLUENT, |stage| java(stage, Framing::Confluent)),
    Reader::new("python_single_object", "fastavro", SINGLE_OBJECT, |stage| {
        python(stage, Framing::SingleObject.name(), Framing::SingleObject)
    }),
    Reader::new("python_confluent", "Confluent's deserializer for Python", CONFLUENT, |stage| {
        python(stage, Framing::Confluent.name(), Framing::Confluent)
    }),
    Reader {
        result: "every field, every attribute",
        expected: cloud_events::expected,
        ..Reader::new("python_cloud_events", "CloudEvents SDK for Python", "Confluent, CloudEvents headers", |stage| {
            python(stage, "cloud-events", Framing::Confluent)
        })
    },
];

/// They take long, and fetch about a gigabyte where it isn't there yet.
const ON_REQUEST: [Reader; 5] = [
    Reader::new("flink", "Flink SQL, format `avro-confluent`", CONFLUENT, flink),
    Reader::new("clickhouse", "ClickHouse, engine `Kafka`, format `AvroConfluent`", CONFLUENT, clickhouse),
    Reader::new("spark_confluent", "Spark, `from_avro`", CONFLUENT, |stage| spark(stage, Framing::Confluent)),
    Reader::new("spark_single_object", "Spark, `from_avro`", SINGLE_OBJECT, |stage| spark(stage, Framing::SingleObject)),
    Reader::new("duckdb", "DuckDB, `read_avro`", "container file", duckdb),
];

const SINGLE_OBJECT: &str = "single-object encoding";
const CONFLUENT: &str = "Confluent";

const SOON: Duration = Duration::from_secs(120);
const LATER: Duration = Duration::from_secs(600);

/// What can be asked for beside the tests.
#[derive(Parser)]
#[command(name = "readers")]
enum Order {
    /// Let all readers read, and write the table of schemas/README.md
    Run {
        /// Only these; the table stays as it is
        names: Vec<String>,
    },
}

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("run" | "help") => match Order::parse() {
            Order::Run { names } => run(&names),
        },
        _ => test(),
    }
}

fn test() -> ExitCode {
    let stage = Arc::new(LazyLock::new(Stage::set as fn() -> Result<Stage>));
    let mut trials = vec![
        trial("the_registry_keeps_schemas_until_it_is_stopped", registry),
        trial("every_difference_is_found", differences),
        trial("the_readme_shows_what_the_readers_use", readme::check_texts),
    ];
    for reader in IN_EVERY_TEST {
        let stage = stage.clone();
        trials.push(trial(reader.name, move || {
            let stage = stage.as_ref().as_ref().map_err(|error| anyhow!("{error:#}"))?;
            let report = reader.read(stage, SOON)?;
            ensure!(report.differences.is_empty(), "{report}");
            readme::check_row(&reader.row(&report))
        }));
    }
    drop(stage);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Lets the readers with these names read, or all. Only those that read to the end get into the table.
fn run(names: &[String]) -> ExitCode {
    let readers: Vec<&Reader> = IN_EVERY_TEST.iter().chain(&ON_REQUEST).collect();
    if let Some(unknown) = names.iter().find(|name| !readers.iter().any(|reader| reader.name == **name)) {
        let known: Vec<&str> = readers.iter().map(|reader| reader.name).collect();
        eprintln!("there is no reader {unknown}; there are {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    let stage = match Stage::set() {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut rows = Vec::new();
    let mut are_all_good = true;
    for reader in readers.iter().filter(|reader| names.is_empty() || names.iter().any(|name| name == reader.name)) {
        let started_at = Instant::now();
        match reader.read(&stage, LATER) {
            Ok(report) => {
                print!("{}, {} s, {report}", reader.name, started_at.elapsed().as_secs());
                are_all_good &= report.differences.is_empty();
                rows.push(reader.row(&report));
            }
            Err(error) => {
                println!("{}: {error:#}", reader.name);
                are_all_good = false;
            }
        }
    }
    if names.is_empty()
        && let Err(error) = readme::write_table(&rows)
    {
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    if are_all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A test whose error is shown with its causes.
fn trial(name: &str, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

impl Reader {
    const fn new(
        name: &'static str,
        title: &'static str,
        framing: &'static str,
        command: fn(&Stage) -> Result<Command>,
    ) -> Reader {
        let expected = |stage: &Stage| Ok(stage.corpus.expected.clone());
        Reader { name, title, framing, result: "every field", command, expected }
    }

    fn read(&self, stage: &Stage, deadline: Duration) -> Result<Report> {
        let command = (self.command)(stage)?;
        compare(&(self.expected)(stage)?, &programs::output(command, deadline)?)
    }

    fn row(&self, report: &Report) -> Row {
        let result = match report.differences.len() {
            0 => self.result.to_owned(),
            count => format!("{count} differences"),
        };
        Row { reader: self.title, version: report.version.clone(), framing: self.framing, result }
    }
}

fn java(stage: &Stage, framing: Framing) -> Result<Command> {
    let mut command = programs::java("java")?;
    command.arg(programs::folder("java").join("Reader.java"));
    command.arg(stage.kafka.brokers()).arg(framing.name()).arg(stage.registry.url()).arg(stage::schema());
    command.args(stage.topics(framing));
    Ok(command)
}

fn python(stage: &Stage, mode: &str, framing: Framing) -> Result<Command> {
    let mut command = programs::python("python")?;
    command.arg(programs::folder("python").join("reader.py"));
    command.arg(stage.kafka.brokers()).arg(mode).arg(stage.registry.url()).arg(stage::schema());
    command.args(stage.topics(framing));
    Ok(command)
}

fn flink(stage: &Stage) -> Result<Command> {
    let table = programs::pasted("flink/envelope.sql", &stage.in_place_of_examples(";"))?;
    let mut command = programs::java("flink")?;
    command.arg("-Xmx1g");
    command.arg(programs::folder("flink").join("Reader.java")).arg(table);
    Ok(command)
}

fn clickhouse(stage: &Stage) -> Result<Command> {
    let tables = programs::pasted("clickhouse/envelope.sql", &stage.in_place_of_examples(","))?;
    let mut command = programs::python("clickhouse")?;
    command.arg(programs::folder("clickhouse").join("reader.py")).arg(tables);
    command.arg(stage.corpus.expected.len().to_string());
    Ok(command)
}

fn spark(stage: &Stage, framing: Framing) -> Result<Command> {
    let changes = match framing {
        Framing::SingleObject => vec![("(value, 6)", "(value, 11)".to_owned())],
        Framing::Confluent => Vec::new(),
    };
    let function = programs::pasted("spark/envelope.py", &changes)?;
    let mut command = programs::python("spark")?;
    command.arg(programs::folder("spark").join("reader.py")).arg(function);
    command.arg(stage::schema()).arg(stage.hexadecimal_lines(framing)?).arg(programs::libs("spark")?);
    // Of a Spark that is installed beside.
    command.env_remove("SPARK_HOME").env_remove("SPARK_CONF_DIR");
    Ok(command)
}

fn duckdb(stage: &Stage) -> Result<Command> {
    let file = stage.container()?.display().to_string();
    let query = programs::pasted("duckdb/envelope.sql", &[("envelopes.avro", file)])?;
    let mut command = programs::python("duckdb")?;
    command.arg(programs::folder("duckdb").join("reader.py")).arg(query);
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
