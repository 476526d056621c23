//! Every key of the settings, as the program's own schema has them.
#![allow(dead_code)] // Each test binary uses its part of it.

use event_normalizer::settings::Settings;
use serde_json::Value;

/// A key that has a value of its own. `sources[].topic` is the key `topic` of every source.
pub struct Key {
    pub path: String,
    pub schema: Value,
    /// Whether it must be there, once its section is.
    pub is_required: bool,
}

/// A section, with what is said of it, and its own keys.
pub struct Section {
    pub path: String,
    pub description: String,
    pub keys: Vec<Key>,
}

/// The schema of the settings file.
pub fn schema() -> Value {
    Settings::schema().to_value()
}

/// All sections, each before those within it. The first one has no name.
pub fn sections() -> Vec<Section> {
    let mut sections = Vec::new();
    gather("", &schema(), &mut sections);
    sections
}

/// All keys.
pub fn all() -> Vec<Key> {
    sections().into_iter().flat_map(|section| section.keys).collect()
}

fn gather(path: &str, schema: &Value, sections: &mut Vec<Section>) {
    let description = schema["description"].as_str().unwrap_or_default().to_owned();
    let place = sections.len();
    sections.push(Section { path: path.to_owned(), description, keys: Vec::new() });
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, schema) in schema["properties"].as_object().expect("a section has keys") {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if schema.get("properties").is_some() {
            gather(&path, schema, sections);
        } else if let Some(item) = schema.get("items") {
            let mut item = item.clone();
            item["description"] = schema["description"].clone();
            gather(&format!("{path}[]"), &item, sections);
        } else {
            let is_required = required.iter().any(|required| required == name);
            sections[place].keys.push(Key { path, schema: schema.clone(), is_required });
        }
    }
}

impl Key {
    /// What it is set by in the environment, which knows no lists, and whose names have no dots.
    pub fn variable(&self) -> Option<String> {
        let is_map = self.schema.get("additionalProperties").is_some();
        let is_nameable = !is_map && !self.path.contains("[]");
        is_nameable.then(|| format!("NORMALIZER__{}", self.path.replace('.', "__").to_uppercase()))
    }
}
