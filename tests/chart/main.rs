//! The Helm chart: what it renders is valid, is what the program reads, and says what its README says.
//!
//! Without arguments these are tests like any other. With `install` a real API server takes the chart, upgrades it and rolls it
//! back; with `readme` the chart's README is made anew: `cargo test --test chart -- install`.

mod chart;
mod install;
mod settings;
mod strimzi;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod values;

use std::env;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};

use chart::Chart;
use tools::{NEWEST, OLDEST};

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("install") => return install::run(),
        Some("readme") => return write_readme(),
        _ => {}
    }
    let trials = vec![
        trial("it_lints", it_lints),
        trial("the_oldest_kubernetes_takes_every_case", || kubernetes_takes_every_case(OLDEST)),
        trial("the_newest_kubernetes_takes_every_case", || kubernetes_takes_every_case(NEWEST)),
        trial("a_fault_in_any_kind_of_object_is_found", a_fault_is_found),
        trial("its_unit_tests_pass", its_unit_tests_pass),
        trial("its_readme_is_up_to_date", its_readme_is_up_to_date),
        trial("other_settings_restart_the_pods_and_nothing_else_does", other_settings_restart_the_pods),
        trial("rules_and_dashboards_are_packaged", rules_and_dashboards_are_packaged),
        trial("the_program_reads_the_settings_of_every_case", settings::the_program_reads_every_case),
        trial("every_value_of_the_schema_is_described", values::every_value_is_described),
        trial("the_strimzi_sample_has_every_topic", strimzi::has_every_topic),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &'static str, test: fn() -> Result<()>) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

fn it_lints() -> Result<()> {
    let chart = Chart::of_the_repository();
    tools::helm(["lint", "--strict"])?.arg(chart.folder()).run()?;
    for case in chart.cases()? {
        tools::helm(["lint", "--strict", "--values"])?.arg(&case.values).arg(chart.folder()).run()?;
    }
    Ok(())
}

/// Every object of every case, against the schemas of a version and of the operators' kinds.
fn kubernetes_takes_every_case(version: &str) -> Result<()> {
    let chart = Chart::of_the_repository();
    let rendered = tempfile::tempdir()?;
    for case in chart.cases()? {
        let objects = chart.render(version, &["--values", &case.values.to_string_lossy()])?;
        fs::write(rendered.path().join(format!("{}.yaml", case.name)), objects)?;
    }
    tools::kubectl_validate(version, rendered.path())?.run()?;
    Ok(())
}

/// The validation finds faults, in Kubernetes' own kinds and in those of the operators.
fn a_fault_is_found() -> Result<()> {
    let chart = Chart::of_the_repository();
    for (case, fault, finding) in [
        ("minimal", "resources.requests.cpu={}", "Deployment.apps"),
        ("stateful-set", "resources.limits=many", "StatefulSet.apps"),
        ("keda", "keda.fallback.replicas=many", "ScaledObject.keda.sh"),
        ("pod-monitor", "podMonitor.relabelings[0].sourceLabel=pod", "unknown field"),
    ] {
        let values = Chart::case(case);
        let arguments = ["--skip-schema-validation", "--set", fault, "--values", &values.to_string_lossy()];
        let rendered = tempfile::tempdir()?;
        fs::write(rendered.path().join("objects.yaml"), chart.render(NEWEST, &arguments)?)?;
        let said = tools::kubectl_validate(NEWEST, rendered.path())?.run().err();
        let said = said.with_context(|| format!("{case} with {fault} was taken for valid"))?.to_string();
        ensure!(said.contains(finding), "{case} with {fault}: no {finding} in\n{said}");
    }
    Ok(())
}

fn its_unit_tests_pass() -> Result<()> {
    tools::helm_unittest()?.arg("--strict").arg(Chart::of_the_repository().folder()).run()?;
    Ok(())
}

fn write_readme() -> ExitCode {
    let chart = Chart::of_the_repository();
    let written = tools::helm_docs().and_then(|mut docs| docs.arg("--chart-search-root").arg(chart.folder()).run());
    match written {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn its_readme_is_up_to_date() -> Result<()> {
    let chart = Chart::of_the_repository();
    let made = tools::helm_docs()?.arg("--dry-run").arg("--chart-search-root").arg(chart.folder()).run()?;
    let kept = fs::read_to_string(chart.folder().join("README.md"))?;
    ensure!(kept.trim() == made.trim(), "helm/event-normalizer/README.md is not what its values say: run `make chart-readme`");
    Ok(())
}

/// Pods are replaced when their template changes, which holds a checksum of the settings.
fn other_settings_restart_the_pods() -> Result<()> {
    let (chart, values) = (Chart::of_the_repository(), Chart::case("minimal"));
    let template = |change: &str| -> Result<String> {
        let arguments = ["--show-only=templates/workload.yaml", "--set", change, "--values", &values.to_string_lossy()];
        let workload = chart.render(NEWEST, &arguments)?;
        let (_, template) = workload.split_once("\n  template:").context("the workload has no pods")?;
        Ok(template.to_owned())
    };
    let before = template("replicas=2")?;
    ensure!(template("settings.kafka.group=another")? != before, "other settings leave the pods as they are");
    for change in ["replicas=3", "workloadAnnotations.a=b", "podDisruptionBudget.enabled=false"] {
        ensure!(template(change)? == before, "{change} replaces the pods");
    }
    Ok(())
}

/// Links to `deploy` become files of the package, rules keep their own templates, and tests of rules stay behind.
fn rules_and_dashboards_are_packaged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let chart = Chart::of_the_repository().packaged(folder.path())?;
    let rule = "{alert: Sample, expr: up == 0, annotations: {summary: '{{ $value }} is down'}}";
    fs::write(chart.folder().join("files/prometheus/sample.yaml"), format!("groups: [{{name: sample, rules: [{rule}]}}]"))?;
    fs::write(chart.folder().join("files/prometheus/sample_test.yaml"), "groups: [{name: a-test, rules: [{alert: Test}]}]")?;
    fs::write(chart.folder().join("files/grafana/sample.json"), "{\"title\": \"{{ pod }}\"}\n")?;
    let case = Chart::case("pod-monitor");
    let render = |more: &str| chart.render(NEWEST, &["--values", &case.to_string_lossy(), "--set", more]);
    let objects = render("replicas=2")?;
    for expected in ["summary: '{{ $value }} is down'", "sample.json: |\n    {\"title\": \"{{ pod }}\"}", "name: more"] {
        ensure!(objects.contains(expected), "no {expected} in\n{objects}");
    }
    ensure!(!objects.contains("a-test"), "a test of the rules was taken for rules");
    let without = render("prometheusRule.disabled={Sample}")?;
    ensure!(!without.contains("alert: Sample") && without.contains("name: more"), "a disabled alert stays:\n{without}");
    let readme = fs::read_to_string(chart.folder().join("files/prometheus/README.md"));
    readme.context("files/prometheus is not part of the package").map(drop)
}
