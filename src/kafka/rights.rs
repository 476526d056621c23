//! Which rights are missing: asked ahead, by requests that the brokers judge and that change nothing.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::contact::Contact;
use super::transaction::{self, TransactionError};
use super::{consumer, log_client_line, oauth_token, producer, transactional_id};
use crate::settings::{Guarantee, Security, Settings};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);
/// Takes the place of a worker's number in the transactional id that is asked with.
const CHECK: &str = "check";
/// No topic has it, so nothing can be committed for it.
const NO_PARTITION: i32 = i32::MAX;

/// A right that the brokers don't grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingRight {
    pub right: &'static str,
    /// What it is a right on: a topic, a group, a transactional id.
    pub kind: &'static str,
    pub name: String,
}

impl MissingRight {
    pub fn on_topic(right: &'static str, topic: impl Into<String>) -> Self {
        Self { right, kind: "topic", name: topic.into() }
    }
}

impl fmt::Display for MissingRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program needs {} on the {} {}", self.right, self.kind, self.name)
    }
}

/// One line for each.
pub fn lines(missing: &BTreeSet<MissingRight>) -> String {
    missing.iter().map(MissingRight::to_string).collect::<Vec<_>>().join("\n")
}

/// The rights to read the sources, to be a member of the group, to use the transactional ids and to write these topics, as
/// far as they are missing. All the topics are there.
///
/// # Errors
/// The brokers don't answer.
pub fn missing(settings: &Settings, outputs: &BTreeSet<String>) -> Result<BTreeSet<MissingRight>> {
    let mut missing = to_read(settings)?;
    // Without transactions there is no request that the brokers would judge and not carry out.
    if settings.delivery.guarantee == Guarantee::ExactlyOnce {
        missing.extend(to_write(settings, outputs)?);
    }
    Ok(missing)
}

/// By a commit for partitions that don't exist: it wants the rights of every commit, and there is nothing to carry out.
fn to_read(settings: &Settings) -> Result<BTreeSet<MissingRight>> {
    let kafka = &settings.kafka;
    let contact = Contact::new(&consumer(settings)?, &kafka.security)?;
    let mut missing = BTreeSet::new();
    for source in &settings.sources {
        match contact.try_commit(&source.topic, NO_PARTITION)? {
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                missing.insert(MissingRight::on_topic("Read", &source.topic));
            }
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                // Nothing is said of topics then.
                return Ok(BTreeSet::from([MissingRight { right: "Read", kind: "group", name: kafka.group.clone() }]));
            }
            // That there is no such partition, as a rule.
            Some(_) | None => {}
        }
    }
    Ok(missing)
}

/// By producers each of which is fenced by the next one before it asks to write: the brokers judge its rights first, and
/// then let it do nothing.
fn to_write(settings: &Settings, outputs: &BTreeSet<String>) -> Result<BTreeSet<MissingRight>> {
    let id = transactional_id(&settings.kafka, CHECK);
    let mut missing = BTreeSet::new();
    let mut asking = match Asking::connect(settings, &id) {
        Ok(asking) => asking,
        Err(error) if error.downcast_ref().is_some_and(is_denied) => {
            return Ok(BTreeSet::from([MissingRight { right: "Write", kind: "transactional id", name: id }]));
        }
        Err(error) => return Err(error),
    };
    for topic in outputs {
        asking.producer.begin_transaction().map_err(TransactionError::from)?;
        let next = Asking::connect(settings, &id)?;
        if asking.is_denied(topic)? {
            missing.insert(MissingRight::on_topic("Write", topic));
        }
        asking = next;
    }
    Ok(missing)
}

fn is_denied(error: &TransactionError) -> bool {
    matches!(
        error.code,
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TopicAuthorizationFailed
    )
}

/// A producer that is only there to be told what it may.
struct Asking {
    producer: ThreadedProducer<Answer>,
}

impl Asking {
    fn connect(settings: &Settings, id: &str) -> Result<Self> {
        let config = producer(settings, Some(id))?;
        let answer = Answer { security: settings.kafka.security.clone(), has_failed: AtomicBool::new(false) };
        let producer = ThreadedProducer::from_config_and_context(&config, answer)?;
        producer.init_transactions(ANSWER_TIMEOUT).map_err(TransactionError::from)?;
        Ok(Self { producer })
    }

    /// Whether the topic may not be written. Another producer must have taken over the transactional id.
    fn is_denied(&self, topic: &str) -> Result<bool> {
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(0);
        if let Err((error, _)) = self.producer.send(record) {
            bail!("{topic}: {error}");
        }
        let give_up_at = Instant::now() + ANSWER_TIMEOUT;
        loop {
            // That it is fenced is fatal, and was found only after the right.
            if self.producer.client().fatal_error().is_some() {
                return Ok(false);
            }
            if self.producer.context().has_failed.load(Ordering::Acquire) {
                let failed = transaction::commit(&self.producer).err().context("a failed transaction was committed")?;
                return Ok(is_denied(&failed));
            }
            if Instant::now() > give_up_at {
                bail!("{topic}: the brokers don't say whether it may be written");
            }
            std::thread::sleep(PAUSE);
        }
    }
}

struct Answer {
    security: Security,
    has_failed: AtomicBool,
}

impl ClientContext for Answer {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(&self.security)
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        if facility == "TXNERR" {
            self.has_failed.store(true, Ordering::Release);
        }
        // What is found here is no trouble.
        log_client_line(RDKafkaLogLevel::Debug, facility, text);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, reason, "while rights are asked for");
    }
}

impl ProducerContext for Answer {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
