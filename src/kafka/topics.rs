//! The topics: a closed set, checked at the start and created where the settings say so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::info;

use super::{client, log_client_line};
use crate::settings::Settings;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the topics are not as they must be.
#[derive(Debug)]
pub enum TopicError {
    /// The brokers don't answer: it can pass.
    Unreachable(KafkaError),
    /// So many topics were created, and the brokers don't show all of them yet: it passes.
    Created(usize),
    /// The settings and the cluster don't fit.
    Missing(MissingTopics),
    /// The cluster refuses to create them.
    Refused(anyhow::Error),
    /// A right is missing.
    NoPermission(String),
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "the brokers don't answer: {error}"),
            Self::Created(count) => write!(f, "{count} topics were created, and the brokers don't show all of them yet"),
            Self::Missing(missing) => missing.fmt(f),
            Self::Refused(error) => write!(f, "topics can't be created: {error:#}"),
            Self::NoPermission(topic) => write!(f, "the program needs Describe on the topic {topic}"),
        }
    }
}

impl std::error::Error for TopicError {}

/// Topics that don't exist, with the command that makes them.
#[derive(Debug)]
pub struct MissingTopics {
    pub topics: BTreeSet<String>,
    brokers: String,
    partitions: i32,
    replication: i32,
}

impl fmt::Display for MissingTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} topics are missing; set topics.create, or make them:", self.topics.len())?;
        for topic in &self.topics {
            write!(
                f,
                "\n  kafka-topics.sh --bootstrap-server {} --create --topic {topic} --partitions {} --replication-factor {}",
                self.brokers, self.partitions, self.replication
            )?;
        }
        Ok(())
    }
}

struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_client_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, _: &str) {
        tracing::warn!(error = %error, "the brokers can't be reached");
    }
}

impl ConsumerContext for Quiet {}

/// Partitions by topic, for every topic of the settings that exists.
pub type Found = BTreeMap<String, usize>;

/// Looks for every topic that is read or written, and creates the missing outputs where `topics.create` says so.
///
/// # Errors
/// See [`TopicError`].
pub fn ensure(settings: &Settings) -> Result<Found, TopicError> {
    let mut found = find(settings)?;
    let outputs: BTreeSet<_> = outputs(settings).collect();
    let missing: BTreeSet<_> = wanted(settings).filter(|topic| !found.contains_key(topic)).collect();
    if settings.topics.create {
        let creatable: Vec<_> = missing.intersection(&outputs).map(String::as_str).collect();
        if !creatable.is_empty() {
            create(settings, &creatable).map_err(TopicError::Refused)?;
            info!(topics = creatable.len(), "topics created");
            found = find(settings)?;
            // A broker says that topics are created before it, or any other broker, knows of them.
            if creatable.iter().any(|topic| !found.contains_key(*topic)) {
                return Err(TopicError::Created(creatable.len()));
            }
        }
    }
    let missing: BTreeSet<_> = wanted(settings).filter(|topic| !found.contains_key(topic)).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    Err(TopicError::Missing(MissingTopics {
        topics: missing,
        brokers: settings.kafka.brokers.clone(),
        partitions: settings.topics.partitions,
        replication: settings.topics.replication,
    }))
}

fn outputs(settings: &Settings) -> impl Iterator<Item = String> {
    settings.stream_topics().into_values().chain([settings.topics.dead_letters.clone()])
}

fn wanted(settings: &Settings) -> impl Iterator<Item = String> {
    settings.sources.iter().map(|source| source.topic.clone()).chain(outputs(settings))
}

fn find(settings: &Settings) -> Result<Found, TopicError> {
    look_for(settings, wanted(settings))
}

/// Those of these topics that exist.
///
/// # Errors
/// See [`TopicError`].
pub(super) fn look_for(settings: &Settings, topics: impl Iterator<Item = String>) -> Result<Found, TopicError> {
    let config = client(&settings.kafka).map_err(TopicError::Refused)?;
    let consumer = BaseConsumer::from_config_and_context(&config, Quiet).map_err(TopicError::Unreachable)?;
    let mut found = Found::new();
    // Each by its name: listing all topics would need a right on all of them.
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(&topic), ANSWER_TIMEOUT).map_err(TopicError::Unreachable)?;
        let Some(described) = metadata.topics().iter().find(|described| described.name() == topic) else { continue };
        match described.error().map(RDKafkaErrorCode::from) {
            None => {
                found.insert(topic, described.partitions().len());
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => return Err(TopicError::NoPermission(topic)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {}
            Some(code) => return Err(TopicError::Unreachable(KafkaError::MetadataFetch(code))),
        }
    }
    Ok(found)
}

fn create<'a>(settings: &'a Settings, topics: &[&'a str]) -> Result<()> {
    let admin: AdminClient<Quiet> = AdminClient::from_config_and_context(&client(&settings.kafka)?, Quiet)?;
    let settings = &settings.topics;
    let new = |topic: &&'a str| NewTopic::new(topic, settings.partitions, TopicReplication::Fixed(settings.replication));
    let new: Vec<_> = topics.iter().map(new).collect();
    let options = AdminOptions::new().operation_timeout(Some(ANSWER_TIMEOUT)).request_timeout(Some(ANSWER_TIMEOUT));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let results = runtime.block_on(admin.create_topics(&new, &options))?;
    for result in results {
        match result {
            // Another instance that starts at the same moment is no fault.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(KafkaError::AdminOp(code)).with_context(|| topic),
        }
    }
    Ok(())
}
