//! How a client of the brokers proves who it is, and how it knows them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use super::words::words;
use super::{Secret, secret};

/// What connections are made of, and who asks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// What connections are made of: TLS or not, with a name that is proved by SASL or without.
    pub protocol: Protocol,
    /// Who asks, with the protocols `sasl_plaintext` and `sasl_ssl`.
    pub sasl: Option<Sasl>,
    /// Certificates, with the protocols `ssl` and `sasl_ssl`. Files that change are used without a restart.
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

// As librdkafka's `security.protocol` has them.
words!(Protocol, Plaintext = "plaintext", Ssl = "ssl", SaslPlaintext = "sasl_plaintext", SaslSsl = "sasl_ssl",);

impl Protocol {
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

// As librdkafka's `sasl.mechanism` has them.
words!(Mechanism, Plain = "PLAIN", ScramSha256 = "SCRAM-SHA-256", ScramSha512 = "SCRAM-SHA-512", OauthBearer = "OAUTHBEARER",);

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    /// How the name is proved: by a password, or, with `OAUTHBEARER`, by a token.
    pub mechanism: Mechanism,
    /// Name to ask under, where the mechanism takes a password.
    username: Option<String>,
    /// Password of `username`.
    password: Option<Secret>,
    /// File with the password of `username`.
    password_file: Option<PathBuf>,
    /// Where tokens come from, with `OAUTHBEARER`.
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth {
    /// URL that gives tokens, such as `https://idp/token`.
    #[schemars(regex(pattern = "^https?://"))]
    pub token_url: String,
    /// Name of the client.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// Secret of the client.
    client_secret: Option<Secret>,
    /// File with the secret of the client.
    client_secret_file: Option<PathBuf>,
    /// Scope to ask for.
    pub scope: Option<String>,
    /// Audience to ask for.
    pub audience: Option<String>,
    /// Authorities, as PEM, one of which must have signed the provider's certificate; without it, those of the system.
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

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Authorities, as PEM, one of which must have signed the brokers' certificates; without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate, as PEM, together with `key_file`.
    pub certificate_file: Option<PathBuf>,
    /// Key of the client's certificate, as PEM.
    pub key_file: Option<PathBuf>,
    /// Password of a key that has one.
    key_password: Option<Secret>,
    /// File with the password of a key that has one.
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
