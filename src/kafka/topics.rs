//! The topics: a closed set, checked at the start and created where the settings say so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::info;

use super::contact::{Contact, NoContact};
use super::rights::{self, MissingRight};
use super::{client, log_client_line};
use crate::exit::Exit;
use crate::settings::Settings;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the topics are not as they must be.
#[derive(Debug)]
pub enum TopicError {
    /// The brokers don't answer, or not to us.
    NoContact(NoContact),
    /// So many topics were created, and the brokers don't show all of them yet: it passes.
    Created(usize),
    /// The settings and the cluster don't fit.
    Missing(MissingTopics),
    /// The cluster refuses to create them.
    Refused(anyhow::Error),
    /// Rights are missing.
    NoPermission(BTreeSet<MissingRight>),
}

impl TopicError {
    /// Whether it can pass by itself.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NoContact(NoContact::Unreachable(_)) | Self::Created(_))
    }

    /// How the program ends for it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoContact(NoContact::Unreachable(_)) | Self::Created(_) => Exit::Failure,
            Self::NoContact(NoContact::Refused(_)) | Self::NoPermission(_) => Exit::NoPermission,
            Self::NoContact(NoContact::Untrusted(_)) | Self::Missing(_) | Self::Refused(_) => Exit::Settings,
        }
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoContact(no_contact) => no_contact.fmt(f),
            Self::Created(count) => write!(f, "{count} topics were created, and the brokers don't show all of them yet"),
            Self::Missing(missing) => missing.fmt(f),
            Self::Refused(error) => write!(f, "topics can't be created: {error:#}"),
            Self::NoPermission(missing) => f.write_str(&rights::lines(missing)),
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

/// Partitions by topic, for every topic of the settings that exists.
pub type Found = BTreeMap<String, usize>;

/// Looks for every topic that is read or written, and creates the missing outputs where `topics.create` says so.
///
/// # Errors
/// See [`TopicError`].
pub fn ensure(settings: &Settings) -> Result<Found, TopicError> {
    ensure_as(settings, Creation::Real)
}

/// As [`ensure`], but nothing is created: only whether it could be is asked. What would be created is not in the result.
///
/// # Errors
/// See [`TopicError`].
pub fn look(settings: &Settings) -> Result<Found, TopicError> {
    ensure_as(settings, Creation::Tried)
}

