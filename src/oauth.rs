//! Tokens for the brokers, by the flow that is made for programs (RFC 6749, client credentials). librdkafka has one of its
//! own, which needs curl.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;

use crate::http;
use crate::settings::Oauth;

const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// So much of a provider's own words is repeated.
const REASON_CHARS_MAX: usize = 200;

/// What a broker takes for a while.
pub struct Token {
    pub text: String,
    pub expires_in: Duration,
}

/// Why there is no token.
#[derive(Debug)]
pub enum TokenError {
    /// The provider gives no answer that can be used: it can pass.
    Unreachable(String),
    /// The provider refuses who asks.
    Refused(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "the identity provider gives no token: {reason}"),
            Self::Refused(reason) => write!(f, "the identity provider refuses the client: {reason}"),
        }
    }
}

impl std::error::Error for TokenError {}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

/// A refusal as RFC 6749 words it. What it says beside the code can quote the request, and is not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
}

/// Asks for a token. Secret and authorities are read anew each time.
///
/// # Errors
/// See [`TokenError`].
pub fn fetch(oauth: &Oauth) -> Result<Token, TokenError> {
    let unreachable = |reason: String| TokenError::Unreachable(format!("{}: {reason}", oauth.token_url));
    let secret = oauth.client_secret().map_err(|error| unreachable(format!("{error:#}")))?;
    let agent = http::agent(oauth.ca_file.as_deref(), "kafka.security.sasl.oauth.ca_file");
    let agent = agent.map_err(|error| unreachable(format!("{error:#}")))?;
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(oauth.scope.as_deref().map(|scope| ("scope", scope)));
    form.extend(oauth.audience.as_deref().map(|audience| ("audience", audience)));
    // Name and secret are encoded as a form has it before they are joined.
    let authorization = http::basic(&encoded(&oauth.client_id), &encoded(secret.reveal()));
    let request = agent.post(&oauth.token_url).header("Authorization", authorization).header("Accept", "application/json");
    let mut response = request.send_form(form).map_err(|error| unreachable(error.to_string()))?;
    let status = response.status().as_u16();
    let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    let answer = answer.map_err(|error| unreachable(error.to_string()))?;
    match status {
        200..=299 => {
            let granted: Granted = serde_json::from_slice(&answer).map_err(|_| {
                unreachable("expected an answer with access_token and expires_in; is a path missing in the URL?".to_owned())
            })?;
            Ok(Token { text: granted.access_token, expires_in: Duration::from_secs(granted.expires_in) })
        }
        400 | 401 | 403 => {
            let refusal: Refusal = serde_json::from_slice(&answer).unwrap_or_default();
            let code: String = refusal.error.chars().filter(char::is_ascii_graphic).take(REASON_CHARS_MAX).collect();
            let code = if code.is_empty() { String::new() } else { format!(", {code}") };
            Err(TokenError::Refused(format!("{}: HTTP {status}{code}", oauth.token_url)))
        }
        _ => Err(unreachable(format!("HTTP {status}"))),
    }
}

/// As `application/x-www-form-urlencoded` has it.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_before_they_are_joined() {
        assert_eq!(encoded("client:1 é"), "client%3A1+%C3%A9");
    }
}
