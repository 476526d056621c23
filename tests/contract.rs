//! The schema is what every reader can load, and stays so: one record, nullable unions only, documented, no names that
//! make SQL quote them.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use event_normalizer::avro::SCHEMA_TEXT;
use serde_json::Value;

/// Words that Flink SQL, ClickHouse or BigQuery reserve or that force quotes in one of them.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "at",
    "between",
    "by",
    "call",
    "case",
    "cast",
    "column",
    "constraint",
    "create",
    "cross",
    "cube",
    "current",
    "date",
    "day",
    "default",
    "desc",
    "describe",
    "distinct",
    "drop",
    "else",
    "end",
    "escape",
    "exists",
    "extract",
    "false",
    "fetch",
    "filter",
    "first",
    "following",
    "for",
    "from",
    "full",
    "function",
    "grant",
    "group",
    "grouping",
    "groups",
    "hash",
    "having",
    "hour",
    "if",
    "in",
    "index",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "language",
    "last",
    "lateral",
    "left",
    "level",
    "like",
    "limit",
    "lookup",
    "map",
    "match",
    "merge",
    "method",
    "minute",
    "month",
    "natural",
    "new",
    "no",
    "not",
    "null",
    "nulls",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "position",
    "preceding",
    "primary",
    "proto",
    "range",
    "rank",
    "raw",
    "recursive",
    "references",
    "result",
    "returns",
    "right",
    "rollup",
    "row",
    "rows",
    "scope",
    "second",
    "select",
    "set",
    "some",
    "start",
    "table",
    "then",
    "time",
    "timestamp",
    "to",
    "trigger",
    "true",
    "type",
    "unbounded",
    "union",
    "unique",
    "unnest",
    "update",
    "user",
    "using",
    "value",
    "values",
    "view",
    "when",
    "where",
    "window",
    "with",
    "within",
    "without",
    "year",
];

fn schema() -> Value {
    serde_json::from_str(SCHEMA_TEXT).unwrap()
}

/// Every field of a record and of the records in it, with the depth of nesting.
fn fields(record: &Value, depth: usize, out: &mut Vec<(Value, usize)>) {
    for field in record["fields"].as_array().unwrap() {
        out.push((field.clone(), depth));
        let types = field["type"].as_array().cloned().unwrap_or_else(|| vec![field["type"].clone()]);
        for nested in types.iter().filter(|nested| nested["type"] == "record") {
            fields(nested, depth + 1, out);
        }
    }
}

fn all_fields() -> Vec<(Value, usize)> {
    let mut out = Vec::new();
    fields(&schema(), 1, &mut out);
    assert!(out.len() > 80, "the schema's fields were not found");
    out
}

#[test]
fn every_field_has_a_doc_and_a_name_that_no_reader_must_quote() {
    for (field, _) in all_fields() {
        let name = field["name"].as_str().unwrap();
        assert!(field["doc"].as_str().is_some_and(|doc| doc.len() > 5), "{name} has no doc");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{name}");
        assert!(!RESERVED.contains(&name), "{name} is reserved somewhere");
    }
}

#[test]
fn unions_are_null_first_with_default_null_and_nesting_stops_at_two() {
    for (field, depth) in all_fields() {
        let name = &field["name"];
        assert!(depth <= 2, "{name} is nested {depth} deep");
        if let Some(union) = field["type"].as_array() {
            assert_eq!(union.len(), 2, "{name}");
            assert_eq!(union[0], "null", "{name}");
            assert_eq!(field.get("default"), Some(&Value::Null), "{name}");
        }
        let text = field["type"].to_string();
        for banned in ["\"enum\"", "\"fixed\"", "\"array\"", "decimal", "micros", "nanos", "uuid"] {
            assert!(!text.contains(banned), "{name} has {banned}");
        }
    }
}

#[test]
fn the_root_is_a_record_with_a_namespace() {
    let schema = schema();
    assert_eq!(schema["type"], "record");
    assert!(schema["namespace"].is_string() && schema["doc"].is_string());
}

/// Groups by event type: in how many events of the golden files each stands, and how many events there are.
fn golden_groups() -> BTreeMap<String, (usize, BTreeMap<String, usize>)> {
    let mut found: BTreeMap<String, (usize, BTreeMap<String, usize>)> = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/vendors")];
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
    let readme = include_str!("../schemas/README.md");
    let rows: BTreeMap<_, _> = readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
            let groups = |cell: &str| -> BTreeSet<String> {
                cell.split(", ").filter(|group| !group.is_empty()).map(str::to_owned).collect()
            };
            Some((cells[0].trim_end_matches('`').to_owned(), (groups(cells[1]), groups(cells[2]))))
        })
        .collect();
    let found: BTreeMap<_, _> = golden_groups()
        .into_iter()
        .map(|(event_type, (count, groups))| {
            let (always, sometimes): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, filled)| *filled == count);
            let names = |groups: Vec<(String, usize)>| groups.into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
            (event_type, (names(always), names(sometimes)))
        })
        .collect();
    assert_eq!(rows, found);
}

#[test]
fn a_status_stands_if_and_only_if_the_event_is_one() {
    for (event_type, (count, groups)) in golden_groups() {
        let expected = if event_type == "message.status" { count } else { 0 };
        assert_eq!(groups.get("status").copied().unwrap_or(0), expected, "{event_type}");
    }
}
