//! The HTTP client for the schema registry and for the identity provider: the same TLS, the same time to answer.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// How long one URL has for its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that trusts the authorities of `ca_file`, else those of the system. `setting` names the file where it is of no
/// use.
///
/// # Errors
/// The file can't be read, or has no certificate.
pub fn agent(ca_file: Option<&Path>, setting: &str) -> Result<Agent> {
    let mut tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
    if let Some(file) = ca_file {
        let pem = std::fs::read(file).map_err(|error| anyhow!("can't read {}: {error}", file.display()))?;
        let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
            .filter_map(|item| if let Ok(PemItem::Certificate(certificate)) = item { Some(certificate) } else { None })
            .collect();
        ensure!(!certificates.is_empty(), "{setting}: expected certificates as PEM in {}", file.display());
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
    }
    let config = Agent::config_builder().timeout_global(Some(ANSWER_TIMEOUT)).http_status_as_error(false);
    Ok(config.tls_config(tls.build()).build().into())
}

/// What authorizes a request by a name and its secret.
pub fn basic(name: &str, secret: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{name}:{secret}")))
}
