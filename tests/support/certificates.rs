//! Certificates for TLS, made anew for each test.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// An authority of our own, whose certificates no system trusts. Its files go with it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// The files of a certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Result<Authority> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "authority of the tests");
        let authority =
            Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?, folder: tempfile::tempdir()? };
        fs::write(authority.certificate(), authority.issuer.pem())?;
        Ok(authority)
    }

    /// The authority's own certificate, for those who shall trust it.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate with this common name, good for servers on this machine and for clients.
    pub fn issue(&self, name: &str) -> Result<Issued> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        let issued = Issued { certificate: file("pem"), key: file("key.pem") };
        fs::write(&issued.certificate, certificate.pem())?;
        fs::write(&issued.key, key.serialize_pem())?;
        Ok(issued)
    }
}
