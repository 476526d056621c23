//! The list of C libraries that are compiled in, `deploy/bundled.cdx.json`, against their sources.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A library, the crate that brings it, and the file of the crate where its version stands.
const VERSIONS: [(&str, &str, &str); 8] = [
    ("librdkafka", "rdkafka-sys", "librdkafka/src/rdkafka.h"),
    ("cJSON", "rdkafka-sys", "librdkafka/src/cJSON.h"),
    ("lz4", "rdkafka-sys", "librdkafka/src/lz4.h"),
    ("nanopb", "rdkafka-sys", "librdkafka/src/nanopb/pb.h"),
    ("xxHash", "rdkafka-sys", "librdkafka/src/rdxxhash.h"),
    ("mimalloc", "libmimalloc-sys", "c_src/mimalloc/v3/include/mimalloc.h"),
    ("zlib", "libz-sys", "src/zlib/zlib.h"),
    ("zstd", "zstd-sys", "zstd/lib/zstd.h"),
];

/// Crates that are linked to a library of C: those above, and OpenSSL's, which is the system's in the image.
const LINKED: [&str; 5] = ["libmimalloc-sys", "libz-sys", "openssl-sys", "rdkafka-sys", "zstd-sys"];

#[test]
fn every_version_is_that_of_the_source() {
    let listed = listed();
    let crates = crates();
    for (library, name, file) in VERSIONS {
        let source = crates[name].folder.join(file);
        let text = fs::read_to_string(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        assert_eq!(listed.get(library).cloned().flatten(), version(&text), "{library}, which is at {}", source.display());
    }
}

#[test]
fn no_other_library_of_c_is_linked() {
    let linked: BTreeSet<String> = crates().into_iter().filter(|(_, part)| part.is_linked).map(|(name, _)| name).collect();
    assert_eq!(linked, LINKED.map(str::to_owned).into(), "deploy/bundled.cdx.json lists what these crates bring");
}

#[test]
fn every_license_that_librdkafka_brings_along_is_listed() {
    let text = fs::read_to_string(crates()["rdkafka-sys"].folder.join("librdkafka/LICENSES.txt")).unwrap();
    let listed: BTreeSet<String> = listed().into_keys().map(|name| name.to_lowercase()).collect();
    for part in text.lines().filter_map(|line| line.strip_prefix("LICENSE.")) {
        // A generator whose output alone is compiled, and what only Windows needs.
        let is_absent = ["pycrc", "wingetopt"].contains(&part);
        let is_listed = listed.iter().any(|name| name.starts_with(part));
        assert!(is_absent || is_listed, "librdkafka brings {part} along, which deploy/bundled.cdx.json doesn't list");
    }
}

/// The libraries, with their versions where they tell one.
fn listed() -> BTreeMap<String, Option<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/bundled.cdx.json")).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let mut listed = BTreeMap::new();
    let mut waiting: Vec<&Value> = list["components"].as_array().unwrap().iter().collect();
    while let Some(component) = waiting.pop() {
        let version = component["version"].as_str().map(str::to_owned);
        listed.insert(component["name"].as_str().unwrap().to_owned(), version);
        waiting.extend(component["components"].as_array().into_iter().flatten());
    }
    listed
}

/// The version that a header defines: one text, one number, or three.
fn version(header: &str) -> Option<String> {
    let defined: BTreeMap<&str, &str> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(char::is_whitespace))
        .map(|(name, value)| (name, value.split_whitespace().next().unwrap_or_default().trim_matches('"')))
        .collect();
    let ending = |end: &str| defined.iter().find(|(name, _)| name.ends_with(end)).map(|(_, value)| (*value).to_owned());
    if let Some(major) = ending("_VERSION_MAJOR") {
        let last = ending("_VERSION_RELEASE").or_else(|| ending("_VERSION_PATCH"))?;
        return Some(format!("{major}.{}.{last}", ending("_VERSION_MINOR")?));
    }
    let text = ending("_VERSION")?;
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        let number = u32::from_str_radix(hexadecimal, 16).ok()?.to_be_bytes();
        return Some(format!("{}.{}.{}", number[0], number[1], number[2]));
    }
    if let Ok(number) = text.parse::<u32>() {
        return Some(format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100));
    }
    Some(text.trim_start_matches("nanopb-").to_owned())
}

struct Crate {
    folder: PathBuf,
    is_linked: bool,
}

/// What the program itself is built of, without what only tests, build scripts and macros need.
fn crates() -> BTreeMap<String, Crate> {
    let packages = cargo(&["metadata", "--format-version=1", "--filter-platform=x86_64-unknown-linux-gnu"]);
    let packages: Value = serde_json::from_str(&packages).unwrap();
    let tree = cargo(&["tree", "--edges=normal,no-proc-macro", "--prefix=none", "--target=x86_64-unknown-linux-gnu"]);
    let built_in: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let packages = packages["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
            (package["name"].as_str().unwrap().to_owned(), Crate { folder, is_linked: package["links"].is_string() })
        })
        .filter(|(name, _)| built_in.contains(name.as_str()))
        .collect()
}

/// What cargo says of the program as it is in the image.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--no-default-features", "--features=ssl", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
