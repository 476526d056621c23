//! What the tests run of Java: Apache Kafka and other programs, from Maven Central, in a cache outside the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache;

/// The release that the tests run against; `kafka.version` in `kafka/pom.xml` says the same.
pub const KAFKA_VERSION: &str = "4.3.1";

/// The oldest Java that runs this Kafka and the other programs.
const JAVA_MIN: u32 = 17;

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

/// The folder with Kafka's jars, filled by Maven where it isn't yet.
pub fn libs() -> Result<PathBuf> {
    maven(&format!("kafka-{KAFKA_VERSION}"), &file("pom.xml"), "libs", "copy-dependencies")
}

/// The folder `content` with what a `pom.xml` names, in the cache under `name`.
///
/// `goal` is that of Maven's dependency plugin which fills it: `copy-dependencies` for jars, `unpack` for archives.
pub fn maven(name: &str, pom: &Path, content: &str, goal: &str) -> Result<PathBuf> {
    let key = fs::read(pom).with_context(|| format!("read {}", pom.display()))?;
    cache::folder(name, &key, content, |folder| {
        let maven = Command::new("mvn")
            .args(["-B", "-q", &format!("dependency:{goal}"), "-DincludeScope=runtime", "-f"])
            .arg(pom)
            .arg(format!("-DoutputDirectory={}", folder.display()))
            .output()
            .context("start mvn")?;
        if !maven.status.success() {
            let said = String::from_utf8_lossy(&maven.stdout);
            bail!("mvn could not download {name}:\n{said}");
        }
        Ok(())
    })
}

/// The major version of the `java` on the path; 8 and older print it as `1.8`.
fn java_version() -> Option<u32> {
    let output = Command::new("java").arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, version) = text.split_once("version \"")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
