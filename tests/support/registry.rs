//! A Schema Registry with Confluent's API: Apicurio Registry, run from its archive.
//!
//! Where it answers otherwise than Confluent's server, a test must take both:
//!
//! - A refused registration is HTTP status 409 as with Confluent, but `error_code` is 409 too, not 40901.
//! - The compatibility level starts at NONE, not at BACKWARD, and `defaultToGlobal` does nothing.
//! - Without `normalize=true` a look-up compares texts: other white space is another schema.
//! - A refused registration uses up an id.
//! - Answers are `application/json`; `GET /` is a page for people.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::certificates::{Authority, Issued};
use super::jars;
use super::kafka::tail;
use super::leash::Leash;
use super::node::free_ports;
use super::wait::poll;

/// The release that the tests run against; `registry/pom.xml` says the same.
pub const REGISTRY_VERSION: &str = "3.0.9";

const READY_WITHIN: Duration = Duration::from_secs(90);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// While it starts, an answer that is late is asked for again.
const PROBE_WITHIN: Duration = Duration::from_secs(2);

/// A registry that runs, or that was stopped and can be started again on the same port. Dropping it kills it.
///
/// It keeps everything in memory: once stopped it has forgotten all subjects and levels, and gives ids from 1 again.
pub struct Registry {
    port: u16,
    management_port: u16,
    program: PathBuf,
    folder: PathBuf,
    /// Speaks TLS, with this certificate of this authority.
    tls: Option<(Issued, PathBuf)>,
    running: Option<(Child, Leash)>,
}

impl Registry {
    /// Starts a registry on free ports of this machine and waits until it answers.
    pub fn start() -> Result<Registry> {
        Registry::start_as(None)
    }

    /// As `start`, with TLS only.
    pub fn start_with_tls(authority: &Authority) -> Result<Registry> {
        Registry::start_as(Some((authority.issue("registry")?, authority.certificate())))
    }

    fn start_as(tls: Option<(Issued, PathBuf)>) -> Result<Registry> {
        let missing = jars::missing();
        if !missing.is_empty() {
            bail!("these tests need a Schema Registry, and none can be started. Install:\n- {}", missing.join("\n  and "));
        }
        let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/registry/pom.xml");
        let program = jars::maven(&format!("registry-{REGISTRY_VERSION}"), &pom, "program", "unpack")?;
        let [port, management_port] = free_ports()?;
        // Not removed when dropped: a static never is. The leash removes it.
        let folder = tempfile::Builder::new().prefix("event-normalizer-registry-").tempdir()?.keep();
        let mut registry = Registry { port, management_port, program, folder, tls, running: None };
        registry.start_again()?;
        Ok(registry)
    }

