//! Secrets: each has a field of its own and a twin that names a file, and prints as nothing.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::Deserialize;

/// A value that is never printed.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("writeOnly" = true))]
pub struct Secret(String);

impl Secret {
    /// The value itself, for the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The secret of a setting, or of the file that its twin names, without the line break at the end.
pub(super) fn given_or_read(name: &str, given: Option<&Secret>, file: Option<&Path>) -> Result<Secret> {
    match (given, file) {
        (Some(_), Some(_)) => bail!("{name}: expected it or its _file, not both"),
        (Some(given), None) => Ok(given.clone()),
        (None, Some(file)) => match fs::read_to_string(file) {
            Ok(text) => Ok(Secret(text.trim_end_matches(['\n', '\r']).to_owned())),
            Err(error) => bail!("{name}_file: can't read {}: {}", file.display(), error.kind()),
        },
        (None, None) => bail!("{name} is missing, or its _file"),
    }
}
