//! The schema registry, whose ids frame the values.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use super::words::words;
use super::{Secret, secret};

/// Where the schema's ids come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaRegistry {
    /// URL of the registry, such as `http://localhost:8081`; several, separated by commas, are asked in turn.
    #[schemars(length(min = 1))]
    pub url: String,
    /// Registers the schema where it is not; else it is only looked up, and must be there.
    #[serde(default)]
    pub register: bool,
    /// How the subject of a topic's values is named: after the topic, the record, or both.
    #[serde(default)]
    pub subject: SubjectStrategy,
    /// Name to ask under, with a password.
    username: Option<String>,
    /// Password of `username`.
    password: Option<Secret>,
    /// File with the password of `username`.
    password_file: Option<PathBuf>,
    /// Token to ask with, instead of a name and a password.
    token: Option<Secret>,
    /// File with the token; it is read anew each time.
    token_file: Option<PathBuf>,
    /// Authorities, as PEM, one of which must have signed the registry's certificate; without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// The schema's id, where it is known already: the registry is then not asked. Not together with `register` or `cache_file`.
    #[schemars(range(min = 1))]
    pub schema_id: Option<u32>,
    /// File that keeps the ids, for a start while the registry does not answer.
    pub cache_file: Option<PathBuf>,
}

/// How the subject of a topic's values is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubjectStrategy {
    #[default]
    TopicName,
    RecordName,
    TopicRecordName,
}

words!(SubjectStrategy, TopicName = "topic-name", RecordName = "record-name", TopicRecordName = "topic-record-name",);

/// Who asks.
#[derive(Debug, Clone)]
pub enum Credentials {
    None,
    Basic { username: String, password: Secret },
    Bearer(Secret),
}

impl SchemaRegistry {
    /// The base addresses, without a slash at the end.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.url.split(',').map(|url| url.trim().trim_end_matches('/')).filter(|url| !url.is_empty())
    }

    /// Read anew each time, since a token's file is written anew before the token expires.
    ///
    /// # Errors
    /// Names the settings that don't fit together, or the file that can't be read.
    pub fn credentials(&self) -> Result<Credentials> {
        let has_token = self.token.is_some() || self.token_file.is_some();
        let has_password = self.password.is_some() || self.password_file.is_some();
        ensure!(!(has_token && (has_password || self.username.is_some())), "schema_registry: expected a token or a username");
        if has_token {
            let token = secret::given_or_read("schema_registry.token", self.token.as_ref(), self.token_file.as_deref())?;
            return Ok(Credentials::Bearer(token));
        }
        let Some(username) = self.username.clone() else {
            ensure!(!has_password, "schema_registry.username is missing");
            return Ok(Credentials::None);
        };
        let password =
            secret::given_or_read("schema_registry.password", self.password.as_ref(), self.password_file.as_deref())?;
        Ok(Credentials::Basic { username, password })
    }

    pub(super) fn validate(&self) -> Result<()> {
        ensure!(self.urls().next().is_some(), "schema_registry.url: expected a URL such as http://localhost:8081");
        for url in self.urls() {
            let (scheme, rest) = url.split_once("://").unwrap_or_default();
            let has_scheme = matches!(scheme, "http" | "https") && !rest.is_empty();
            ensure!(has_scheme, "schema_registry.url: expected URLs that begin with http:// or https://");
            let host = rest.split('/').next().unwrap_or_default();
            ensure!(
                !host.contains('@'),
                "schema_registry.url: expected no name or password in it: use schema_registry.username and password_file"
            );
        }
        self.credentials()?;
        ensure!(self.schema_id != Some(0), "schema_registry.schema_id: expected a number above 0");
        let is_pinned = self.schema_id.is_some();
        ensure!(!(is_pinned && self.register), "schema_registry: expected schema_id or register: true, not both");
        ensure!(!(is_pinned && self.cache_file.is_some()), "schema_registry: expected schema_id or cache_file, not both");
        if let Some(file) = &self.cache_file {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let is_there = folder.is_none_or(std::path::Path::is_dir);
            ensure!(is_there, "schema_registry.cache_file: expected a file in a folder that exists");
        }
        if let Some(file) = &self.ca_file {
            let text = std::fs::read_to_string(file);
            text.with_context(|| format!("schema_registry.ca_file: can't read {}", file.display()))?;
        }
        Ok(())
    }
}
