//! All that names rdkafka: the clients, the loop, transactions, rebalances, topics.

pub mod again;
mod backlog;
mod contact;
pub mod dead_letter;
pub mod embedded;
mod fault;
mod files;
mod gap;
mod headers;
pub mod letters;
mod outbox;
mod rebalance;
pub mod replay;
pub mod rights;
pub mod selection;
mod sender;
mod source;
mod statistics;
mod tally;
pub mod topics;
pub mod transaction;
mod waiting;
mod watch;
pub mod worker;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Display;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use tracing::{debug, error, info, warn};

use crate::oauth;
use crate::settings::{Delivery, Guarantee, Kafka, Proof, Security, Settings};

/// Longest life of a transaction. It exceeds a broker's fail-over (9 s by default) and stays below the session time-out,
/// so that a stuck commit dies before its partitions can move.
///
/// What a killed process leaves open holds back readers for so long, and up to 10 s more until the coordinator looks.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// A killed process is missed by its group after so long, and its partitions move.
const SESSION_TIMEOUT: Duration = Duration::from_secs(20);

/// How often librdkafka reports what the lag is made of, and how its connections are.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(5);

/// Options that the promises depend on, with the setting to use instead where there is one.
const OWN_OPTIONS: &[(&str, &str)] = &[
    ("acks", ""),
    ("bootstrap.servers", "kafka.brokers"),
    ("enable.auto.commit", ""),
    ("enable.auto.offset.store", ""),
    ("enable.idempotence", ""),
    ("group.id", "kafka.group"),
    ("isolation.level", ""),
    ("log.connection.close", ""),
    ("metadata.broker.list", "kafka.brokers"),
    ("request.required.acks", ""),
    ("sasl.mechanism", "kafka.security.sasl.mechanism"),
    ("sasl.mechanisms", "kafka.security.sasl.mechanism"),
    ("sasl.oauthbearer.client.secret", "kafka.security.sasl.oauth"),
    ("sasl.oauthbearer.config", "kafka.security.sasl.oauth"),
    ("sasl.password", "kafka.security.sasl.password"),
    ("sasl.username", "kafka.security.sasl.username"),
    ("security.protocol", "kafka.security.protocol"),
    ("ssl.ca.location", "kafka.security.tls.ca_file"),
    ("ssl.certificate.location", "kafka.security.tls.certificate_file"),
    ("ssl.key.location", "kafka.security.tls.key_file"),
    ("ssl.key.password", "kafka.security.tls.key_password_file"),
    ("ssl.key.pem", "kafka.security.tls.key_file"),
    ("transactional.id", "kafka.transactional_id_prefix"),
];

/// Refuses pass-through options that would break a promise, and times that don't fit together.
///
/// # Errors
/// Names the option and the setting to use instead.
pub fn check_options(kafka: &Kafka, delivery: &Delivery) -> Result<()> {
    for (section, options) in [
        ("options", &kafka.options),
        ("consumer_options", &kafka.consumer_options),
        ("producer_options", &kafka.producer_options),
    ] {
        for (option, instead) in OWN_OPTIONS {
            if options.contains_key(*option) {
                let cure = if instead.is_empty() { "leave it out".to_owned() } else { format!("use {instead}") };
                bail!("kafka.{section}: {option} is set by the program: {cure}");
            }
        }
    }
    for (section, options) in [("options", &kafka.options), ("consumer_options", &kafka.consumer_options)] {
        let is_off = options.get("statistics.interval.ms").is_some_and(|interval| interval == "0");
        ensure!(
            !is_off,
            "kafka.{section}: statistics.interval.ms: expected more than 0, since they tell the lag and what is not read"
        );
    }
    let timeout = kafka.producer_options.get("transaction.timeout.ms").or(kafka.options.get("transaction.timeout.ms"));
    let timeout = timeout.map(|text| text.parse::<u64>()).transpose();
    let timeout =
        timeout.context("transaction.timeout.ms: expected milliseconds")?.map_or(TRANSACTION_TIMEOUT, Duration::from_millis);
    ensure!(
        delivery.guarantee == Guarantee::AtLeastOnce || delivery.commit_interval() < timeout / 2,
        "delivery.commit_interval_ms: expected less than half of transaction.timeout.ms, which is {}",
        timeout.as_millis()
    );
    Ok(())
}

fn apply(config: &mut ClientConfig, options: &BTreeMap<String, String>) {
    for (option, value) in options {
        config.set(option, value);
    }
}

/// What all clients share.
fn client(kafka: &Kafka) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &kafka.brokers);
    config.set("client.id", format!("event-normalizer-{}", host_name()));
    config.set("socket.keepalive.enable", "true");
    // A line of the log tells that a request may have broken off on its way.
    config.set("log.connection.close", "true");
    config.set("security.protocol", kafka.security.protocol.name());
    if let Some(sasl) = &kafka.security.sasl {
        config.set("sasl.mechanism", sasl.mechanism.name());
        if let Proof::Password { username, password } = sasl.proof()? {
            config.set("sasl.username", username);
            config.set("sasl.password", password.reveal());
        }
    }
    let tls = &kafka.security.tls;
    for (option, file) in [
        ("ssl.ca.location", &tls.ca_file),
        ("ssl.certificate.location", &tls.certificate_file),
        ("ssl.key.location", &tls.key_file),
    ] {
        if let Some(file) = file {
            config.set(option, file.to_string_lossy());
        }
    }
    if let Some(password) = tls.key_password()? {
        config.set("ssl.key.password", password.reveal());
    }
    config.set_log_level(RDKafkaLogLevel::Info);
    apply(&mut config, &kafka.options);
    Ok(config)
}