    /// What clients are told: the base of Confluent's API.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// Kills the process. What it knew is gone.
    pub fn stop(&mut self) -> Result<()> {
        let (mut process, _leash) = self.running.take().context("the registry is stopped already")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Starts the process on the same port, empty, and waits until it answers.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "the registry runs already");
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut java = Command::new("java");
        let port = match &self.tls {
            None => "quarkus.http.port",
            Some((issued, _)) => {
                java.arg("-Dquarkus.http.insecure-requests=disabled")
                    .arg(format!("-Dquarkus.http.ssl.certificate.files={}", issued.certificate.display()))
                    .arg(format!("-Dquarkus.http.ssl.certificate.key-files={}", issued.key.display()));
                "quarkus.http.ssl-port"
            }
        };
        let process = java
            .args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"])
            .arg(format!("-Djava.io.tmpdir={}", self.folder.display()))
            .args(["-Dquarkus.http.host=127.0.0.1", "-Dquarkus.management.host=127.0.0.1"])
            .arg(format!("-D{port}={}", self.port))
            .arg(format!("-Dquarkus.management.port={}", self.management_port))
            // Twenty connections to its database in memory, each within five seconds: too much for a busy machine.
            .args(["-Dapicurio.datasource.jdbc.initial-size=1", "-Dapicurio.datasource.jdbc.min-size=1"])
            .arg(format!("-Dquarkus.datasource.h2.jdbc.acquisition-timeout={}s", READY_WITHIN.as_secs()))
            .arg("-jar")
            .arg(self.program.join(format!("apicurio-registry-app-{REGISTRY_VERSION}-runner.jar")))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start java")?;
        let leash = Leash::on_process(process.id(), &self.folder.to_string_lossy());
        self.running = Some((process, leash));
        let ready = self.wait_ready();
        ready.with_context(|| format!("the registry's log ends with:\n{}", tail(&self.log(), 40)))
    }

    fn wait_ready(&mut self) -> Result<()> {
        let (url, agent) = (format!("{}/subjects", self.url()), self.agent(PROBE_WITHIN)?);
        let (process, _) = self.running.as_mut().context("the registry is stopped")?;
        let mut said = String::from("nothing");
        let ready = poll(READY_WITHIN, || {
            match process.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return Some(Err(anyhow::anyhow!("the registry ended by itself, {status}"))),
                Err(error) => return Some(Err(error.into())),
            }
            match agent.get(&url).call() {
                Ok(answer) if answer.status() == 200 => return Some(Ok(())),
                Ok(answer) => said = answer.status().to_string(),
                Err(error) => said = error.to_string(),
            }
            None
        });
        ready.unwrap_or_else(|| bail!("the registry at {url} wasn't ready within {READY_WITHIN:?}; it said: {said}"))
    }

    /// Registers a schema under a subject and gives its id. A schema that is there already keeps its id.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32> {
        let body = json!({ "schema": schema }).to_string();
        let answer = self.call("POST", &format!("/subjects/{}/versions?normalize=true", encoded(subject)), Some(&body))?;
        let id = answer["id"].as_u64().and_then(|id| id.try_into().ok());
        id.with_context(|| format!("register a schema under {subject}: no id in {answer}"))
    }

    /// Sets the level of a subject: NONE, BACKWARD, FORWARD, FULL, or one of them with `_TRANSITIVE`.
    pub fn set_compatibility(&self, subject: &str, level: &str) -> Result<()> {
        let body = json!({ "compatibility": level }).to_string();
        self.call("PUT", &format!("/config/{}", encoded(subject)), Some(&body))?;
        Ok(())
    }

    /// The names of all subjects.
    pub fn subjects(&self) -> Result<Vec<String>> {
        let answer = self.call("GET", "/subjects", None)?;
        Ok(serde_json::from_value(answer)?)
    }

    /// The text of the schema with this id.
    pub fn schema(&self, id: u32) -> Result<String> {
        let answer = self.call("GET", &format!("/schemas/ids/{id}"), None)?;
        let text = answer["schema"].as_str().with_context(|| format!("schema {id}: none in {answer}"))?;
        Ok(text.to_owned())
    }

    /// One call of the API. The error names the HTTP status and what the registry said.
    fn call(&self, method: &str, path: &str, body: Option<&str>) -> Result<Value> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url()))
            .header("content-type", "application/vnd.schemaregistry.v1+json");
        let agent = self.agent(ANSWER_WITHIN)?;
        let answer = match body {
            Some(body) => agent.run(request.body(body)?),
            None => agent.run(request.body(())?),
        };
        let mut answer = answer.with_context(|| format!("{method} {path}"))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().with_context(|| format!("{method} {path}"))?;
        ensure!(status.is_success(), "{method} {path}: status {}: {text}", status.as_u16());
        serde_json::from_str(&text).with_context(|| format!("{method} {path}: expected JSON, not {text}"))
    }

    fn agent(&self, within: Duration) -> Result<ureq::Agent> {
        let config = ureq::Agent::config_builder().timeout_global(Some(within)).http_status_as_error(false);
        let Some((_, authority)) = &self.tls else { return Ok(config.build().into()) };
        let authority = Certificate::from_pem(&fs::read(authority)?)?;
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::new_with_certs(&[authority]));
        Ok(config.tls_config(tls.build()).build().into())
    }

    /// What the process printed.
    pub fn log(&self) -> PathBuf {
        self.folder.join("registry.log")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if self.running.is_some() {
            let _ = self.stop();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A subject as a part of a path: everything but letters, digits, `-`, `_` and `.` is written as `%XX`.
fn encoded(subject: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    subject.bytes().map(|byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
