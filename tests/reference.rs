//! What is written about the settings is what the program says of them: their reference, the README, the chart's schema.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

mod keys;
mod tables;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use event_normalizer::settings::Settings;
use serde_json::{Value, json};

use keys::Key;

/// Of the settings, as JSON: all that must be there.
const SMALLEST: &str = r#"{"kafka": {"brokers": "b:1"}, "sources": [{"topic": "raw.infobip", "vendor": "infobip"}]}"#;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_reference_lists_every_key() {
    let mut text = String::new();
    let mut sections = keys::sections();
    // What stands in no section would look as if it were part of the one before.
    sections.sort_by_key(|section| section.path.is_empty());
    for (number, section) in sections.iter().filter(|section| !section.keys.is_empty()).enumerate() {
        let title = if section.path.is_empty() { "Others".to_owned() } else { format!("`{}`", section.path) };
        let description = if section.path.is_empty() { "" } else { &section.description };
        let gap = if number == 0 { "" } else { "\n" };
        writeln!(text, "{gap}## {title}\n").unwrap();
        if !description.is_empty() {
            writeln!(text, "{description}\n").unwrap();
        }
        text.push_str("| key | value | default | what it does | in the environment |\n|---|---|---|---|---|\n");
        for key in &section.keys {
            let variable = key.variable().map_or(String::new(), |variable| format!("`{variable}`"));
            let description = key.schema["description"].as_str().unwrap_or_default();
            writeln!(text, "| `{}` | {} | {} | {description} | {variable} |", key.path, value(key), default(key)).unwrap();
        }
    }
    tables::hold("docs/settings.md", "keys", &text);
}

/// What a key takes.
fn value(key: &Key) -> String {
    let schema = &key.schema;
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        return words.join(", ");
    }
    let kind = match (schema["type"].as_str().unwrap(), key.path.ends_with("_file")) {
        ("string", true) => "file",
        ("string", false) if schema["writeOnly"] == true => "secret text",
        ("string", false) => "text",
        ("integer", _) => "whole number",
        ("number", _) => "number",
        ("boolean", _) => "`true`, `false`",
        ("object", _) => "map of texts",
        (kind, _) => panic!("{}: {kind}", key.path),
    };
    let limits = [("minimum", "from"), ("maximum", "to"), ("exclusiveMaximum", "below")];
    let limits = limits.iter().filter_map(|(limit, word)| schema.get(*limit).map(|limit| format!(" {word} {limit}")));
    format!("{kind}{}", limits.collect::<String>())
}

fn default(key: &Key) -> String {
    match &key.schema["default"] {
        Value::Null if key.is_required => "required".to_owned(),
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Object(map) if map.is_empty() => "empty".to_owned(),
        other => format!("`{other}`"),
    }
}

#[test]
fn every_key_is_described() {
    for key in keys::all() {
        let description = key.schema["description"].as_str().unwrap_or_default();
        assert!(description.ends_with('.'), "{}: its field in src/settings has no doc comment that is a sentence", key.path);
        assert!(!description.contains('|'), "{}: a bar would end the table's cell", key.path);
    }
}

/// A value that the schema refuses is refused by the program, and one at the limit is taken.
#[test]
fn the_limits_of_the_schema_are_those_of_the_program() {
    let mut count = 0;
    for key in keys::all() {
        for (limit, outside) in [("minimum", -1), ("maximum", 1), ("exclusiveMaximum", 0)] {
            let Some(limit) = key.schema.get(limit).and_then(Value::as_i64) else { continue };
            count += 1;
            assert!(with(&key.path, &json!(limit + outside)).is_err(), "{}: {} is taken", key.path, limit + outside);
            if outside != 0 {
                let taken = with(&key.path, &json!(limit));
                assert!(taken.is_ok(), "{}: {limit} is refused: {:#}", key.path, taken.unwrap_err());
            }
        }
        if key.schema["minLength"] == 1 {
            count += 1;
            assert!(with(&key.path, &json!("")).is_err(), "{}: an empty text is taken", key.path);
        }
        for word in key.schema["enum"].as_array().into_iter().flatten().filter(|_| key.path != "kafka.security.protocol") {
            count += 1;
            let taken = with(&key.path, word);
            assert!(taken.is_ok(), "{}: {word} is refused: {:#}", key.path, taken.unwrap_err());
        }
    }
    assert!(count > 20, "{count} limits were found");
}

