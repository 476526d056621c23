//! Reads the dead-letter topic: partition after partition, from where it begins to where it ended when it was opened.
//! Without joining a group, and committing nothing.

use std::error::Error;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rdkafka::TopicPartitionList;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use tracing::warn;

use super::dead_letter::Letter;
use super::topics::{self, TopicError};
use super::transaction::TransactionError;
use super::worker::Stop;
use super::{consumer, log_client_line, oauth_token};
use crate::exit::Exit;
use crate::settings::{Security, Settings};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Brokers that give nothing for so long are given up.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// How long a broker waits before it says that a partition ends: each partition is read to its end.
const END_TOLD_AFTER: Duration = Duration::from_millis(20);

/// The part of a partition that is read.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub partition: i32,
    pub first: i64,
    /// The next offset when the topic was opened.
    pub end: i64,
}

/// The context of a client that reads to the ends of partitions: an end is no trouble to tell of.
pub(super) struct Reading {
    security: Security,
}

impl ClientContext for Reading {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(&self.security)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_client_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The code of an end comes with no partition here.
        if error != KafkaError::Global(RDKafkaErrorCode::PartitionEOF) {
            warn!(error = %error, reason, "the consumer reports an error");
        }
    }
}

impl ConsumerContext for Reading {}

/// The dead-letter topic, opened for reading.
pub struct Letters {
    pub(super) consumer: BaseConsumer<Reading>,
    pub topic: String,
    pub bounds: Vec<Bounds>,
}

impl Letters {
    /// Opens the topic of the settings.
    ///
    /// # Errors
    /// It is missing, a right is missing, or the brokers don't answer.
    pub fn open(settings: &Settings) -> Result<Self, Stop> {
        Self::open_as(settings, &settings.kafka.group)
    }

    /// The same for a client that will ask for the offsets of `group`, and commit some.
    pub(super) fn open_as(settings: &Settings, group: &str) -> Result<Self, Stop> {
        let topic = settings.topics.dead_letters.clone();
        let found = topics::look_for(settings, [(topic.clone(), "Read")].into_iter()).map_err(of_topics)?;
        let Some(partitions) = found.get(&topic) else {
            let error =
                anyhow!("the topic {topic} does not exist: nothing was ever set aside, or topics.dead_letters is another");
            return Err(Stop { exit: Exit::Settings, error });
        };
        let mut config = consumer(settings)?;
        config.set("group.id", group);
        config.set("enable.partition.eof", "true");
        config.set("fetch.wait.max.ms", END_TOLD_AFTER.as_millis().to_string());
        let reading = Reading { security: settings.kafka.security.clone() };
        let consumer =
            BaseConsumer::from_config_and_context(&config, reading).context("the consumer's settings can't be used")?;
        // Where the brokers want a token, it is had in a poll.
        drop(consumer.poll(Duration::ZERO));
        let mut bounds = Vec::new();
        for partition in 0..i32::try_from(*partitions).context("so many partitions")? {
            let (first, end) =
                consumer.fetch_watermarks(&topic, partition, ANSWER_TIMEOUT).map_err(|error| of_kafka(&error, &topic))?;
            bounds.push(Bounds { partition, first, end });
        }
        Ok(Self { consumer, topic, bounds })
    }

    /// How many offsets there are to read.
    pub fn len(&self) -> u64 {
        self.bounds.iter().map(|bounds| u64::try_from(bounds.end - bounds.first).unwrap_or(0)).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` for every record, with `None` for one that is no dead letter of ours. It says whether to go on.
    ///
    /// # Errors
    /// The right to read is missing, or the brokers don't answer; or what `each` says.
    pub fn each(&self, mut each: impl FnMut(Option<&Letter<'_>>) -> Result<bool>) -> Result<(), Stop> {
        for bounds in &self.bounds {
            self.begin(bounds.partition, bounds.first)?;
            while let Some(message) = self.next(bounds.end)? {
                if !each(Letter::read(&message).as_ref())? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Calls `each` for the record at one place; says whether there is one.
    ///
    /// # Errors
    /// As [`Letters::each`].
    pub fn at(&self, partition: i32, offset: i64, each: impl FnOnce(Option<&Letter<'_>>) -> Result<()>) -> Result<bool, Stop> {
        let Some(bounds) = self.bounds.iter().find(|bounds| bounds.partition == partition) else { return Ok(false) };
        if !(bounds.first..bounds.end).contains(&offset) {
            return Ok(false);
        }
        self.begin(partition, offset)?;
        let Some(message) = self.next(bounds.end)?.filter(|message| message.offset() == offset) else { return Ok(false) };
        each(Letter::read(&message).as_ref())?;
        Ok(true)
    }

    /// Reads a partition from an offset on.
    pub(super) fn begin(&self, partition: i32, offset: i64) -> Result<(), Stop> {
        let mut list = TopicPartitionList::with_capacity(1);
        let assigned = list.add_partition_offset(&self.topic, partition, Offset::Offset(offset));
        let assigned = assigned.and_then(|()| self.consumer.assign(&list));
        assigned.map_err(|error| of_kafka(&error, &self.topic))
    }

    /// The next record before `end`; `None` where there is none any more.
    pub(super) fn next(&self, end: i64) -> Result<Option<BorrowedMessage<'_>>, Stop> {
        let asked_at = Instant::now();
        loop {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => return Ok((message.offset() < end).then_some(message)),
                // The markers of transactions stand behind the last record.
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) if TransactionError::from(error.clone()).is_authorization() => {
                    return Err(of_kafka(&error, &self.topic));
                }
                Some(Err(error)) if asked_at.elapsed() > SILENCE_MAX => return Err(of_kafka(&error, &self.topic)),
                None if asked_at.elapsed() > SILENCE_MAX => {
                    return Err(anyhow!("the brokers give nothing of {} for {} s", self.topic, SILENCE_MAX.as_secs()).into());
                }
                // It passes, or comes again.
                Some(Err(_)) | None => {}
            }
        }
    }
}

/// A missing right has an exit code of its own.
fn of_kafka(error: &KafkaError, topic: &str) -> Stop {
    if TransactionError::from(error.clone()).is_authorization() {
        let error = anyhow!("{error}: the program needs Read on the topic {topic}");
        return Stop { exit: Exit::NoPermission, error };
    }
    Stop { exit: Exit::Failure, error: anyhow!("{topic}: {error}") }
}

/// What is amiss with topics, with its exit code.
pub(super) fn of_topics(error: TopicError) -> Stop {
    Stop { exit: error.exit(), error: error.into() }
}
