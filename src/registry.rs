//! The schema registry, by the REST interface that Confluent's has: which id the schema of this build has under a subject.
//!
//! All ids are known before the group is joined; from then on the registry may be down. What is encoded is always this
//! build's schema, never "the latest".

mod cache;
mod client;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use tracing::warn;

pub use self::client::Client;
use crate::avro;
use crate::event::Stream;
use crate::metrics::RegistryRequests;
use crate::settings::{SchemaRegistry, Settings, SubjectStrategy};

/// The schema's id by subject.
pub type Ids = BTreeMap<String, u32>;

/// Why an id is not known.
#[derive(Debug)]
pub enum RegistryError {
    /// No URL gives an answer that can be used: it can pass.
    Unreachable(String),
    /// Who asks is not known, or may not.
    NoPermission(String),
    /// The registry has not got the schema.
    NotRegistered(String),
    /// The registry says no, and will say so again.
    Refused(String),
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "the schema registry does not answer: {reason}"),
            Self::NoPermission(reason) => write!(f, "the schema registry denies access: {reason}"),
            Self::NotRegistered(subject) => write!(
                f,
                "the schema registry has not got this build's schema under the subject {subject}: \
                 run `event-normalizer schema register`, or set schema_registry.register"
            ),
            Self::Refused(reason) => write!(f, "the schema registry refuses: {reason}"),
        }
    }
}

impl std::error::Error for RegistryError {}

/// What a registry says of this build's schema under a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there, with this id.
    Registered(u32),
    /// It is not there, and may be registered.
    Compatible,
    /// It is not there, and may not be registered; in the registry's words.
    Incompatible(String),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(id) => write!(f, "registered, id {id}"),
            Self::Compatible => write!(f, "compatible, not registered yet"),
            Self::Incompatible(reason) => write!(f, "incompatible: {reason}"),
        }
    }
}

/// The subject of every stream's topic.
pub fn subjects(settings: &Settings, registry: &SchemaRegistry) -> BTreeMap<Stream, String> {
    let subject = |topic: &str| match registry.subject {
        SubjectStrategy::TopicName => format!("{topic}-value"),
        SubjectStrategy::RecordName => avro::RECORD_NAME.to_owned(),
        SubjectStrategy::TopicRecordName => format!("{topic}-{}", avro::RECORD_NAME),
    };
    settings.stream_topics().into_iter().map(|(stream, topic)| (stream, subject(&topic))).collect()
}

/// The ids under all subjects of the settings: pinned, or from the registry, or, where that does not answer, from the cache.
/// `requests` counts what the registry is asked.
///
/// # Errors
/// See [`RegistryError`].
pub fn ids(settings: &Settings, registry: &SchemaRegistry, requests: Option<&RegistryRequests>) -> Result<Ids, RegistryError> {
    let subjects: BTreeSet<_> = subjects(settings, registry).into_values().collect();
    if let Some(id) = registry.schema_id {
        return Ok(subjects.into_iter().map(|subject| (subject, id)).collect());
    }
    let asked = Client::new(registry).and_then(|client| ask(&client.counted(requests.cloned()), registry, &subjects));
    let Some(file) = &registry.cache_file else { return asked };
    match asked {
        Ok(ids) => {
            if let Err(error) = cache::write(file, registry, &ids) {
                warn!(error = format!("{error:#}"), "schema_registry.cache_file can't be written");
            }
            Ok(ids)
        }
        Err(RegistryError::Unreachable(reason)) => match cache::read(file, registry, &subjects) {
            Ok(ids) => {
                warn!(reason, "the schema's ids are those of schema_registry.cache_file");
                Ok(ids)
            }
            Err(error) => Err(RegistryError::Unreachable(format!("{reason}; schema_registry.cache_file: {error:#}"))),
        },
        Err(error) => Err(error),
    }
}

fn ask(client: &Client, registry: &SchemaRegistry, subjects: &BTreeSet<String>) -> Result<Ids, RegistryError> {
    let id = |subject: &String| {
        let id = if registry.register { client.register(subject)? } else { client.find(subject)? };
        Ok((subject.clone(), id))
    };
    subjects.iter().map(id).collect()
}
