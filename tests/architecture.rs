//! Dependencies point inward: what the crate's docs say of its layers is held against the source.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

use std::fs;
use std::path::{Path, PathBuf};

const CORE: [&str; 5] = ["event", "envelope", "reject", "avro", "vendors"];
/// Modules of the shell that the core must not name.
const SHELL: [&str; 10] =
    ["settings", "breaker", "metrics", "status", "kafka", "admin", "logs", "commands", "exit", "registry"];
/// What a pure core has no use for: input and output, clocks, logs, other processes, the environment.
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time",
    "tracing::",
    "Timestamp::now",
    "Zoned::now",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file, as its path below `src` and its text without tests and comments.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                let name = path.strip_prefix(source()).unwrap().to_string_lossy().into_owned();
                files.push((name, code.join("\n")));
            }
        }
    }
    assert!(files.len() > 20, "the sources were not found");
    files
}

fn module(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

#[test]
fn the_core_does_not_name_the_shell() {
    for (file, code) in files().iter().filter(|(file, _)| CORE.contains(&module(file))) {
        for shell in SHELL {
            assert!(!code.contains(&format!("crate::{shell}")), "{file} names {shell}");
        }
    }
}

#[test]
fn the_core_does_no_input_or_output_and_reads_no_clock() {
    for (file, code) in files().iter().filter(|(file, _)| CORE.contains(&module(file))) {
        for impure in IMPURE {
            assert!(!code.contains(impure), "{file} uses {impure}");
        }
    }
}

#[test]
fn a_vendor_knows_no_other_vendor() {
    let vendors = ["infobip", "mobtexting", "altcraft"];
    for (file, code) in files() {
        for own in vendors.iter().filter(|own| file.starts_with(&format!("vendors/{own}/"))) {
            for other in vendors.iter().filter(|other| *other != own) {
                assert!(!code.contains(&format!("{other}::")), "{file} names {other}");
            }
        }
    }
}

#[test]
fn only_kafka_names_rdkafka_and_only_avro_names_apache_avro() {
    for (file, code) in files() {
        assert!(!code.contains("rdkafka") || module(&file) == "kafka", "{file} names rdkafka");
        let may_name_avro = matches!(module(&file), "avro" | "registry");
        assert!(!code.contains("apache_avro") || may_name_avro, "{file} names apache-avro");
    }
}

#[test]
fn unsafe_code_stands_only_in_the_commit_call() {
    for (file, code) in files() {
        let has_unsafe = code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl");
        assert!(!has_unsafe || file == "kafka/transaction.rs", "{file} has unsafe code");
    }
}

#[test]
fn no_file_is_two_things() {
    for (file, code) in files() {
        let lines = code.lines().count();
        assert!(lines <= 600, "{file} has {lines} lines of code");
    }
}
