//! The rules that every version of the schema keeps, so that every reader can load it.

use serde_json::Value;

/// Words that Flink SQL, ClickHouse or BigQuery reserve or that force quotes in one of them.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "all", "and", "any", "array", "as", "at", "between", "by", "call", "case", "cast", "column", "constraint",
    "create", "cross", "cube", "current", "date", "day", "default", "desc", "describe", "distinct", "drop", "else",
    "end", "escape", "exists", "extract", "false", "fetch", "filter", "first", "following", "for", "from", "full",
    "function", "grant", "group", "grouping", "groups", "hash", "having", "hour", "if", "in", "index", "inner",
    "insert", "intersect", "interval", "into", "is", "join", "key", "language", "last", "lateral", "left", "level",
    "like", "limit", "lookup", "map", "match", "merge", "method", "minute", "month", "natural", "new", "no", "not",
    "null", "nulls", "of", "offset", "on", "or", "order", "outer", "over", "partition", "position", "preceding",
    "primary", "proto", "range", "rank", "raw", "recursive", "references", "result", "returns", "right", "rollup",
    "row", "rows", "scope", "second", "select", "set", "some", "start", "table", "then", "time", "timestamp", "to",
    "trigger", "true", "type", "unbounded", "union", "unique", "unnest", "update", "user", "using", "value", "values",
    "view", "when", "where", "window", "with", "within", "without", "year",
];

const DEPTH_MAX: usize = 2;

/// What a type may be beside a record or a map of strings.
const PLAIN_TYPES: [&str; 6] = ["string", "int", "long", "double", "boolean", "bytes"];

/// Every rule that a schema breaks, each with the field that breaks it.
pub fn violations(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let is_named = schema["name"].is_string() && schema["namespace"].is_string() && schema["doc"].is_string();
    if schema["type"] != "record" || !is_named {
        found.push("the root: expected a record with a name, a namespace and a doc".to_owned());
    }
    let mut names = vec![schema["name"].clone()];
    fields("", schema, 1, &mut names, &mut found);
    found
}

fn fields(path: &str, record: &Value, depth: usize, names: &mut Vec<Value>, found: &mut Vec<String>) {
    for field in record["fields"].as_array().into_iter().flatten() {
        let name = field["name"].as_str().unwrap_or_default();
        let path = format!("{path}{name}");
        let mut broken = |rule: &str| found.push(format!("{path}: {rule}"));
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            broken("a name is snake_case");
        }
        if RESERVED.contains(&name) {
            broken("a name is no word that a reader's SQL makes one quote");
        }
        if field["doc"].as_str().is_none_or(|doc| doc.len() <= 5) {
            broken("a field has a doc");
        }
        if depth > DEPTH_MAX {
            broken("records nest at most two deep");
        }
        let of = match field["type"].as_array().map(Vec::as_slice) {
            None => &field["type"],
            Some([null, of]) if null == "null" && field.get("default") == Some(&Value::Null) => of,
            Some([null, of]) if null == "null" => {
                broken("a union's default is null");
                of
            }
            Some(_) => {
                broken("a union is [\"null\", T], null first");
                continue;
            }
        };
        match (of.as_str(), of["type"].as_str()) {
            (Some(plain), _) if PLAIN_TYPES.contains(&plain) => {}
            (None, Some("long")) if of["logicalType"] == "timestamp-millis" => {}
            (None, Some("map")) if of["values"] == "string" => {}
            (None, Some("map")) => broken("a map holds strings"),
            (None, Some("record")) => {
                if names.contains(&of["name"]) {
                    broken("a record is defined where it stands, under a name of its own");
                }
                names.push(of["name"].clone());
                fields(&format!("{path}."), of, depth + 1, names, found);
            }
            // A record's name would be recursion, or a second use.
            _ => broken("a type is a plain one, timestamp-millis, a map of strings or a record"),
        }
    }
}
