//! How a client of the brokers proves who it is, and how it knows them.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Deserializer};

use super::{Secret, one_of};

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
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    pub mechanism: String,
    pub username: String,
    #[serde(default)]
    password: Option<Secret>,
    #[serde(default)]
    password_file: Option<PathBuf>,
}

impl Sasl {
    /// The password, from the settings or from its file.
    ///
    /// # Errors
    /// There is none, or two, or the file can't be read.
    pub fn password(&self) -> Result<Secret> {
        super::secret::given_or_read("kafka.security.sasl.password", self.password.as_ref(), self.password_file.as_deref())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}