fn ensure_as(settings: &Settings, creation: Creation) -> Result<Found, TopicError> {
    let mut found = look_for(settings, wanted(settings))?;
    let outputs: BTreeSet<_> = outputs(settings).collect();
    let mut missing: BTreeSet<_> = names(wanted(settings)).filter(|topic| !found.contains_key(topic)).collect();
    if settings.topics.create {
        let creatable: Vec<_> = missing.intersection(&outputs).cloned().collect();
        if !creatable.is_empty() {
            create(settings, &creatable, creation)?;
            if creation == Creation::Tried {
                missing.retain(|topic| !outputs.contains(topic));
            } else {
                info!(topics = creatable.len(), "topics created");
                found = look_for(settings, wanted(settings))?;
                // A broker says that topics are created before it, or any other broker, knows of them.
                if creatable.iter().any(|topic| !found.contains_key(topic)) {
                    return Err(TopicError::Created(creatable.len()));
                }
                missing.retain(|topic| !found.contains_key(topic));
            }
        }
    }
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

/// The topics that are written.
pub fn outputs(settings: &Settings) -> impl Iterator<Item = String> {
    settings.stream_topics().into_values().chain([settings.topics.dead_letters.clone()])
}

/// Every topic, with the right that is needed on it. Each includes that to see it.
fn wanted(settings: &Settings) -> impl Iterator<Item = (String, &'static str)> {
    let sources = settings.sources.iter().map(|source| (source.topic.clone(), "Read"));
    sources.chain(outputs(settings).map(|topic| (topic, "Write")))
}

fn names(topics: impl Iterator<Item = (String, &'static str)>) -> impl Iterator<Item = String> {
    topics.map(|(topic, _)| topic)
}

/// Those of these topics that exist. Beside each stands the right to name where it may not even be seen.
///
/// # Errors
/// See [`TopicError`].
pub(super) fn look_for(settings: &Settings, topics: impl Iterator<Item = (String, &'static str)>) -> Result<Found, TopicError> {
    let config = client(&settings.kafka).map_err(TopicError::Refused)?;
    let contact = Contact::new(&config, &settings.kafka.security).map_err(TopicError::Refused)?;
    let (mut found, mut denied) = (Found::new(), BTreeSet::new());
    // Each by its name: listing all topics would need a right on all of them.
    for (topic, right) in topics {
        let metadata = contact.metadata(&topic).map_err(TopicError::NoContact)?;
        let Some(described) = metadata.topics().iter().find(|described| described.name() == topic) else { continue };
        match described.error().map(RDKafkaErrorCode::from) {
            None => {
                found.insert(topic, described.partitions().len());
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                denied.insert(MissingRight::on_topic(right, topic));
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {}
            Some(code) => return Err(TopicError::NoContact(NoContact::Unreachable(code.to_string()))),
        }
    }
    if denied.is_empty() { Ok(found) } else { Err(TopicError::NoPermission(denied)) }
}

/// Whether topics are made, or only asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Creation {
    Real,
    Tried,
}

fn create(settings: &Settings, topics: &[String], creation: Creation) -> Result<(), TopicError> {
    let results = ask_to_create(settings, topics, creation).map_err(not_created)?;
    let mut denied = BTreeSet::new();
    for result in results {
        match result {
            // Another instance that starts at the same moment is no fault.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)) => {
                denied.insert(MissingRight::on_topic("Create", topic));
            }
            Err((topic, code)) => return Err(not_created(anyhow!(KafkaError::AdminOp(code)).context(topic))),
        }
    }
    if denied.is_empty() { Ok(()) } else { Err(TopicError::NoPermission(denied)) }
}

/// Brokers that don't answer in time, or are just finding a controller, have refused nothing.
fn not_created(error: anyhow::Error) -> TopicError {
    let code = match error.downcast_ref() {
        Some(KafkaError::AdminOp(code)) => Some(*code),
        Some(other) => other.rdkafka_error_code(),
        None => None,
    };
    match code {
        Some(
            RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerNotAvailable
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::NetworkException
            | RDKafkaErrorCode::NotController
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::ThrottlingQuotaExceeded,
        ) => TopicError::NoContact(NoContact::Unreachable(format!("{error:#}"))),
        _ => TopicError::Refused(error),
    }
}

fn ask_to_create(settings: &Settings, topics: &[String], creation: Creation) -> Result<Vec<TopicResult>> {
    let admin: AdminClient<Quiet> = AdminClient::from_config_and_context(&client(&settings.kafka)?, Quiet)?;
    let settings = &settings.topics;
    let new = |topic| NewTopic::new(topic, settings.partitions, TopicReplication::Fixed(settings.replication));
    let new: Vec<_> = topics.iter().map(|topic| new(topic.as_str())).collect();
    let options = AdminOptions::new().operation_timeout(Some(ANSWER_TIMEOUT)).request_timeout(Some(ANSWER_TIMEOUT));
    let options = options.validate_only(creation == Creation::Tried);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    Ok(runtime.block_on(admin.create_topics(&new, &options))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_that_are_slow_to_create_topics_are_waited_for() {
        let of = |code| not_created(anyhow!(KafkaError::AdminOp(code)).context("events.sms"));
        for code in [RDKafkaErrorCode::OperationTimedOut, RDKafkaErrorCode::RequestTimedOut, RDKafkaErrorCode::NotController] {
            assert!(of(code).is_passing(), "{code:?}");
        }
        let refused = of(RDKafkaErrorCode::InvalidReplicationFactor);
        assert!(!refused.is_passing() && refused.exit() == Exit::Settings, "{refused}");
        assert!(refused.to_string().starts_with("topics can't be created: events.sms: "), "{refused}");
    }
}
