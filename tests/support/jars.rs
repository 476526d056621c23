//! The jars of Apache Kafka, from Maven Central, in a cache outside the repository.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The release that the tests run against; `kafka.version` in `kafka/pom.xml` says the same.
pub const KAFKA_VERSION: &str = "4.3.1";

/// The oldest Java that runs this Kafka.
pub const JAVA_MIN: u32 = 17;

/// The files of this folder that the broker is made of.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/kafka").join(name)
}

/// What has to be installed before the jars can be used, with the commands that do it; empty when all is there.
pub fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    match java_version() {
        Some(version) if version >= JAVA_MIN => {}
        Some(version) => missing.push(format!("Java {JAVA_MIN} or newer, found {version} ({INSTALL_JAVA})")),
        None => missing.push(format!("Java {JAVA_MIN} or newer ({INSTALL_JAVA})")),
    }
    if Command::new("mvn").arg("--version").output().is_err() {
        missing.push(format!("Maven ({INSTALL_MAVEN})"));
    }
    missing
}

const INSTALL_JAVA: &str = "Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17";
const INSTALL_MAVEN: &str = "Debian, Ubuntu: apt-get install maven; macOS: brew install maven";

/// The folder with the jars, filled by Maven where it isn't yet.
///
/// Maven writes into a temporary folder that is renamed when it is complete: a broken download is never used, and of
/// several test processes that start at once one wins and the others use what it brought.
pub fn libs() -> Result<PathBuf> {
    let pom = fs::read(file("pom.xml"))?;
    let parent = cache()?.join(format!("event-normalizer/kafka-{KAFKA_VERSION}-{:016x}", hash(&pom)));
    let libs = parent.join("libs");
    if libs.is_dir() {
        return Ok(libs);
    }
    fs::create_dir_all(&parent).with_context(|| format!("create {}", parent.display()))?;
    let download = tempfile::Builder::new().prefix("download-").tempdir_in(&parent)?;
    let complete = download.path().join("libs");
    let maven = Command::new("mvn")
        .args(["-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime", "-f"])
        .arg(file("pom.xml"))
        .arg(format!("-DoutputDirectory={}", complete.display()))
        .output()
        .context("start mvn")?;
    if !maven.status.success() {
        let said = String::from_utf8_lossy(&maven.stdout);
        bail!("mvn could not download Apache Kafka {KAFKA_VERSION}:\n{said}");
    }
    if let Err(error) = fs::rename(&complete, &libs) {
        ensure!(libs.is_dir(), "rename {} to {}: {error}", complete.display(), libs.display());
    }
    Ok(libs)
}

/// Tells the jars of one `pom.xml` from those of another.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn cache() -> Result<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("EVENT_NORMALIZER_TEST_CACHE")
        .or_else(|| named("XDG_CACHE_HOME"))
        .or_else(|| named("HOME").map(|home| home.join(".cache")))
        .context("no folder for the jars: set EVENT_NORMALIZER_TEST_CACHE")
}

/// The major version of the `java` on the path; 8 and older print it as `1.8`.
fn java_version() -> Option<u32> {
    let output = Command::new("java").arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, version) = text.split_once("version \"")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
