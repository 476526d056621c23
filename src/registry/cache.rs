//! The last known ids, in a file: for a start while the registry is down.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Ids;
use crate::avro;
use crate::settings::SchemaRegistry;

/// What the file holds. Ids count only for the same schema and the same registry.
#[derive(Debug, Serialize, Deserialize)]
struct Cache {
    schema_sha256: String,
    url: String,
    ids: Ids,
}

/// Puts the ids in the place of earlier ones.
///
/// # Errors
/// The file can't be written.
pub fn write(file: &Path, registry: &SchemaRegistry, ids: &Ids) -> Result<()> {
    let cache = Cache { schema_sha256: schema_sha256(), url: registry.url.clone(), ids: ids.clone() };
    // Renamed when it is complete: a process that is killed leaves the old file or the new one.
    let draft = file.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&draft, serde_json::to_vec_pretty(&cache)?).with_context(|| draft.display().to_string())?;
    fs::rename(&draft, file).with_context(|| file.display().to_string())
}

/// The ids of these subjects.
///
/// # Errors
/// There is no such file, or it is of another schema or registry, or a subject is missing in it.
pub fn read(file: &Path, registry: &SchemaRegistry, subjects: &BTreeSet<String>) -> Result<Ids> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    let cache: Cache = serde_json::from_slice(&bytes).context("it is no cache of schema ids")?;
    ensure!(cache.schema_sha256 == schema_sha256(), "it is of another schema");
    ensure!(cache.url == registry.url, "it is of another registry");
    let id = |subject: &String| {
        let id = cache.ids.get(subject).with_context(|| format!("it has no subject {subject}"))?;
        Ok((subject.clone(), *id))
    };
    subjects.iter().map(id).collect()
}

fn schema_sha256() -> String {
    Sha256::digest(avro::SCHEMA_TEXT).iter().map(|byte| format!("{byte:02x}")).collect()
}
