//! Every value that the schema takes stands in `values.yaml`, from which the README is made.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::chart::Chart;
use super::settings::load;

/// Free in their parts: the program's own settings, and objects that are Kubernetes'.
const FREE: [&str; 6] = ["settings", "resources", "strategy", "updateStrategy", "probes", "global"];

pub fn every_value_is_described() -> Result<()> {
    let folder = Chart::of_the_repository().folder().to_owned();
    let schema: Value = serde_json::from_str(&fs::read_to_string(folder.join("values.schema.json"))?)?;
    let values = load(&folder.join("values.yaml"))?;
    let mut missing = Vec::new();
    for (key, property) in schema["properties"].as_object().into_iter().flatten().filter(|(key, _)| *key != "global") {
        if values[key.as_str()].is_badvalue() {
            missing.push(key.clone());
        }
        let parts = property["properties"].as_object().into_iter().flatten().filter(|_| !FREE.contains(&key.as_str()));
        let parts = parts.filter(|(part, _)| values[key.as_str()][part.as_str()].is_badvalue());
        missing.extend(parts.map(|(part, _)| format!("{key}.{part}")));
    }
    ensure!(missing.is_empty(), "values.yaml lacks {missing:?}, which the schema takes");
    Ok(())
}
