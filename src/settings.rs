//! Typed settings: a YAML file, then the environment as `NORMALIZER__KAFKA__BROKERS`. Unknown keys are errors.

mod errors;
mod registry;
mod schema;
mod secret;
mod security;
mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use config::{Config, Environment, File, FileFormat};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use self::registry::{Credentials, SchemaRegistry, SubjectStrategy};
pub use self::secret::Secret;
pub use self::security::{Mechanism, Oauth, Proof, Protocol, Sasl, Security, Tls};
use self::words::words;
use crate::event::Stream;
use crate::vendors::{self, Adapter, Reading, Region, Zone};

/// File that is read where the command line names none.
pub const DEFAULT_FILE: &str = "event-normalizer.yaml";

/// All settings, with their defaults. Secrets print as nothing.
///
/// The doc comment of a field is what `docs/settings.md` and the chart's schema say of its key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The brokers, and how their clients behave.
    pub kafka: Kafka,
    /// Raw topics, at least one, each with its vendor and what is known of its bodies.
    pub sources: Vec<Source>,
    /// Where events and dead letters go.
    #[serde(default)]
    pub topics: Topics,
    /// When a worker commits, and how many workers there are.
    #[serde(default)]
    pub delivery: Delivery,
    /// Where the schema's ids come from. Without it, values are framed in Avro single-object encoding.
    pub schema_registry: Option<SchemaRegistry>,
    /// What a body may be at most. One that is more is a dead letter.
    #[serde(default)]
    pub limits: Limits,
    /// What becomes of items that can't be read.
    #[serde(default)]
    pub dead_letters: DeadLetters,
    /// What an event has beside its fields.
    #[serde(default)]
    pub envelope: EnvelopeSettings,
    /// Repairs a trailing comma and a key that stands twice in an object, and says so in the event's attribute `repaired_json`;
    /// else such a body is a dead letter.
    #[serde(default = "yes")]
    pub lenient_json: bool,
    /// The HTTP port with `/metrics`, `/healthz`, `/readyz` and `/status`.
    #[serde(default)]
    pub admin: Admin,
    /// What is told on stderr.
    #[serde(default)]
    pub log: Log,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Where the brokers are found: `host:port`, several separated by commas.
    pub brokers: String,
    /// Consumer group.
    #[serde(default = "Kafka::default_group")]
    #[schemars(length(min = 1))]
    pub group: String,
    /// Begins the transactional ids; a dash and the worker's number are added. No two processes may share it. Empty: the group, a dash,
    /// and the variable `POD_NAME`, else the host's name.
    #[serde(default)]
    pub transactional_id_prefix: String,
    /// Where a group begins that has committed nothing yet: at the first record that is kept, or at those that come from now on.
    #[serde(default)]
    pub auto_offset_reset: AutoOffsetReset,
    /// How the clients prove who asks, and whom they trust.
    #[serde(default)]
    pub security: Security,
    /// Options of librdkafka for all clients, such as `client.rack`. Those that the promises depend on are refused.
    #[serde(default)]
    #[schemars(schema_with = "schema::options")]
    pub options: BTreeMap<String, String>,
    /// Options of librdkafka for consumers; they outrank `options`.
    #[serde(default)]
    #[schemars(schema_with = "schema::options")]
    pub consumer_options: BTreeMap<String, String>,
    /// Options of librdkafka for producers; they outrank `options`.
    #[serde(default)]
    #[schemars(schema_with = "schema::options")]
    pub producer_options: BTreeMap<String, String>,
}

impl Kafka {
    fn default_group() -> String {
        "event-normalizer".to_owned()
    }
}

/// Where a group without committed offsets begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AutoOffsetReset {
    #[default]
    Earliest,
    Latest,
}

words!(AutoOffsetReset, Earliest = "earliest", Latest = "latest");

