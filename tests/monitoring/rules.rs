//! The alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use yaml_rust2::{Yaml, YamlLoader};

use super::expressions;
use super::root;
use super::support::go;
use super::support::tool::command;

const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];
/// What every section of the runbooks says.
const RUNBOOK_PARTS: [&str; 3] = ["**What it means.**", "**Look here.**", "**Do this.**"];

/// One alert of one severity.
#[derive(Debug)]
pub struct Alert {
    pub name: String,
    pub expression: String,
    severity: String,
    annotations: BTreeMap<String, String>,
}

pub fn folder() -> PathBuf {
    root().join("deploy/prometheus")
}

/// The files of the folder whose names end so.
fn files(is_test: bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".yaml") && name.ends_with("_test.yaml") == is_test {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "deploy/prometheus has no such files");
    files.sort();
    Ok(files)
}

fn load(path: &Path) -> Result<Yaml> {
    let text = fs::read_to_string(path)?;
    YamlLoader::load_from_str(&text)?.into_iter().next().with_context(|| format!("{} is empty", path.display()))
}

fn list(yaml: &Yaml) -> &[Yaml] {
    yaml.as_vec().map_or(&[], Vec::as_slice)
}

pub fn alerts() -> Result<Vec<Alert>> {
    let mut alerts = Vec::new();
    for file in files(false)? {
        let file = load(&file)?;
        for rule in list(&file["groups"]).iter().flat_map(|group| list(&group["rules"])) {
            let text = |yaml: &Yaml| yaml.as_str().map(str::to_owned);
            let annotations = rule["annotations"].as_hash().into_iter().flatten();
            alerts.push(Alert {
                name: text(&rule["alert"]).context("a rule is no alert")?,
                expression: text(&rule["expr"]).context("an alert has no expression")?,
                severity: text(&rule["labels"]["severity"]).unwrap_or_default(),
                annotations: annotations.filter_map(|(key, value)| Some((text(key)?, text(value)?))).collect(),
            });
        }
    }
    ensure!(alerts.len() > 10, "the alerts were not found");
    Ok(alerts)
}

/// Runs promtool, and gives what it says where it fails.
fn promtool(arguments: &[&str], files: &[PathBuf]) -> Result<()> {
    // Service discovery is most of the program, and of no use here.
    let programs = go::programs(Path::new("tests/monitoring/tools"), &["-tags", "remove_all_sd", "-ldflags", "-s -w"])?;
    command(programs.join("promtool")).args(arguments).args(files).current_dir(&folder()).run().map(drop)
}

pub fn are_valid() -> Result<()> {
    promtool(&["check", "rules", "--lint-fatal"], &files(false)?)
}

pub fn tests_pass() -> Result<()> {
    promtool(&["test", "rules"], &files(true)?)
}

/// For each alert there is data on which it fires, with each of its severities, and data on which it doesn't.
pub fn each_is_tested_both_ways() -> Result<()> {
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for file in files(true)? {
        let file = load(&file)?;
        for test in list(&file["tests"]).iter().flat_map(|test| list(&test["alert_rule_test"])) {
            let name = test["alertname"].as_str().context("a test names its alert")?.to_owned();
            let expected = list(&test["exp_alerts"]);
            if expected.is_empty() {
                silent.insert(name.clone());
            }
            let severities = expected.iter().filter_map(|alert| alert["exp_labels"]["severity"].as_str());
            firing.extend(severities.map(|severity| (name.clone(), severity.to_owned())));
        }
    }
    for alert in alerts()? {
        ensure!(silent.contains(&alert.name), "no test has {} keep silent", alert.name);
        let is_tested = firing.contains(&(alert.name.clone(), alert.severity.clone()));
        ensure!(is_tested, "no test has {} fire with severity {}", alert.name, alert.severity);
    }
    Ok(())
}

/// The tests are not there for show: with a threshold moved, or an alert that always fires, they fail.
pub fn a_wrong_rule_fails() -> Result<()> {
    for (right, wrong) in [("> 0.05", "> 0.5"), ("> 0.05", "> 0.001"), ("> 120", "> -1")] {
        let copy = tempfile::tempdir()?;
        let rules = fs::read_to_string(folder().join("event-normalizer.yaml"))?;
        ensure!(rules.matches(right).count() == 1, "`{right}` stands in the rules more than once or not at all");
        fs::write(copy.path().join("event-normalizer.yaml"), rules.replace(right, wrong))?;
        let test = copy.path().join("event-normalizer_test.yaml");
        fs::copy(folder().join("event-normalizer_test.yaml"), &test)?;
        ensure!(promtool(&["test", "rules"], &[test]).is_err(), "`{wrong}` in place of `{right}` was not found");
    }
    Ok(())
}

/// Each has a severity, its annotations, a dashboard that there is, and a runbook that says what is to be said.
pub fn each_has_its_runbook() -> Result<()> {
    let runbooks = fs::read_to_string(root().join("docs/runbooks.md"))?;
    let sections: BTreeMap<&str, &str> =
        runbooks.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let mut named = BTreeSet::new();
    for alert in alerts()? {
        let Alert { name, severity, annotations, .. } = &alert;
        let is_camel_case = name.starts_with("Normalizer") && name.chars().all(|letter| letter.is_ascii_alphanumeric());
        ensure!(is_camel_case, "{name} is no name as the others");
        ensure!(SEVERITIES.contains(&severity.as_str()), "{name} has the severity {severity:?}");
        for annotation in ["summary", "description", "runbook_url", "dashboard_url"] {
            ensure!(annotations.get(annotation).is_some_and(|text| !text.is_empty()), "{name} has no {annotation}");
        }
        let expected = format!("docs/runbooks.md#{}", name.to_lowercase());
        ensure!(annotations["runbook_url"].ends_with(&expected), "{name}: expected the runbook {expected}");
        let dashboard = annotations["dashboard_url"].rsplit('/').next().unwrap_or_default();
        let is_there = root().join(format!("deploy/grafana/{dashboard}.json")).is_file();
        ensure!(is_there, "{name}: there is no dashboard {dashboard}");
        let section = sections.get(name.as_str()).with_context(|| format!("docs/runbooks.md has no section {name}"))?;
        for part in RUNBOOK_PARTS {
            ensure!(section.contains(part), "docs/runbooks.md: {name} doesn't say {part}");
        }
        named.insert(name.clone());
    }
    let orphans: Vec<_> = sections.keys().filter(|name| !named.contains(**name)).collect();
    ensure!(orphans.is_empty(), "docs/runbooks.md has {orphans:?}, which are no alerts");
    Ok(())
}

pub fn name_known_metrics() -> Result<()> {
    let known = expressions::known()?;
    alerts()?.iter().try_for_each(|alert| expressions::check(&alert.name, &alert.expression, &known))
}
