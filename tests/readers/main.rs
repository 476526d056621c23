//! Readers that others wrote can read the envelopes.

#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};

use support::registry::Registry;

fn main() -> ExitCode {
    let trials = vec![trial("the_registry_keeps_schemas_until_it_is_stopped", registry)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test whose error is shown with its causes.
fn trial(name: &str, test: fn() -> Result<()>) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

fn registry() -> Result<()> {
    let first = r#"{"type":"record","name":"A","fields":[{"name":"a","type":"string"}]}"#;
    let incompatible = r#"{"type":"record","name":"A","fields":[{"name":"a","type":"int"}]}"#;
    let mut registry = Registry::start()?;
    let id = registry.register("topic/a-value", first)?;
    assert_eq!(registry.register("other-value", first)?, id, "one schema has one id");
    assert_eq!(registry.schema(id)?, first);
    let mut subjects = registry.subjects()?;
    subjects.sort();
    assert_eq!(subjects, ["other-value", "topic/a-value"]);

    registry.set_compatibility("topic/a-value", "FULL_TRANSITIVE")?;
    let refusal = registry.register("topic/a-value", incompatible).expect_err("a refusal").to_string();
    assert!(refusal.contains("status 409"), "{refusal}");

    let url = registry.url();
    registry.stop()?;
    assert!(registry.subjects().is_err(), "a stopped registry answers");
    registry.start_again()?;
    assert_eq!(registry.url(), url);
    assert_eq!(registry.subjects()?, Vec::<String>::new(), "its memory is gone");
    Ok(())
}