/// The consumer of one worker.
///
/// # Errors
/// A file that the settings name can't be read.
pub fn consumer(settings: &Settings) -> Result<ClientConfig> {
    let kafka = &settings.kafka;
    let mut config = client(kafka)?;
    config.set("group.id", &kafka.group);
    config.set("auto.offset.reset", kafka.auto_offset_reset.name());
    config.set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    // With the group protocol of KIP-848 both belong to the brokers, and librdkafka refuses them.
    let protocol = kafka.consumer_options.get("group.protocol").or(kafka.options.get("group.protocol"));
    if protocol.is_none_or(|protocol| protocol == "classic") {
        // There is no state to move, so the eager protocol costs little, and the cooperative one reads on during a
        // rebalance, which aborts the transaction that is open then.
        config.set("partition.assignment.strategy", "roundrobin");
        config.set("session.timeout.ms", SESSION_TIMEOUT.as_millis().to_string());
    }
    config.set("statistics.interval.ms", STATISTICS_INTERVAL.as_millis().to_string());
    // librdkafka's default would hold 64 MiB a consumer without being faster.
    config.set("queued.max.messages.kbytes", "16384");
    config.set("queued.min.messages", "10000");
    // A full queue stops the fetch for a second by default, in which the worker runs dry: a quarter of the rate.
    config.set("fetch.queue.backoff.ms", "10");
    apply(&mut config, &kafka.consumer_options);
    Ok(config)
}

/// The producer of one worker; `transactional_id` is `None` for at-least-once.
///
/// # Errors
/// A file that the settings name can't be read.
pub fn producer(settings: &Settings, transactional_id: Option<&str>) -> Result<ClientConfig> {
    let kafka = &settings.kafka;
    let mut config = client(kafka)?;
    config.set("enable.idempotence", "true");
    config.set("acks", "all");
    // As Java clients partition, so that keys of other topics meet ours.
    config.set("partitioner", "murmur2_random");
    config.set("linger.ms", "5");
    config.set("statistics.interval.ms", STATISTICS_INTERVAL.as_millis().to_string());
    // The broker says what is too large, not a default of the client: an envelope holds the body, and some more.
    let message_max_bytes = settings.limits.body_bytes * 2 + 1_048_576;
    config.set("message.max.bytes", message_max_bytes.to_string());
    // What waits here is what a commit has to flush first. A longer queue makes no record faster.
    config.set("queue.buffering.max.messages", "4000");
    // A queue that is smaller than a message would never take it.
    config.set("queue.buffering.max.kbytes", (2 * message_max_bytes / 1024).max(32_768).to_string());
    if let Some(id) = transactional_id {
        config.set("transactional.id", id);
        config.set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string());
    } else {
        // A batch that its leader was not ready for would be sent again behind the next one. A transaction hides that.
        config.set("max.in.flight.requests.per.connection", "1");
    }
    apply(&mut config, &kafka.producer_options);
    Ok(config)
}

/// What a client of ours proves itself with, where the brokers want tokens.
fn oauth_token(security: &Security) -> Result<OAuthToken, Box<dyn Error>> {
    let sasl = security.sasl.as_ref().context("the settings have no kafka.security.sasl")?;
    let Proof::Token(oauth) = sasl.proof()? else { return Err("the settings have no kafka.security.sasl.oauth".into()) };
    let token = oauth::fetch(oauth).inspect_err(|error| warn!(error = %error, "there is no token for the brokers"))?;
    let expires_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + token.expires_in;
    let lifetime_ms = i64::try_from(expires_at.as_millis())?;
    Ok(OAuthToken { token: token.text, principal_name: oauth.client_id.clone(), lifetime_ms })
}

/// The id under which one worker's transactions are fenced: the same after a restart of the same pod, another for every
/// other worker of the group.
fn transactional_id(kafka: &Kafka, worker: impl Display) -> String {
    let prefix = &kafka.transactional_id_prefix;
    if prefix.is_empty() { format!("{}-{}-{worker}", kafka.group, host_name()) } else { format!("{prefix}-{worker}") }
}

/// `POD_NAME`, else the host's name.
fn host_name() -> String {
    std::env::var("POD_NAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        name.unwrap_or_else(|| "localhost".to_owned())
    })
}

/// librdkafka's own lines. They name brokers, topics and settings, never a record's content.
fn log_client_line(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            error!(facility, text, "kafka client");
        }
        RDKafkaLogLevel::Warning => warn!(facility, text, "kafka client"),
        RDKafkaLogLevel::Notice => info!(facility, text, "kafka client"),
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => debug!(facility, text, "kafka client"),
    }
}

#[cfg(test)]
mod error_matrix;
