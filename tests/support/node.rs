//! One KRaft node, broker and controller in one, run from the jars.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::jars;
use super::kafka::{tail, wait_ready};
use super::leash::Leash;

/// All nodes of a cluster are formatted with the same id.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// A node that runs, or that was stopped and can be started again on the same data and ports.
pub struct Node {
    /// Where clients of the tests reach it.
    address: String,
    folder: PathBuf,
    libs: PathBuf,
    /// Of Java, before the class.
    options: Vec<String>,
    running: Option<(Child, Leash)>,
}

impl Node {
    /// Formats the storage of a node with these properties, to which `log.dirs` is added; doesn't start it.
    pub fn new(address: String, properties: Vec<String>) -> Result<Node> {
        Node::with(address, properties, &[], Vec::new())
    }

    /// As `new`, with more arguments for the formatting, where SCRAM users come from, and options for Java.
    pub fn with(address: String, mut properties: Vec<String>, format: &[String], options: Vec<String>) -> Result<Node> {
        let libs = jars::libs()?;
        // Not removed when dropped: a static never is. The leash removes it.
        let folder = tempfile::Builder::new().prefix("event-normalizer-kafka-").tempdir()?.keep();
        properties.push(format!("log.dirs={}", folder.join("data").display()));
        properties.push("metrics.jmx.exclude=.*".to_owned());
        fs::write(folder.join("node.properties"), properties.join("\n"))?;
        let formatted = java(&libs)
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(folder.join("node.properties"))
            .args(format)
            .output()
            .context("start java")?;
        if !formatted.status.success() {
            let said = String::from_utf8_lossy(&formatted.stdout).into_owned() + &String::from_utf8_lossy(&formatted.stderr);
            let _ = fs::remove_dir_all(&folder);
            bail!("format the broker's storage:\n{said}");
        }
        Ok(Node { address, folder, libs, options, running: None })
    }

    /// Starts the process; [`Node::wait_ready`] tells when it answers.
    pub fn launch(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let process = java(&self.libs)
            .args(&self.options)
            .arg("kafka.Kafka")
            .arg(self.folder.join("node.properties"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start java")?;
        let leash = Leash::on_process(process.id(), &self.folder.to_string_lossy());
        self.running = Some((process, leash));
        Ok(())
    }

    /// Stops the process with `stop` (SIGTERM or SIGKILL) and waits for its end.
    pub fn stop(&mut self, stop: Signal) -> Result<()> {
        let (mut process, _leash) = self.running.take().context("the broker is stopped already")?;
        signal::kill(Pid::from_raw(process.id() as i32), stop)?;
        process.wait()?;
        Ok(())
    }

    /// Waits until the node answers with metadata in which every partition has a leader.
    pub fn wait_ready(&mut self) -> Result<()> {
        let log = self.log();
        let Node { address, running, .. } = self;
        let (process, _) = running.as_mut().context("the broker is stopped")?;
        wait_ready(address, || match process.try_wait()? {
            Some(status) => bail!("the broker ended by itself, {status}"),
            None => Ok(()),
        })
        .with_context(|| format!("the broker's log ends with:\n{}", tail(&log, 40)))
    }

    /// The folder with a folder for each partition.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the process printed.
    pub fn log(&self) -> PathBuf {
        self.folder.join("broker.log")
    }
}

/// A node that tests share is never dropped: the leash ends it.
impl Drop for Node {
    fn drop(&mut self) {
        if let Some((mut process, _leash)) = self.running.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs one of Kafka's tools to its end.
pub fn tool(class: &str, arguments: &[String]) -> Result<()> {
    let done = java(&jars::libs()?).arg(class).args(arguments).output().context("start java")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        bail!("{class} {}:\n{said}", arguments.join(" "));
    }
    Ok(())
}

/// A Java that has Kafka's classes.
pub fn java(libs: &Path) -> Command {
    let mut command = Command::new("java");
    command
        .args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto"])
        .arg(format!("-Dlog4j2.configurationFile={}", jars::file("log4j2.properties").display()))
        .arg("-cp")
        .arg(libs.join("*"));
    command
}

/// Ports that nobody listens on.
///
/// They are taken from below the range that systems give to clients (from 32768 on Linux, 49152 elsewhere): a client
/// that dials the port of a stopped broker could otherwise be given that very port, and would talk to itself.
pub fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT]> {
    let mut ports = HashSet::new();
    for _ in 0..1000 {
        let port = fastrand::u16(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            ports.insert(port);
        }
        if let Ok(ports) = ports.iter().copied().collect::<Vec<_>>().try_into() {
            return Ok(ports);
        }
    }
    bail!("no free ports between 20000 and 32000")
}