/// One raw topic, and what is known of its bodies.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The raw topic. Each can be named once.
    #[schemars(length(min = 1))]
    pub topic: String,
    /// Whose bodies the topic has.
    #[schemars(schema_with = "schema::vendor")]
    pub vendor: String,
    /// Channel of bodies that don't tell it: a channel's slug such as `sms`, `none`, or the vendor's own word.
    pub channel: Option<String>,
    /// Event of bodies that don't tell it, in the vendor's word; `event-normalizer catalogue` lists them.
    pub event: Option<String>,
    /// Published name of the bodies' format, where the shape alone is not enough; `event-normalizer catalogue` lists them.
    pub format: Option<String>,
    /// Which account of the vendor the topic belongs to. It is part of the event's identity.
    pub account: Option<String>,
    /// Time zone of times that have none, such as `Asia/Kolkata`; without it they are read as UTC.
    pub zone: Option<String>,
    /// Region of phone numbers that are written as in their own country, such as `DE`.
    pub region: Option<String>,
    /// Names of record headers that say something of their record. They outrank the source's settings.
    #[serde(default)]
    pub hint_headers: HintHeaders,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HintHeaders {
    /// Name of the header that says the channel.
    pub channel: Option<String>,
    /// Name of the header that says the vendor's event.
    pub event: Option<String>,
    /// Name of the header that says the published format.
    pub format: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Topics {
    /// Name of a stream's topic; `{stream}` stands for the stream, which is the channel or, where there is none, the family of events.
    pub template: String,
    /// Topic by stream, where the template doesn't fit, such as `{sms: messages.sms}`.
    #[schemars(schema_with = "schema::topics_by_stream")]
    pub overrides: BTreeMap<String, String>,
    /// Where items go that can't be read.
    pub dead_letters: String,
    /// Makes output topics that are missing; else they stop the start. Not possible with tokens of an identity provider.
    pub create: bool,
    /// Partitions of topics that are made.
    #[schemars(range(min = 1))]
    pub partitions: i32,
    /// Replicas of topics that are made.
    #[schemars(range(min = 1))]
    pub replication: i32,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            template: "events.{stream}".to_owned(),
            overrides: BTreeMap::new(),
            dead_letters: "events.dead-letters".to_owned(),
            create: false,
            partitions: 6,
            replication: 3,
        }
    }
}

impl Topics {
    /// The topic of a stream.
    pub fn of(&self, stream: Stream) -> String {
        self.overrides.get(stream.name()).cloned().unwrap_or_else(|| self.template.replace("{stream}", stream.name()))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Guarantee {
    #[default]
    ExactlyOnce,
    AtLeastOnce,
}

words!(Guarantee, ExactlyOnce = "exactly-once", AtLeastOnce = "at-least-once");

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// `exactly-once` works in transactions; `at-least-once` does without, and can publish in duplicate after a fault.
    pub guarantee: Guarantee,
    /// Milliseconds from a transaction's first record to its commit. Less than half of librdkafka's `transaction.timeout.ms`.
    #[schemars(range(min = 1))]
    pub commit_interval_ms: u64,
    /// A guard, not the clock: a transaction that has read so many raw records is committed before its time.
    #[schemars(range(min = 1))]
    pub commit_records: usize,
    /// A guard, not the clock: a transaction that has read so many bytes of bodies is committed before its time.
    #[schemars(range(min = 1))]
    pub commit_bytes: usize,
    /// Milliseconds from SIGTERM to the end. What is open then is aborted by the brokers, and the exit code is not 0.
    pub shutdown_timeout_ms: u64,
    /// Worker threads, each with a consumer and a producer of its own; 0 is one per core.
    pub workers: usize,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            guarantee: Guarantee::ExactlyOnce,
            commit_interval_ms: 100,
            commit_records: 50_000,
            commit_bytes: 67_108_864,
            shutdown_timeout_ms: 25_000,
            workers: 0,
        }
    }
}

impl Delivery {
    pub fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval_ms)
    }

    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.shutdown_timeout_ms)
    }

    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.workers == 0 { cores() } else { self.workers }
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a body.
    #[schemars(range(min = 1))]
    pub body_bytes: usize,
    /// Objects and arrays in one another.
    #[schemars(range(min = 1, max = Self::DEPTH_MAX))]
    pub depth: usize,
}

