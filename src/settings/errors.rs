//! What is wrong with the settings, in one line: the key, what was expected, how to cure it. Never a value.

use anyhow::{Error, anyhow};
use config::ConfigError;
use serde_path_to_error::Path;

/// A settings file that can't be read or is not YAML.
pub(super) fn of_source(error: &ConfigError) -> Error {
    match error {
        ConfigError::FileParse { uri, cause } => {
            // The parser's text quotes no value; its first line says where.
            let cause = cause.to_string();
            let place = cause.lines().next().unwrap_or_default();
            anyhow!("the settings file {} is not YAML: {place}", uri.as_deref().unwrap_or("(text)"))
        }
        _ => anyhow!("the settings can't be read: expected a YAML file of sections such as kafka and sources"),
    }
}

/// A key that is missing, unknown or of a wrong type.
pub(super) fn of_key(error: &serde_path_to_error::Error<ConfigError>) -> Error {
    let text = innermost(error.inner());
    let path = key_path(error.path());
    if let Some(rest) = text.strip_prefix("unknown field `") {
        let (field, known) = rest.split_once('`').unwrap_or((rest, ""));
        let parent = path.strip_suffix(field).unwrap_or(&path).trim_end_matches('.');
        let known = known.split('`').skip(1).step_by(2);
        return anyhow!("{} is no setting{}", join(parent, field), nearest(field, known));
    }
    if let Some(rest) = text.strip_prefix("missing field ") {
        let field = rest.trim_matches('`');
        return anyhow!("{} is missing", join(&path, field));
    }
    let expected = text.rsplit_once("expected ").map_or("another value", |(_, rest)| rest);
    let expected = expected.split(" for key").next().unwrap_or(expected);
    anyhow!("{path}: expected {}", expected.replace('`', ""))
}

/// An unknown word where only some are known.
pub(super) fn unknown_key<'a>(place: &str, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    format!("{place}: {word} is not known{}", nearest(word, known))
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let likeness = |candidate: &str| strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase());
    known
        .max_by(|first, second| likeness(first).total_cmp(&likeness(second)))
        .map_or(String::new(), |nearest| format!(": did you mean {nearest}?"))
}

fn join(parent: &str, field: &str) -> String {
    if parent.is_empty() { field.to_owned() } else { format!("{parent}.{field}") }
}

fn key_path(path: &Path) -> String {
    let path = path.to_string();
    if path == "." { String::new() } else { path }
}

/// The config crate wraps serde's text once for each level, with the key and the file.
fn innermost(error: &ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => innermost(error),
        ConfigError::Message(text) => text.clone(),
        ConfigError::NotFound(field) => format!("missing field {}", field.trim_matches('`')),
        ConfigError::Type { expected, .. } => format!("expected {expected}"),
        other => other.to_string(),
    }
}
