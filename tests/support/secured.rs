//! A Kafka with a listener for each way to prove who asks, and with rights: one node, shared by the tests that are about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::certificates::{Authority, Issued};
use super::jars;
use super::kafka::{Kafka, common_properties};
use super::node::{Node, free_ports, tool};
use super::provider::Provider;

/// Who has exactly the rights that the README names, whichever way it is proved.
pub const USER: &str = "normalizer";
/// Looked for in all that is printed.
pub const PASSWORD: &str = "canary-password-7c1f";
pub const CLIENT_SECRET: &str = "canary-client-secret-58e0";

/// The commands of the README's section "Security", in its order: what each gives a right to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    ReadSources,
    WriteOutputs,
    ReadGroup,
    WriteIds,
    Create,
    ReadDeadLetters,
}

impl Right {
    const ALL: [Right; 6] =
        [Right::ReadSources, Right::WriteOutputs, Right::ReadGroup, Right::WriteIds, Right::Create, Right::ReadDeadLetters];
    /// Those of `run`.
    const OF_RUN: [Right; 4] = [Right::ReadSources, Right::WriteOutputs, Right::ReadGroup, Right::WriteIds];
}

/// SCRAM users, each with its rights: all of a run without one, or with one more.
const USERS: &[(&str, Option<Right>, Option<Right>)] = &[
    (USER, None, None),
    ("no-sources", Some(Right::ReadSources), None),
    ("no-outputs", Some(Right::WriteOutputs), None),
    ("no-group", Some(Right::ReadGroup), None),
    ("no-ids", Some(Right::WriteIds), None),
    ("creator", None, Some(Right::Create)),
    ("reader", None, Some(Right::ReadDeadLetters)),
];

/// The node, and all that its clients need.
pub struct Secured {
    /// By a listener where everybody may do everything.
    pub kafka: Kafka,
    pub tls: String,
    pub mutual_tls: String,
    pub sasl: String,
    pub oauth: String,
    pub authority: Authority,
    /// An authority that nobody trusts.
    pub stranger: Authority,
    /// The certificate of [`USER`].
    pub certificate: Issued,
    pub provider: Provider,
    folder: TempDir,
}