impl Limits {
    /// So deep is JSON read.
    const DEPTH_MAX: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        let Reading { body_bytes, depth, is_lenient: _ } = Reading::default();
        Self { body_bytes, depth }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeadLetterPayload {
    #[default]
    Full,
    None,
}

words!(DeadLetterPayload, Full = "full", None = "none");

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetters {
    /// Whether a dead letter has the item's bytes. With `none` it has headers only, and can be counted but not replayed.
    pub payload: DeadLetterPayload,
    /// Stops a source that dead-letters too much, until SIGHUP or a restart. Without it none is stopped.
    pub stop_above: Option<StopAbove>,
}

/// When a source dead-letters too much.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopAbove {
    /// More than this share of a source's last items, from 0 to below 1.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub ratio: f64,
    /// How many items are looked at, by worker.
    #[schemars(range(min = 1, max = Self::WINDOW_MAX))]
    pub window: usize,
}

impl StopAbove {
    const WINDOW_MAX: usize = 1_000_000;

    fn validate(self) -> Result<()> {
        ensure!((0.0..1.0).contains(&self.ratio), "dead_letters.stop_above.ratio: expected a share from 0 to below 1");
        ensure!(
            (1..=Self::WINDOW_MAX).contains(&self.window),
            "dead_letters.stop_above.window: expected a number from 1 to {}",
            Self::WINDOW_MAX
        );
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EnvelopePayload {
    #[default]
    Item,
    None,
}

words!(EnvelopePayload, Item = "item", None = "none");

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvelopeSettings {
    /// Whether an event has the item's JSON as it arrived.
    pub payload: EnvelopePayload,
    /// Adds the attributes of CloudEvents 1.0 as headers, which is Kafka's binary mode.
    pub cloud_events: bool,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// IP address and port to listen on.
    #[schemars(regex(pattern = ":[0-9]+$"))]
    pub address: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: SocketAddr::from(([0, 0, 0, 0], 9464)) }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Json,
    Text,
}

words!(LogFormat, Json = "json", Text = "text");

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives such as `info,event_normalizer=debug`.
    pub level: String,
    /// A JSON object a line, or lines for people.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Json }
    }
}

fn yes() -> bool {
    true
}