/// The smallest settings with a key more, and what the key can't be without.
fn with(path: &str, value: &Value) -> anyhow::Result<Settings> {
    let mut settings: Value = serde_json::from_str(SMALLEST).unwrap();
    if path.starts_with("schema_registry.") {
        settings["schema_registry"] = json!({ "url": "http://localhost:8081" });
    }
    if path.starts_with("dead_letters.stop_above.") {
        settings["dead_letters"] = json!({ "stop_above": { "ratio": 0.5, "window": 100 } });
    }
    if path.starts_with("kafka.security.sasl.") {
        let oauth = json!({ "token_url": "http://localhost/token", "client_id": "me", "client_secret": "secret" });
        let of_oauth = json!({ "mechanism": "OAUTHBEARER", "oauth": oauth });
        let of_password = json!({ "mechanism": "PLAIN", "username": "me", "password": "secret" });
        let has_oauth = path.contains("oauth") || value == "OAUTHBEARER";
        let sasl = if has_oauth { of_oauth } else { of_password };
        settings["kafka"]["security"] = json!({ "protocol": "sasl_plaintext", "sasl": sasl });
    }
    let mut place = &mut settings;
    for part in path.split('.') {
        place = match part.strip_suffix("[]") {
            Some(list) => &mut place[list][0],
            None => &mut place[part],
        };
    }
    *place = value.clone();
    Settings::of_yaml(&settings.to_string())
}

/// Every variable is read: a value of another kind than the key's is refused with the key's name.
#[test]
fn each_key_is_read_from_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.yaml");
    fs::write(&path, SMALLEST).unwrap();
    let mut count = 0;
    for key in keys::all().iter().filter(|key| key.schema["type"] != "string") {
        let Some(variable) = key.variable() else { continue };
        let mut command = Command::new(env!("CARGO_BIN_EXE_event-normalizer"));
        command.args(["check", "--offline", "--settings"]).arg(&path).env_clear().env(&variable, "?");
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&format!("error: {}: expected", key.path)), "{variable}: {said}");
        count += 1;
    }
    assert!(count > 15, "{count} variables were tried");
}

/// Keys that a text names between back quotes: `kafka.group`, or `.partitions` for a neighbor of the one before.
#[test]
fn every_key_that_a_text_names_is_there() {
    let sections = keys::sections();
    let known: BTreeSet<String> = sections.iter().map(|section| section.path.trim_end_matches("[]").to_owned()).collect();
    let keys: BTreeSet<String> = keys::all().into_iter().map(|key| key.path).collect();
    let is_known = |key: &str| known.contains(key.trim_end_matches("[]")) || keys.contains(key);
    let is_section = |word: &str| !word.is_empty() && known.contains(word.trim_end_matches("[]"));
    let mut count = 0;
    for name in ["README.md", "docs/runbooks.md", "deploy/README.md"] {
        for line in file(name).lines() {
            let mut before = String::new();
            for quoted in line.split('`').skip(1).step_by(2) {
                let key = quoted.split([':', ' ']).next().unwrap_or_default();
                let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || b"._[]".contains(&byte));
                if !is_key(key) {
                    continue;
                }
                let key = match key.strip_prefix('.') {
                    Some(neighbor) if !before.is_empty() => {
                        let (section, _) = before.rsplit_once('.').unwrap();
                        format!("{section}.{neighbor}")
                    }
                    _ => key.to_owned(),
                };
                let Some((first, _)) = key.split_once('.').filter(|(first, _)| is_section(first)) else { continue };
                count += 1;
                assert!(is_known(&key), "{name} names {key}, and {first} has no such key");
                before = key;
            }
        }
    }
    assert!(count > 40, "{count} keys were found in the texts");
}

/// The chart's value `settings` is the settings file. What it takes stands in its schema as the program has it.
#[test]
fn the_charts_schema_is_the_settings_own() {
    let mut schema = keys::schema();
    schema["description"] = json!("The program's settings file, key by key");
    refuse_secrets(&mut schema);
    let text = serde_json::to_string_pretty(&schema).unwrap().replace('\n', "\n    ");
    let text = format!("{text},\n");
    tables::hold_between(
        "helm/event-normalizer/values.schema.json",
        "\n    \"settings\": ",
        "    \"existingSettings\": ",
        &text,
    );
}

/// The chart takes a secret only to say what to do instead.
fn refuse_secrets(schema: &mut Value) {
    if schema["writeOnly"] == true {
        let own = schema["description"].as_str().unwrap_or_default();
        schema["description"] =
            json!(format!("{own} The chart refuses it, since the settings stand in a ConfigMap, and says what to do instead."));
    }
    if let Some(items) = schema.get_mut("items") {
        refuse_secrets(items);
    }
    for property in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut()) {
        refuse_secrets(property);
    }
}
