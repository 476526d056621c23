//! The schema is what every reader can load, and stays so: its rules, its evolution, and what `schemas/README.md` says of it.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

mod evolution;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod rules;
#[path = "../tables/mod.rs"]
mod tables;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use event_normalizer::avro::SCHEMA_TEXT;
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(SCHEMA_TEXT).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The schema with something of it changed.
fn changed(pointer: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut schema = schema();
    change(schema.pointer_mut(pointer).unwrap());
    schema
}

#[test]
fn the_schema_keeps_the_rules() {
    assert_eq!(rules::violations(&schema()), [""; 0]);
}

#[test]
fn a_broken_rule_is_named_with_its_field() {
    let contact = schema()["fields"].as_array().unwrap().iter().position(|field| field["name"] == "contact").unwrap();
    let of_root = |key: &str, value: Value| changed("/fields/0", |field| field[key] = value);
    let of_contact =
        |key: &str, value: Value| changed(&format!("/fields/{contact}/type/1/fields/0"), |field| field[key] = value);
    let deep = json!({"type": "record", "name": "Deep", "fields": [{"name": "deeper", "type": "string", "doc": "too deep"}]});
    for (broken, expected) in [
        (of_root("name", json!("eventId")), "eventId: a name is snake_case"),
        (of_root("name", json!("offset")), "offset: a name is no word that a reader's SQL makes one quote"),
        (of_root("doc", Value::Null), "event_id: a field has a doc"),
        (of_root("type", json!(["string", "null"])), "event_id: a union is [\"null\", T], null first"),
        (of_root("type", json!(["null", "string", "long"])), "event_id: a union is [\"null\", T], null first"),
        (of_root("type", json!(["null", "string"])), "event_id: a union's default is null"),
        (of_root("type", json!({"type": "map", "values": "long"})), "event_id: a map holds strings"),
        (of_root("type", json!("Envelope")), "event_id: a type is a plain one, timestamp-millis, a map of strings or a record"),
        (
            of_root("type", json!({"type": "enum", "name": "Kind", "symbols": ["A"]})),
            "event_id: a type is a plain one, timestamp-millis, a map of strings or a record",
        ),
        (
            of_contact("type", json!({"type": "long", "logicalType": "timestamp-micros"})),
            "contact.address: a type is a plain one, timestamp-millis, a map of strings or a record",
        ),
        (of_contact("type", deep), "contact.address.deeper: records nest at most two deep"),
        (
            of_contact("type", json!({"type": "record", "name": "Contact", "fields": []})),
            "contact.address: a record is defined where it stands, under a name of its own",
        ),
        (
            changed("", |schema| schema["namespace"] = Value::Null),
            "the root: expected a record with a name, a namespace and a doc",
        ),
    ] {
        assert_eq!(rules::violations(&broken), [expected]);
    }
}

/// Groups by event type: in how many events of the golden files each stands, and how many events there are.
fn golden_groups() -> BTreeMap<String, (usize, BTreeMap<String, usize>)> {
    let mut found: BTreeMap<String, (usize, BTreeMap<String, usize>)> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root().join("src/vendors")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".expected.json") {
                let outcomes: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                for event in outcomes.iter().filter_map(|outcome| outcome.get("event")) {
                    let (count, groups) = found.entry(event["event_type"].as_str().unwrap().to_owned()).or_default();
                    *count += 1;
                    for (name, _) in
                        event.as_object().unwrap().iter().filter(|(name, value)| value.is_object() && *name != "attributes")
                    {
                        *groups.entry(name.clone()).or_default() += 1;
                    }
                }
            }
        }
    }
    found
}

#[test]
fn the_readme_says_which_groups_an_event_fills() {
    let mut table = "| event_type | always | sometimes |\n|---|---|---|\n".to_owned();
    for (event_type, (count, groups)) in golden_groups() {
        let (always, sometimes): (Vec<_>, Vec<_>) =
            in_order().into_iter().filter(|group| groups.contains_key(group)).partition(|group| groups[group] == count);
        writeln!(table, "| `{event_type}` | {} | {} |", always.join(", "), sometimes.join(", ")).unwrap();
    }
    tables::hold("schemas/README.md", "groups of each event type", &table);
}

/// The groups in the order of the schema.
fn in_order() -> Vec<String> {
    schema()["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_status_stands_if_and_only_if_the_event_is_one() {
    for (event_type, (count, groups)) in golden_groups() {
        let expected = if event_type == "message.status" { count } else { 0 };
        assert_eq!(groups.get("status").copied().unwrap_or(0), expected, "{event_type}");
    }
}