impl Settings {
    /// Reads the settings of `file`, or of [`DEFAULT_FILE`] where there is one, then the environment.
    ///
    /// # Errors
    /// One line that names the key, what was expected of it and how to cure it; never a value.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let mut builder = Config::builder();
        let default = Path::new(DEFAULT_FILE);
        let file = file.or_else(|| default.exists().then_some(default));
        if let Some(file) = file {
            ensure!(file.exists(), "the settings file {} does not exist", file.display());
            builder = builder.add_source(File::from(file).format(FileFormat::Yaml));
        }
        let environment = Environment::with_prefix("NORMALIZER").prefix_separator("__").separator("__");
        let config = builder.add_source(environment).build().map_err(|error| errors::of_source(&error))?;
        Self::of(config)
    }

    /// Reads the settings of a YAML text alone.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn of_yaml(text: &str) -> Result<Self> {
        let config = Config::builder().add_source(File::from_str(text, FileFormat::Yaml)).build();
        Self::of(config.map_err(|error| errors::of_source(&error))?)
    }

    fn of(config: Config) -> Result<Self> {
        let settings: Self = serde_path_to_error::deserialize(config).map_err(|error| errors::of_key(&error))?;
        settings.validate()?;
        Ok(settings)
    }

    /// Tells whether two processes run on the same settings, secrets apart: 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(format!("{self:?}"));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// How bodies are read.
    pub fn reading(&self) -> Reading {
        Reading { body_bytes: self.limits.body_bytes, depth: self.limits.depth, is_lenient: self.lenient_json }
    }

    /// Topics that the configured vendors' events can go to, each with its stream.
    pub fn stream_topics(&self) -> BTreeMap<Stream, String> {
        let adapters = self.sources.iter().filter_map(|source| vendors::find(&source.vendor));
        adapters.flat_map(Adapter::streams).map(|stream| (stream, self.topics.of(stream))).collect()
    }

    fn validate(&self) -> Result<()> {
        ensure!(!self.kafka.brokers.trim().is_empty(), "kafka.brokers: expected host:port of a broker");
        ensure!(!self.kafka.group.is_empty(), "kafka.group: expected a name");
        ensure!(!self.sources.is_empty(), "sources: expected at least one topic with its vendor");
        ensure!(self.topics.partitions > 0, "topics.partitions: expected a number above 0");
        ensure!(self.topics.replication > 0, "topics.replication: expected a number above 0");
        ensure!(self.delivery.commit_interval_ms > 0, "delivery.commit_interval_ms: expected a number above 0");
        ensure!(self.delivery.commit_records > 0, "delivery.commit_records: expected a number above 0");
        ensure!(self.delivery.commit_bytes > 0, "delivery.commit_bytes: expected a number above 0");
        ensure!(self.limits.body_bytes > 0, "limits.body_bytes: expected a number above 0");
        ensure!(
            (1..=Limits::DEPTH_MAX).contains(&self.limits.depth),
            "limits.depth: expected a number from 1 to {}, which is as deep as JSON is read",
            Limits::DEPTH_MAX
        );
        self.dead_letters.stop_above.map_or(Ok(()), StopAbove::validate)?;
        for stream in self.topics.overrides.keys() {
            let names = Stream::all().map(Stream::name);
            Stream::from_name(stream).with_context(|| errors::unknown_key("topics.overrides", stream, names))?;
        }
        self.validate_topic_names()?;
        for (index, source) in self.sources.iter().enumerate() {
            source.validate().with_context(|| format!("sources[{index}]"))?;
        }
        self.kafka.security.validate()?;
        let is_oauth = self.kafka.security.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == Mechanism::OauthBearer);
        ensure!(
            !(is_oauth && self.topics.create),
            "topics.create: expected false with OAUTHBEARER, since the client that would create them takes no tokens: make the topics that \
             `event-normalizer check` names"
        );
        if let Some(registry) = &self.schema_registry {
            registry.validate()?;
        }
        crate::kafka::check_options(&self.kafka, &self.delivery)
    }

    /// An output topic that is read as well, or that holds both events and dead letters, would feed on itself.
    fn validate_topic_names(&self) -> Result<()> {
        let template = &self.topics.template;
        ensure!(template.contains("{stream}"), "topics.template: expected a name with {{stream}} in it");
        let mut inputs = BTreeMap::new();
        for (index, source) in self.sources.iter().enumerate() {
            if let Some(first) = inputs.insert(source.topic.as_str(), index) {
                bail!("sources[{index}].topic: sources[{first}] reads this topic already");
            }
        }
        let outputs = self.stream_topics().into_values().chain([self.topics.dead_letters.clone()]);
        for output in outputs {
            ensure!(is_topic_name(&output), "topics: expected names of letters, digits, '.', '_' and '-', at most 249 of them");
            ensure!(!inputs.contains_key(output.as_str()), "topics: an output topic is also a source");
        }
        let dead_letters = &self.topics.dead_letters;
        let is_stream = self.stream_topics().values().any(|topic| topic == dead_letters);
        ensure!(!is_stream, "topics.dead_letters: expected a topic that is no stream's");
        Ok(())
    }
}

