//! The calls, with the registry's own answers to them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

use super::{RegistryError, Standing};
use crate::avro;
use crate::http;
use crate::metrics::{Answer, RegistryRequests};
use crate::settings::{Credentials, SchemaRegistry};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// So much of a registry's own words is repeated.
const REASON_CHARS_MAX: usize = 500;

const SUBJECT_NOT_FOUND: i64 = 40_401;
const SCHEMA_NOT_FOUND: i64 = 40_403;

/// Asks a registry.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    registry: SchemaRegistry,
    /// Counts what is asked, where somebody wants to know.
    requests: Option<RegistryRequests>,
    /// One compact text, so that registries that compare texts see the same each time.
    schema: String,
}

/// The answer to a look-up and to a registration.
#[derive(Deserialize)]
struct Found {
    id: u32,
}

#[derive(Deserialize)]
struct SchemaText {
    schema: String,
}

#[derive(Deserialize)]
struct Compatibility {
    is_compatible: bool,
    #[serde(default)]
    messages: Vec<String>,
}

/// A refusal as Confluent's registry words it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(skip)]
    status: u16,
    error_code: i64,
    message: String,
}

/// Why a request has no result.
enum Failure {
    Error(RegistryError),
    Refusal(Refusal),
}

impl Client {
    /// # Errors
    /// The settings' certificates can't be read.
    pub fn new(registry: &SchemaRegistry) -> Result<Self, RegistryError> {
        let agent = http::agent(registry.ca_file.as_deref(), "schema_registry.ca_file");
        let agent = agent.map_err(|error| RegistryError::Refused(format!("{error:#}")))?;
        let schema: Value = serde_json::from_str(avro::SCHEMA_TEXT)
            .map_err(|error| RegistryError::Refused(format!("the build's schema is no JSON: {error}")))?;
        Ok(Self { agent, registry: registry.clone(), requests: None, schema: schema.to_string() })
    }

    /// The same client, whose requests are counted.
    #[must_use]
    pub fn counted(self, requests: Option<RegistryRequests>) -> Self {
        Self { requests, ..self }
    }

