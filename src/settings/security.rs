//! How a client of the brokers proves who it is, and how it knows them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Deserializer};

use super::{Secret, one_of, secret};

/// What connections are made of, and who asks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    pub protocol: Protocol,
    pub sasl: Option<Sasl>,
    pub tls: Tls,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_of(
            deserializer,
            &[
                ("plaintext", Self::Plaintext),
                ("ssl", Self::Ssl),
                ("sasl_plaintext", Self::SaslPlaintext),
                ("sasl_ssl", Self::SaslSsl),
            ],
        )
    }
}

impl Protocol {
    /// As librdkafka's `security.protocol` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// How a name is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
    OauthBearer,
}

impl<'de> Deserialize<'de> for Mechanism {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = [Self::Plain, Self::ScramSha256, Self::ScramSha512, Self::OauthBearer];
        one_of(deserializer, &all.map(|mechanism| (mechanism.name(), mechanism)))
    }
}

impl Mechanism {
    /// As librdkafka's `sasl.mechanism` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    pub mechanism: Mechanism,
    username: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    /// Where tokens come from, with OAUTHBEARER.
    oauth: Option<Oauth>,
}

/// What a mechanism takes.
#[derive(Debug)]
pub enum Proof<'a> {
    Password { username: &'a str, password: Secret },
    Token(&'a Oauth),
}

impl Sasl {
    /// What the mechanism takes. The password's file is read anew each time.
    ///
    /// # Errors
    /// Something is missing or too much, or the file can't be read.
    pub fn proof(&self) -> Result<Proof<'_>> {
        let name = self.mechanism.name();
        let has_password = self.password.is_some() || self.password_file.is_some();
        if self.mechanism == Mechanism::OauthBearer {
            ensure!(
                self.username.is_none() && !has_password,
                "kafka.security.sasl: {name} takes no username and no password: use oauth"
            );
            let Some(oauth) = &self.oauth else {
                bail!("kafka.security.sasl.oauth is missing: {name} takes its tokens from there")
            };
            return Ok(Proof::Token(oauth));
        }
        ensure!(self.oauth.is_none(), "kafka.security.sasl.oauth: expected mechanism OAUTHBEARER with it");
        let Some(username) = &self.username else { bail!("kafka.security.sasl.username is missing") };
        let password =
            secret::given_or_read("kafka.security.sasl.password", self.password.as_ref(), self.password_file.as_deref())?;
        Ok(Proof::Password { username, password })
    }
}

/// An identity provider that gives tokens to a client by its id and secret (RFC 6749, client credentials).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oauth {
    pub token_url: String,
    pub client_id: String,
    client_secret: Option<Secret>,
    client_secret_file: Option<PathBuf>,
    pub scope: Option<String>,
    pub audience: Option<String>,
    /// Certificates, as PEM, that the provider's own must come from; default: those of the system.
    pub ca_file: Option<PathBuf>,
}

impl Oauth {
    /// The client's secret. Its file is read anew each time.
    ///
    /// # Errors
    /// There is none, or two, or the file can't be read.
    pub fn client_secret(&self) -> Result<Secret> {
        let name = "kafka.security.sasl.oauth.client_secret";
        secret::given_or_read(name, self.client_secret.as_ref(), self.client_secret_file.as_deref())
    }

    fn validate(&self) -> Result<()> {
        let (scheme, rest) = self.token_url.split_once("://").unwrap_or_default();
        let is_url = matches!(scheme, "http" | "https") && !rest.is_empty();
        ensure!(is_url, "kafka.security.sasl.oauth.token_url: expected a URL that begins with http:// or https://");
        let host = rest.split('/').next().unwrap_or_default();
        ensure!(
            !host.contains('@'),
            "kafka.security.sasl.oauth.token_url: expected no name or password in it: use client_id and client_secret_file"
        );
        ensure!(!self.client_id.is_empty(), "kafka.security.sasl.oauth.client_id: expected a name");
        self.client_secret()?;
        self.ca_file.as_deref().map_or(Ok(()), |file| readable("kafka.security.sasl.oauth.ca_file", file))
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    key_password: Option<Secret>,
    key_password_file: Option<PathBuf>,
}

impl Tls {
    /// The password of the key, where it has one. Its file is read anew each time.
    ///
    /// # Errors
    /// There are two, or the file can't be read.
    pub fn key_password(&self) -> Result<Option<Secret>> {
        if self.key_password.is_none() && self.key_password_file.is_none() {
            return Ok(None);
        }
        let (given, file) = (self.key_password.as_ref(), self.key_password_file.as_deref());
        secret::given_or_read("kafka.security.tls.key_password", given, file).map(Some)
    }

    fn is_empty(&self) -> bool {
        let Self { ca_file, certificate_file, key_file, key_password, key_password_file } = self;
        let has_files = [ca_file, certificate_file, key_file, key_password_file].into_iter().any(Option::is_some);
        !has_files && key_password.is_none()
    }
}

impl Security {
    /// Every file that a client's identity and trust come from.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let Tls { ca_file, certificate_file, key_file, key_password: _, key_password_file } = &self.tls;
        let password_file = self.sasl.as_ref().and_then(|sasl| sasl.password_file.as_ref());
        // A client's secret and the authorities of its provider are read anew for each token.
        let files = [ca_file.as_ref(), certificate_file.as_ref(), key_file.as_ref(), key_password_file.as_ref(), password_file];
        files.into_iter().flatten().map(PathBuf::as_path)
    }

    pub(super) fn validate(&self) -> Result<()> {
        let protocol = self.protocol.name();
        ensure!(self.sasl.is_some() || !self.protocol.has_sasl(), "kafka.security.sasl is missing: the protocol is {protocol}");
        ensure!(
            self.sasl.is_none() || self.protocol.has_sasl(),
            "kafka.security.sasl would not be used: expected protocol sasl_ssl or sasl_plaintext"
        );
        ensure!(
            self.tls.is_empty() || self.protocol.has_tls(),
            "kafka.security.tls would not be used: expected protocol ssl or sasl_ssl"
        );
        if let Some(sasl) = &self.sasl
            && let Proof::Token(oauth) = sasl.proof()?
        {
            oauth.validate()?;
        }
        let Tls { ca_file, certificate_file, key_file, .. } = &self.tls;
        ensure!(
            certificate_file.is_some() == key_file.is_some(),
            "kafka.security.tls: expected certificate_file and key_file, or neither"
        );
        for (name, file) in [("ca_file", ca_file), ("certificate_file", certificate_file), ("key_file", key_file)] {
            if let Some(file) = file {
                readable(&format!("kafka.security.tls.{name}"), file)?;
            }
        }
        self.tls.key_password().map(drop)
    }
}

fn readable(name: &str, file: &Path) -> Result<()> {
    match fs::read(file) {
        Ok(_) => Ok(()),
        Err(error) => bail!("{name}: can't read {}: {}", file.display(), error.kind()),
    }
}
