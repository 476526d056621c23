//! A client that only asks: what the brokers say to those who may not, or whom they don't know, is told and not waited for.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::TopicPartitionList;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::Offset;

use super::{log_client_line, oauth_token};
use crate::oauth::TokenError;
use crate::settings::Security;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A group's coordinator may have to be found, or its topic made, before it answers.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a wait for an answer looks whether there will be none.
const SLICE: Duration = Duration::from_millis(250);

/// Why there is no contact.
#[derive(Debug, Clone)]
pub enum NoContact {
    /// The brokers don't answer: it can pass.
    Unreachable(String),
    /// The brokers refuse who asks, or how it is proved.
    Refused(String),
    /// The TLS handshake fails: one side does not trust the other.
    Untrusted(String),
}

impl fmt::Display for NoContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "the brokers don't answer: {reason}"),
            Self::Refused(reason) => {
                write!(
                    f,
                    "the brokers don't accept who asks: {reason}; see kafka.security.sasl, its mechanism, name and secret"
                )
            }
            Self::Untrusted(reason) => {
                write!(
                    f,
                    "no TLS with the brokers: {reason}; see kafka.security.tls, and whether protocol and port fit together"
                )
            }
        }
    }
}

impl Error for NoContact {}

/// What the client says of itself meanwhile.
pub(super) struct Answers {
    security: Security,
    trouble: Mutex<Option<NoContact>>,
    /// A group that may not be looked at.
    is_group_denied: Mutex<bool>,
}

impl Answers {
    pub fn new(security: &Security) -> Self {
        Self { security: security.clone(), trouble: Mutex::default(), is_group_denied: Mutex::default() }
    }

    fn note(&self, trouble: NoContact) {
        let mut noted = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        // What says most stays: all connections down is what follows from it.
        if matches!(trouble, NoContact::Unreachable(_)) && noted.is_some() {
            return;
        }
        *noted = Some(trouble);
    }

    fn trouble(&self) -> Option<NoContact> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Answers {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(&self.security).inspect_err(|error| {
            let reason = error.to_string();
            self.note(match error.downcast_ref() {
                Some(TokenError::Refused(_)) => NoContact::Refused(reason),
                Some(TokenError::Unreachable(_)) | None => NoContact::Unreachable(reason),
            });
        })
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_client_line(level, facility, text);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let trouble = match error.rdkafka_error_code() {
            // What a provider said to our own request was noted when it did.
            Some(RDKafkaErrorCode::Authentication) if reason.contains("acquire SASL OAUTHBEARER token") => return,
            Some(RDKafkaErrorCode::Authentication) => NoContact::Refused(reason.to_owned()),
            // Other trouble with a handshake can be a broker that is just going or coming. What a broker finds wrong comes late, as
            // a connection that breaks off.
            _ if is_about_certificates(reason) => NoContact::Untrusted(reason.to_owned()),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                *self.is_group_denied.lock().unwrap_or_else(PoisonError::into_inner) = true;
                return;
            }
            _ => NoContact::Unreachable(reason.to_owned()),
        };
        tracing::warn!(error = %error, reason, "the brokers can't be reached");
        self.note(trouble);
    }
}

impl ConsumerContext for Answers {}

fn is_about_certificates(reason: &str) -> bool {
    reason.contains("certificate") && (reason.contains("SSL") || reason.contains("ssl"))
}

/// A connected client.
pub(super) struct Contact {
    consumer: Arc<BaseConsumer<Answers>>,
}

impl Contact {
    /// # Errors
    /// The options can't be used.
    pub fn new(config: &ClientConfig, security: &Security) -> Result<Self> {
        let consumer = BaseConsumer::from_config_and_context(config, Answers::new(security));
        Ok(Self { consumer: Arc::new(consumer.context("the client's settings can't be used")?) })
    }

    /// What is known of a topic.
    ///
    /// # Errors
    /// There is no answer.
    pub fn metadata(&self, topic: &str) -> Result<Metadata, NoContact> {
        let give_up_at = Instant::now() + ANSWER_TIMEOUT;
        loop {
            self.serve();
            let error = match self.consumer.fetch_metadata(Some(topic), SLICE) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            self.serve();
            match self.consumer.context().trouble() {
                Some(trouble @ (NoContact::Refused(_) | NoContact::Untrusted(_))) => return Err(trouble),
                trouble if Instant::now() > give_up_at => {
                    return Err(trouble.unwrap_or_else(|| NoContact::Unreachable(error.to_string())));
                }
                _ => {}
            }
        }
    }

    /// Asks to commit an offset outside of any generation, and gives the brokers' refusal.
    ///
    /// # Errors
    /// There is no answer.
    pub fn try_commit(&self, topic: &str, partition: i32) -> Result<Option<RDKafkaErrorCode>, NoContact> {
        let unreachable = |error: KafkaError| NoContact::Unreachable(error.to_string());
        let mut offsets = TopicPartitionList::with_capacity(1);
        offsets.add_partition_offset(topic, partition, Offset::Offset(0)).map_err(unreachable)?;
        // On a thread of its own, which is left behind where the group may not be looked at: the call waits for its coordinator
        // then. (A commit that is not waited for tells nothing to a consumer without an assignment.)
        let (consumer, (tell, told)) = (Arc::clone(&self.consumer), mpsc::channel());
        let commit = move || {
            let committed = consumer.commit(&offsets, CommitMode::Sync);
            drop(consumer);
            // Nobody listens any more where it came too late.
            let _ = tell.send(committed);
        };
        let started = thread::Builder::new().name("try-commit".to_owned()).spawn(commit);
        started.map_err(|error| NoContact::Unreachable(error.to_string()))?;
        let give_up_at = Instant::now() + COORDINATOR_TIMEOUT;
        loop {
            self.serve();
            let context = self.consumer.context();
            if *context.is_group_denied.lock().unwrap_or_else(PoisonError::into_inner) {
                return Ok(Some(RDKafkaErrorCode::GroupAuthorizationFailed));
            }
            match told.try_recv() {
                Ok(committed) => return Ok(committed.err().and_then(|error| error.rdkafka_error_code())),
                Err(_) if Instant::now() > give_up_at => {
                    let silent = || NoContact::Unreachable("the group's coordinator is silent".to_owned());
                    return Err(context.trouble().unwrap_or_else(silent));
                }
                Err(_) => {}
            }
        }
    }

    /// Runs what the client has to tell.
    fn serve(&self) {
        // Errors were noted by the context, and there is nothing to read.
        while self.consumer.poll(Duration::from_millis(10)).is_some() {}
    }
}