impl Secured {
    pub fn shared() -> &'static Secured {
        static SHARED: LazyLock<Result<Secured>> = LazyLock::new(Secured::start);
        match &*SHARED {
            Ok(secured) => secured,
            Err(error) => panic!("{error:#}"),
        }
    }

    fn start() -> Result<Secured> {
        let missing = jars::missing();
        if !missing.is_empty() {
            bail!("these tests need a Kafka with listeners of their own. Install:\n- {}", missing.join("\n  and "));
        }
        let (authority, stranger) = (Authority::new()?, Authority::new()?);
        let (server, certificate) = (authority.issue("broker")?, authority.issue(USER)?);
        let provider = Provider::start(USER, CLIENT_SECRET);
        let folder = tempfile::tempdir()?;
        // Kafka wants the key and its certificate in one file.
        let keystore = folder.path().join("broker.pem");
        fs::write(&keystore, fs::read_to_string(&server.key)? + &fs::read_to_string(&server.certificate)?)?;

        let [open, controller, tls, mutual_tls, sasl, oauth] = free_ports()?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        let named = [("OPEN", open), ("TLS", tls), ("MUTUAL", mutual_tls), ("SASL", sasl), ("OAUTH", oauth)];
        let listeners = named.map(|(name, port)| format!("{name}://{}", at(port))).join(",");
        let mut properties: Vec<String> = vec![
            "process.roles=broker,controller".to_owned(),
            "node.id=1".to_owned(),
            format!("controller.quorum.voters=1@{}", at(controller)),
            "controller.listener.names=CONTROLLER".to_owned(),
            format!("listeners={listeners},CONTROLLER://{}", at(controller)),
            format!("advertised.listeners={listeners}"),
            "inter.broker.listener.name=OPEN".to_owned(),
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,OPEN:PLAINTEXT,TLS:SSL,MUTUAL:SSL,SASL:SASL_SSL,OAUTH:SASL_SSL"
                .to_owned(),
            "ssl.keystore.type=PEM".to_owned(),
            format!("ssl.keystore.location={}", keystore.display()),
            "ssl.truststore.type=PEM".to_owned(),
            format!("ssl.truststore.location={}", authority.certificate().display()),
            "listener.name.mutual.ssl.client.auth=required".to_owned(),
            "listener.name.mutual.ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/".to_owned(),
            "listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
            format!(
                "listener.name.sasl.plain.sasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"
            ),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
            // Who comes without a name: by the open listener, and by TLS without a certificate.
            "super.users=User:ANONYMOUS".to_owned(),
        ];
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            properties.push(format!("listener.name.sasl.{mechanism}.sasl.jaas.config={module}"));
        }
        properties.extend(provider.properties("oauth"));
        properties.extend(common_properties());
        let mut users = Vec::new();
        for (user, ..) in USERS {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                users.push("--add-scram".to_owned());
                users.push(format!("{mechanism}=[name={user},password={PASSWORD}]"));
            }
        }
        let allowed = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}", provider.keys_url());
        let mut node = Node::with(at(open), properties, &users, vec![allowed])?;
        node.launch()?;
        node.wait_ready()?;
        allow(&at(open))?;
        let kafka = Kafka::of_node(at(open), node);
        let (tls, mutual_tls, sasl, oauth) = (at(tls), at(mutual_tls), at(sasl), at(oauth));
        Ok(Secured { kafka, tls, mutual_tls, sasl, oauth, authority, stranger, certificate, provider, folder })
    }

    /// A file with a secret in it, as a mounted Secret has one.
    pub fn secret_file(&self, name: &str, secret: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, format!("{secret}\n")).expect("write a secret");
        file
    }

    /// `kafka.security` of a user with a password.
    pub fn password(&self, mechanism: &str, user: &str) -> Value {
        json!({
            "protocol": "sasl_ssl",
            "sasl": { "mechanism": mechanism, "username": user, "password_file": self.secret_file("password", PASSWORD) },
            "tls": { "ca_file": self.authority.certificate() },
        })
    }

    /// `kafka.security` of a certificate.
    pub fn mutual(&self, certificate: &Path, key: &Path) -> Value {
        let tls = json!({ "ca_file": self.authority.certificate(), "certificate_file": certificate, "key_file": key });
        json!({ "protocol": "ssl", "tls": tls })
    }

    /// `kafka.security` of a client of the provider.
    pub fn token(&self, secret: &str) -> Value {
        json!({
            "protocol": "sasl_ssl",
            "sasl": {
                "mechanism": "OAUTHBEARER",
                "oauth": {
                    "token_url": self.provider.token_url(),
                    "client_id": USER,
                    "client_secret_file": self.secret_file(&format!("secret-{}", secret.len()), secret),
                    "scope": "events",
                },
            },
            "tls": { "ca_file": self.authority.certificate() },
        })
    }
}

/// Runs the README's commands, for those who shall have each right.
fn allow(brokers: &str) -> Result<()> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))?;
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("kafka-acls.sh ")).collect();
    if commands.len() != Right::ALL.len() {
        bail!("the README has {} commands that give rights, and the tests know {}", commands.len(), Right::ALL.len());
    }
    let mut calls = Vec::new();
    for (right, command) in Right::ALL.iter().zip(commands) {
        let has = |without: &Option<Right>, more: &Option<Right>| {
            *more == Some(*right) || (Right::OF_RUN.contains(right) && *without != Some(*right))
        };
        let users = USERS.iter().filter(|(_, without, more)| has(without, more)).map(|(user, ..)| *user);
        calls.push(call(brokers, command, users));
    }
    // Who may not use them may see them: else it would seem that they are not there.
    for (kind, name, user) in
        [("--topic", "raw.", "no-sources"), ("--topic", "events.", "no-outputs"), ("--group", "event-normalizer", "no-group")]
    {
        let command = format!("--add --operation Describe {kind} {name} --resource-pattern-type prefixed");
        calls.push(call(brokers, &command, [user].into_iter()));
    }
    // Each is a Java of its own.
    thread::scope(|threads| {
        let calls: Vec<_> =
            calls.iter().map(|call| threads.spawn(move || tool("org.apache.kafka.tools.AclCommand", call))).collect();
        calls.into_iter().try_for_each(|call| call.join().expect("a call"))
    })
}

/// A command of the README for these brokers and users.
fn call(brokers: &str, command: &str, users: impl Iterator<Item = &'static str>) -> Vec<String> {
    let mut arguments = vec!["--bootstrap-server".to_owned(), brokers.to_owned()];
    let mut words = command.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--bootstrap-server" | "--allow-principal" => {
                words.next();
            }
            _ => arguments.push(word.to_owned()),
        }
    }
    for user in users {
        arguments.extend(["--allow-principal".to_owned(), format!("User:{user}")]);
    }
    arguments
}
