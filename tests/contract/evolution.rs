//! Every version that was ever released can read every other one, both ways, for ever.

use std::fs;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::types::Value as AvroValue;
use apache_avro::writer::datum::GenericDatumWriter;
use bumpalo::Bump;
use event_normalizer::avro::{self, Encoder};
use event_normalizer::vendors::{ADAPTERS, Outcome, Reading};
use serde_json::{Value, json};

use super::fixtures::Fixture;
use super::{changed, root, schema};

/// The released versions with their names, and the schema of this build.
fn versions() -> Vec<(String, Value)> {
    let mut versions: Vec<_> = fs::read_dir(root().join("schemas/released"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    assert!(!versions.is_empty(), "schemas/released is empty");
    versions.push(("this build".to_owned(), schema()));
    versions
}

/// What the next version may look like: a field more at the end of the root and of a group.
fn next() -> Value {
    let field = json!({"name": "added", "type": ["null", "string"], "default": null, "doc": "Added later."});
    let mut next = schema();
    next["fields"].as_array_mut().unwrap().push(field.clone());
    let contact = next["fields"].as_array_mut().unwrap().iter_mut().find(|field| field["name"] == "contact").unwrap();
    contact["type"][1]["fields"].as_array_mut().unwrap().push(field);
    next
}

/// Which rules a change from one version to a later one breaks, each with its field. Stricter than Avro's own: what readers
/// that match by position or by column do is thought of as well.
fn breaks(older: &Value, newer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in ["name", "namespace"] {
        if older[key] != newer[key] {
            found.push(format!("the root: its {key} never changes"));
        }
    }
    compare("", older, newer, &mut found);
    found
}

fn compare(path: &str, older: &Value, newer: &Value, found: &mut Vec<String>) {
    let fields = |record: &Value| record["fields"].as_array().cloned().unwrap_or_default();
    let (older, newer) = (fields(older), fields(newer));
    for (index, old) in older.iter().enumerate() {
        let path = format!("{path}{}", old["name"].as_str().unwrap_or_default());
        match newer.iter().position(|field| field["name"] == old["name"]) {
            None => found.push(format!("{path}: no field is removed or renamed")),
            Some(place) if place != index => found.push(format!("{path}: no field changes its place")),
            Some(_) => compare_types(&path, old, &newer[index], found),
        }
    }
    for new in newer.iter().filter(|new| !older.iter().any(|old| old["name"] == new["name"])) {
        let is_optional = new["type"].as_array().is_some_and(|union| union.len() == 2 && union[0] == "null");
        if !is_optional || new.get("default") != Some(&Value::Null) {
            let name = new["name"].as_str().unwrap_or_default();
            found.push(format!("{path}{name}: a new field is [\"null\", T] with default null"));
        }
    }
}

fn compare_types(path: &str, older: &Value, newer: &Value, found: &mut Vec<String>) {
    let record = |field: &Value| {
        let of = field["type"].as_array().map_or(&field["type"], |union| &union[1]).clone();
        (of["type"] == "record").then_some(of)
    };
    let is_union = |field: &Value| field["type"].is_array();
    match (record(older), record(newer)) {
        (Some(old), Some(new)) if old["name"] == new["name"] && is_union(older) == is_union(newer) => {
            compare(&format!("{path}."), &old, &new, found);
        }
        (None, None) if older["type"] == newer["type"] && older.get("default") == newer.get("default") => {}
        _ => found.push(format!("{path}: no field changes its type")),
    }
}

#[test]
fn every_version_reads_every_other_one() {
    let versions = versions();
    for (index, (older, old)) in versions.iter().enumerate() {
        for (newer, new) in &versions[index..] {
            assert_eq!(breaks(old, new), [""; 0], "{older} to {newer}");
        }
        for (other, new) in &versions {
            let parsed = |schema: &Value| Schema::parse_str(&schema.to_string()).unwrap();
            let result = SchemaCompatibility::can_read(&parsed(old), &parsed(new));
            assert!(result.is_ok(), "{other} cannot read {older}: {result:?}");
        }
    }
}

#[test]
fn a_change_that_breaks_readers_is_named_with_its_field() {
    let schema = schema();
    let fields = schema["fields"].as_array().unwrap();
    let contact = fields.iter().position(|field| field["name"] == "contact").unwrap();
    let contact = format!("/fields/{contact}/type/1/fields");
    let added = json!({"name": "added", "type": "string", "doc": "not optional"});
    for (broken, expected) in [
        (changed("/fields", |fields| drop(fields.as_array_mut().unwrap().pop())), "payload: no field is removed or renamed"),
        (
            changed(&contact, |fields| drop(fields.as_array_mut().unwrap().pop())),
            "contact.display_name: no field is removed or renamed",
        ),
        (
            changed(&contact, |fields| fields[0]["type"] = json!(["null", "bytes"])),
            "contact.address: no field changes its type",
        ),
        (changed("/fields/5", |field| field["type"] = json!("string")), "vendor_format: no field changes its type"),
        (
            changed("/fields", |fields| fields.as_array_mut().unwrap().push(added)),
            "added: a new field is [\"null\", T] with default null",
        ),
        (changed("", |schema| schema["name"] = json!("Event")), "the root: its name never changes"),
    ] {
        assert_eq!(breaks(&schema, &broken), [expected]);
    }
    let swapped = changed("/fields", |fields| fields.as_array_mut().unwrap().swap(0, 1));
    assert_eq!(breaks(&schema, &swapped), ["event_id: no field changes its place", "event_type: no field changes its place"]);
    assert_eq!(breaks(&schema, &next()), [""; 0]);
}

#[test]
fn golden_records_of_each_version_are_read_with_each() {
    let mut versions = versions();
    versions.push(("the next version".to_owned(), next()));
    let schemas: Vec<_> = versions.iter().map(|(_, schema)| Schema::parse_str(&schema.to_string()).unwrap()).collect();
    let records = golden_records();
    assert!(records.len() > 1_000, "the golden records were not found");
    for writer in &schemas {
        for reader in &schemas {
            for record in &records {
                let written = record.clone().resolve(writer).unwrap();
                let bytes = GenericDatumWriter::builder(writer).build().unwrap().write_value_to_vec(written.clone()).unwrap();
                let read = GenericDatumReader::builder(writer).reader_schema(reader).build().unwrap();
                let read = read.read_value(&mut bytes.as_slice()).unwrap();
                assert_eq!(known(&read), known(&written));
            }
        }
    }
}

/// A record as text, without the field that only the next version has.
fn known(value: &AvroValue) -> Value {
    let mut json = Value::try_from(value.clone()).unwrap();
    json.as_object_mut().unwrap().remove("added");
    if let Some(contact) = json["contact"].as_object_mut() {
        contact.remove("added");
    }
    json
}

/// The envelope of every golden event.
fn golden_records() -> Vec<AvroValue> {
    let (encoder, schema) = (Encoder::verified().unwrap(), avro::schema().unwrap());
    let mut records = Vec::new();
    for adapter in ADAPTERS {
        for fixture in Fixture::all(adapter) {
            let (arena, hints) = (Bump::new(), fixture.hints());
            adapter.normalize(&fixture.body, &hints, &Reading::default(), &arena, |normalized| {
                let Outcome::Event(event) = normalized.outcome else { return };
                let item = (normalized.index, normalized.count);
                let envelope = fixture.wrap(adapter, event, item, normalized.bytes, &arena);
                let mut framed = Vec::new();
                encoder.encode(&envelope, &mut framed);
                records.push(avro::decode(&schema, &framed).unwrap());
            });
        }
    }
    records
}