impl Source {
    pub fn adapter(&self) -> Result<&'static Adapter> {
        vendors::find(&self.vendor).with_context(|| {
            errors::unknown_key("vendor", &self.vendor, vendors::ADAPTERS.into_iter().map(|adapter| adapter.vendor))
        })
    }

    pub fn zone(&self) -> Result<Option<Zone>> {
        let zone = self.zone.as_deref().map(Zone::named).transpose();
        zone.ok().context("zone: expected an IANA time zone such as Asia/Kolkata")
    }

    pub fn region(&self) -> Result<Option<Region>> {
        let region = self.region.as_ref().map(|region| region.to_ascii_uppercase().parse()).transpose();
        region.ok().context("region: expected a two-letter region such as DE")
    }

    fn validate(&self) -> Result<()> {
        ensure!(is_topic_name(&self.topic), "topic: expected a name of letters, digits, '.', '_' and '-'");
        let adapter = self.adapter()?;
        self.zone()?;
        self.region()?;
        if let Some(channel) = &self.channel {
            let vendor = adapter.vendor;
            adapter
                .channel_of_hint(channel)
                .with_context(|| format!("channel: expected a channel slug such as sms, none, or a word of {vendor}"))?;
        }
        if let Some(event) = &self.event {
            let events = adapter.rows.iter().map(|row| row.event);
            ensure!(adapter.has_event(event), errors::unknown_key("event", event, events));
        }
        if let Some(format) = &self.format {
            let formats = adapter.rows.iter().filter_map(|row| row.format);
            let is_known = formats.clone().any(|known| known.eq_ignore_ascii_case(format));
            ensure!(is_known, errors::unknown_key("format", format, formats));
        }
        Ok(())
    }
}

