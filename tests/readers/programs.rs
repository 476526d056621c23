//! Starts the readers' programs: what they need, in the cache; what they print, or why they failed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::support::kafka::tail;
use super::support::leash::Leash;
use super::support::wait::poll;
use super::support::{cache, jars};

/// The oldest Python that has all that the readers stand on.
const PYTHON_MIN: (u32, u32) = (3, 10);

const INSTALL_PYTHON: &str = "Debian, Ubuntu: apt-get install python3 python3-venv python3-pip; macOS: brew install python";

/// The folder of a reader.
pub fn folder(reader: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers").join(reader)
}

/// A text that users paste, from a file below this folder; the tests' own servers and topics stand in place of the examples.
pub fn pasted(file: &str, changes: &[(&str, String)]) -> Result<String> {
    let mut text = fs::read_to_string(folder(file)).with_context(|| format!("read {file}"))?;
    for (example, own) in changes {
        ensure!(text.matches(example).count() == 1, "{file} should say {example} once");
        text = text.replace(example, own);
    }
    Ok(text)
}

/// A Java that has what the reader's `pom.xml` names; options come next, then `Reader.java`.
pub fn java(reader: &str) -> Result<Command> {
    let missing = jars::missing();
    ensure!(missing.is_empty(), "this reader needs {}", missing.join(" and "));
    let libs = libs(reader)?;
    let mut command = Command::new("java");
    command.arg("-cp").arg(libs.join("*")).args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir=."]);
    Ok(command)
}

/// The jars that the reader's `pom.xml` names.
pub fn libs(reader: &str) -> Result<PathBuf> {
    jars::maven(&format!("reader-{reader}"), &folder(reader).join("pom.xml"), "libs", "copy-dependencies")
}

/// A Python that has what the reader's `requirements.txt` names.
pub fn python(reader: &str) -> Result<Command> {
    let requirements = folder(reader).join("requirements.txt");
    let version = python_version()?;
    let key = [fs::read(&requirements)?, version.into_bytes()].concat();
    let venv = cache::folder(&format!("reader-{reader}"), &key, "venv", |venv| {
        run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
        let mut install = Command::new(python_of(venv));
        install.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "-r"]);
        run(install.arg(&requirements))
    })?;
    // The interpreter itself, never a script beside it: those name the folder that the environment was made in.
    let mut command = Command::new(python_of(&venv));
    // Leaves nothing beside what it imports.
    command.arg("-B");
    Ok(command)
}

fn python_of(venv: &Path) -> PathBuf {
    venv.join("bin/python")
}

/// The version of `python3`, where it is new enough and can make environments with pip.
fn python_version() -> Result<String> {
    let (major, minor) = PYTHON_MIN;
    let missing = format!("this reader needs Python {major}.{minor} or newer with venv and pip ({INSTALL_PYTHON})");
    let probe = "import sys, venv, ensurepip; print(sys.version); print(*sys.version_info[:2])";
    let output = Command::new("python3").args(["-c", probe]).output().with_context(|| missing.clone())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{missing}: {}", String::from_utf8_lossy(&output.stderr).trim());
    let numbers = said.lines().last().and_then(|line| line.split_once(' '));
    let found = numbers.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    ensure!(found >= Some(PYTHON_MIN), "{missing}, found {said}");
    Ok(said)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{command:?}: {}\n{stdout}{stderr}", output.status);
    }
    Ok(())
}

/// Runs a reader to its end, in a folder of its own, and gives what it printed; the error has the end of what it said to
/// stderr.
pub fn output(mut command: Command, deadline: Duration) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("event-normalizer-reader-").tempdir()?;
    let (printed, said) = (folder.path().join("stdout"), folder.path().join("stderr"));
    let mut process = command
        .current_dir(folder.path())
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(File::create(&printed)?)
        .stderr(File::create(&said)?)
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let _leash = Leash::on_process(process.id(), &folder.path().to_string_lossy());
    let status = poll(deadline, || process.try_wait().transpose()).transpose()?;
    let Some(status) = status else {
        process.kill()?;
        process.wait()?;
        bail!("the reader hasn't ended within {deadline:?}; it said:\n{}", tail(&said, 40));
    };
    ensure!(status.success(), "the reader failed, {status}; it said:\n{}", tail(&said, 40));
    fs::read_to_string(&printed).context("expected UTF-8")
}