    /// The id of this build's schema under a subject.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn find(&self, subject: &str) -> Result<u32, RegistryError> {
        match self.look_up(subject)? {
            Some(id) => Ok(id),
            None => Err(RegistryError::NotRegistered(subject.to_owned())),
        }
    }

    fn look_up(&self, subject: &str) -> Result<Option<u32>, RegistryError> {
        match self.post(&format!("/subjects/{subject}?normalize=true")) {
            Ok(Found { id }) => Ok(Some(id)),
            Err(Failure::Refusal(refusal)) if matches!(refusal.error_code, SUBJECT_NOT_FOUND | SCHEMA_NOT_FOUND) => Ok(None),
            Err(failure) => Err(failure.of(subject)),
        }
    }

    /// Registers this build's schema under a subject, where it is not registered yet, and returns its id.
    ///
    /// # Errors
    /// See [`RegistryError`]; a schema that is not compatible is refused.
    pub fn register(&self, subject: &str) -> Result<u32, RegistryError> {
        let found = self.post(&format!("/subjects/{subject}/versions?normalize=true"));
        found.map(|Found { id }| id).map_err(|failure| failure.of(subject))
    }

    /// Whether the schema is there, or may be.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn standing(&self, subject: &str) -> Result<Standing, RegistryError> {
        if let Some(id) = self.look_up(subject)? {
            return Ok(Standing::Registered(id));
        }
        // All versions or the latest only, as the subject's level has it.
        match self.post(&format!("/compatibility/subjects/{subject}/versions?verbose=true")) {
            Ok(Compatibility { is_compatible: true, .. }) => Ok(Standing::Compatible),
            Ok(Compatibility { messages, .. }) => {
                let reason = if messages.is_empty() { "the registry gives no reason".to_owned() } else { messages.join("; ") };
                Ok(Standing::Incompatible(one_line(&reason)))
            }
            Err(Failure::Refusal(refusal)) if refusal.error_code == SUBJECT_NOT_FOUND => Ok(Standing::Compatible),
            Err(failure) => Err(failure.of(subject)),
        }
    }

    /// The schema that has this id.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn schema(&self, id: u32) -> Result<String, RegistryError> {
        let found = self.request(&format!("/schemas/ids/{id}"), None);
        found.map(|SchemaText { schema }| schema).map_err(|failure| failure.of(&format!("schema {id}")))
    }

    fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.request(path, Some(&json!({ "schema": self.schema }).to_string()))
    }

    /// Asks each URL in turn until one gives an answer that will not pass by itself.
    fn request<T: DeserializeOwned>(&self, path: &str, body: Option<&str>) -> Result<T, Failure> {
        let credentials = self.registry.credentials();
        let credentials = credentials.map_err(|error| RegistryError::Unreachable(format!("{error:#}")))?;
        let mut reasons = Vec::new();
        for url in self.registry.urls() {
            let reason = match self.send(&format!("{url}{path}"), body, &credentials) {
                Err(error) => {
                    self.count(Answer::Unavailable);
                    error.to_string()
                }
                Ok(mut response) => {
                    let status = response.status().as_u16();
                    let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
                    self.count(match (status, &answer) {
                        (_, Err(_)) | (408 | 429 | 500.., _) => Answer::Unavailable,
                        (200..=299, _) => Answer::Ok,
                        (401 | 403, _) => Answer::Denied,
                        (404, _) => Answer::NotFound,
                        _ => Answer::Refused,
                    });
                    match (status, answer) {
                        (_, Err(error)) => error.to_string(),
                        (200..=299, Ok(answer)) => match serde_json::from_slice(&answer) {
                            Ok(answer) => return Ok(answer),
                            Err(_) => "the answer is not that of a schema registry; is a path missing in the URL?".to_owned(),
                        },
                        (401 | 403, Ok(answer)) => {
                            let refusal = Refusal::of(status, &answer);
                            return Err(RegistryError::NoPermission(refusal.to_string()).into());
                        }
                        (408 | 429 | 500.., Ok(answer)) => Refusal::of(status, &answer).to_string(),
                        (_, Ok(answer)) => return Err(Failure::Refusal(Refusal::of(status, &answer))),
                    }
                }
            };
            reasons.push(format!("{url}: {reason}"));
        }
        Err(RegistryError::Unreachable(reasons.join("; ")).into())
    }

    fn count(&self, answer: Answer) {
        if let Some(requests) = &self.requests {
            requests.count(answer);
        }
    }

    fn send(&self, url: &str, body: Option<&str>, credentials: &Credentials) -> Result<Response<Body>, ureq::Error> {
        let authorization = match credentials {
            Credentials::None => None,
            Credentials::Basic { username, password } => Some(http::basic(username, password.reveal())),
            Credentials::Bearer(token) => Some(format!("Bearer {}", token.reveal())),
        };
        let headers = [("Accept", Some(CONTENT_TYPE)), ("Authorization", authorization.as_deref())];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        match body {
            None => headers.fold(self.agent.get(url), |request, (name, value)| request.header(name, value)).call(),
            Some(body) => headers
                .fold(self.agent.post(url), |request, (name, value)| request.header(name, value))
                .header("Content-Type", CONTENT_TYPE)
                .send(body),
        }
    }
}

impl Refusal {
    fn of(status: u16, answer: &[u8]) -> Self {
        let refusal: Self = serde_json::from_slice(answer).unwrap_or_default();
        Self { status, ..refusal }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.message.as_str() {
            "" => write!(f, "HTTP {}", self.status),
            message => write!(f, "HTTP {}, {}", self.status, one_line(message)),
        }
    }
}

impl Failure {
    fn of(self, subject: &str) -> RegistryError {
        match self {
            Self::Error(error) => error,
            Self::Refusal(refusal) => RegistryError::Refused(format!("{subject}: {refusal}")),
        }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Error(error)
    }
}

/// A registry's words without line breaks, and not without end.
fn one_line(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}