fn is_topic_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name.bytes().all(is_legal) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "kafka: {brokers: 'localhost:9092'}\nsources: [{topic: raw.infobip, vendor: infobip}]\n";

    fn error(text: &str) -> String {
        format!("{:#}", Settings::of_yaml(text).unwrap_err())
    }

    #[test]
    fn two_keys_are_enough() {
        let settings = Settings::of_yaml(SMALL).unwrap();
        assert_eq!(settings.delivery.commit_interval_ms, 100);
        assert_eq!(settings.topics.of(Stream::from_name("kakao-alim").unwrap()), "events.kakao-alim");
        assert!(settings.lenient_json);
    }

    #[test]
    fn a_misspelt_key_names_the_nearest() {
        let text = SMALL.replace("brokers", "brokrs");
        assert_eq!(error(&text), "kafka.brokrs is no setting: did you mean brokers?");
        let text = format!("{SMALL}delivry: {{}}\n");
        assert_eq!(error(&text), "delivry is no setting: did you mean delivery?");
        let text = SMALL.replace("vendor: infobip", "vendor: infobib");
        assert_eq!(error(&text), "sources[0]: vendor: infobib is not known: did you mean infobip?");
    }

    #[test]
    fn a_missing_or_wrong_value_names_its_key() {
        assert_eq!(error("sources: []"), "kafka is missing");
        let text = format!("{SMALL}delivery: {{workers: many}}\n");
        assert_eq!(error(&text), "delivery.workers: expected an integer");
        let text = format!("{SMALL}delivery: {{guarantee: maybe}}\n");
        assert_eq!(error(&text), "delivery.guarantee: expected exactly-once or at-least-once");
    }

    #[test]
    fn bad_hints_and_topics_are_found_before_the_start() {
        for (change, expected) in [
            ("zone: Mars/Olympus", "sources[0]: zone: expected an IANA time zone such as Asia/Kolkata"),
            ("region: Mars", "sources[0]: region: expected a two-letter region such as DE"),
            ("channel: fax", "sources[0]: channel: expected a channel slug such as sms, none, or a word of infobip"),
            ("event: DELIVERIES", "sources[0]: event: DELIVERIES is not known: did you mean DELIVERY?"),
        ] {
            let text = SMALL.replace("vendor: infobip", &format!("vendor: infobip, {change}"));
            assert_eq!(error(&text), expected);
        }
        let text = SMALL.replace("raw.infobip", "events.sms");
        assert_eq!(error(&text), "topics: an output topic is also a source");
    }

    #[test]
    fn a_breaker_wants_a_share_and_a_window() {
        let with = |stop_above: &str| format!("{SMALL}dead_letters: {{stop_above: {stop_above}}}\n");
        let settings = Settings::of_yaml(&with("{ratio: 0.5, window: 1000}")).unwrap();
        assert_eq!(settings.dead_letters.stop_above, Some(StopAbove { ratio: 0.5, window: 1_000 }));
        for (stop_above, expected) in [
            ("{ratio: 1.0, window: 1000}", "dead_letters.stop_above.ratio: expected a share from 0 to below 1"),
            ("{ratio: 0.5, window: 0}", "dead_letters.stop_above.window: expected a number from 1 to 1000000"),
            ("{ratio: 0.5, windw: 10}", "dead_letters.stop_above.windw is no setting: did you mean window?"),
        ] {
            assert_eq!(error(&with(stop_above)), expected);
        }
    }

    #[test]
    fn secrets_print_as_nothing() {
        let text = SMALL.replace(
            "brokers: 'localhost:9092'",
            "brokers: 'b:1', security: {protocol: sasl_ssl, sasl: {mechanism: PLAIN, username: u, password: hunter2}}",
        );
        let settings = Settings::of_yaml(&text).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        let twice = text.replace("password: hunter2", "password: hunter2, password_file: /dev/null");
        assert_eq!(error(&twice), "kafka.security.sasl.password: expected it or its _file, not both");
    }

    #[test]
    fn what_secures_a_connection_fits_together() {
        let with =
            |security: &str| SMALL.replace("brokers: 'localhost:9092'", &format!("brokers: 'b:1', security: {{{security}}}"));
        let oauth = "mechanism: OAUTHBEARER, oauth: {token_url: 'https://idp/token', client_id: c, client_secret: hunter2}";
        let settings = Settings::of_yaml(&with(&format!("protocol: sasl_ssl, sasl: {{{oauth}}}"))).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        for (security, expected) in [
            ("protocol: sasl_ssl", "kafka.security.sasl is missing: the protocol is sasl_ssl"),
            (
                "sasl: {mechanism: PLAIN, username: u, password: p}",
                "kafka.security.sasl would not be used: expected protocol sasl_ssl or sasl_plaintext",
            ),
            (
                "protocol: sasl_plaintext, sasl: {mechanism: PLAIN, username: u, password: p}, tls: {ca_file: /dev/null}",
                "kafka.security.tls would not be used: expected protocol ssl or sasl_ssl",
            ),
            (
                "protocol: ssl, tls: {certificate_file: /dev/null}",
                "kafka.security.tls: expected certificate_file and key_file, or neither",
            ),
            ("protocol: ssl, tls: {ca_file: /no/such}", "kafka.security.tls.ca_file: can't read /no/such: entity not found"),
            (
                "protocol: sasl_ssl, sasl: {mechanism: SCRAM, username: u, password: p}",
                "kafka.security.sasl.mechanism: expected PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512 or OAUTHBEARER",
            ),
            (
                "protocol: sasl_ssl, sasl: {mechanism: OAUTHBEARER, username: u, password: p}",
                "kafka.security.sasl: OAUTHBEARER takes no username and no password: use oauth",
            ),
            (
                "protocol: sasl_ssl, sasl: {mechanism: OAUTHBEARER, oauth: {token_url: idp, client_id: c, client_secret: s}}",
                "kafka.security.sasl.oauth.token_url: expected a URL that begins with http:// or https://",
            ),
        ] {
            assert_eq!(error(&with(security)), expected);
        }
        let create = format!("{}topics: {{create: true}}\n", with(&format!("protocol: sasl_ssl, sasl: {{{oauth}}}")));
        assert!(error(&create).starts_with("topics.create: expected false with OAUTHBEARER"), "{}", error(&create));
    }

    #[test]
    fn options_that_would_break_the_promises_are_refused() {
        let text = SMALL.replace("brokers: 'localhost:9092'", "brokers: 'b:1', consumer_options: {enable.auto.commit: true}");
        let expected = "kafka.consumer_options: enable.auto.commit is set by the program: leave it out";
        assert_eq!(error(&text), expected);
    }
}
