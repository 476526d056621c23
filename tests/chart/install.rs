//! `install`: a real API server takes the chart, upgrades it and rolls it back.
//!
//! Its pods are fake: they become ready without running. What is real is the validation, Pod Security, rollouts and budgets.

mod cluster;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::chart::Chart;
use super::support::wait::poll;
use cluster::Cluster;

/// The fake nodes' pods become ready at once, so a rollout takes what the scheduler and the controllers take.
const SOON: Duration = Duration::from_secs(60);

type Step = fn(&Cluster) -> Result<()>;

pub fn run() -> ExitCode {
    let steps: [(&str, Step); 6] = [
        ("brokers and sources are all that an installation needs", installs),
        ("other settings restart the pods, and a rollback brings the old ones back", upgrades_and_rolls_back),
        ("a budget lets one pod go", has_a_budget),
        ("a StatefulSet takes over", becomes_a_stateful_set),
        ("a pod that may do more is refused", refuses_privileges),
        ("the API server takes every object of every case", takes_every_case),
    ];
    let result = Cluster::start().and_then(|cluster| {
        for (name, step) in steps {
            let start = Instant::now();
            step(&cluster).with_context(|| format!("FAILED: {name}"))?;
            println!("{name} ({:.1} s)", start.elapsed().as_secs_f32());
        }
        Ok(())
    });
    match result {
        Ok(()) => {
            println!("\n{} passed, 0 failed", steps.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Helm's own `--wait` is content with enough pods that are ready, old or new: see [`settled`].
fn helm(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    cluster.helm(arguments)?.args(["--namespace", "streams", "--wait", "--timeout", "60s"]).run()
}

/// The workload once its rollout is through.
fn settled(cluster: &Cluster, kind: &str) -> Result<Value> {
    let name = format!("{kind}/release-event-normalizer");
    cluster.kubectl(&["rollout", "status", &name, "--namespace", "streams", "--timeout", "90s"])?.run()?;
    workload(cluster, kind)
}

fn with_chart(cluster: &Cluster, order: &str, more: &[&str]) -> Result<String> {
    let (chart, values) = (Chart::of_the_repository(), Chart::case("minimal"));
    let [chart, values] = [chart.folder(), &values].map(|path| path.to_string_lossy().into_owned());
    helm(cluster, &[&[order, "release", &chart, "--values", &values], more].concat())
}

fn installs(cluster: &Cluster) -> Result<()> {
    cluster.create_namespace("streams")?;
    let notes = with_chart(cluster, "install", &[])?;
    ensure!(notes.contains("raw.infobip (infobip)") && notes.contains("helm test release"), "the notes say:\n{notes}");
    let deployment = settled(cluster, "deployment")?;
    ensure!(deployment["status"]["readyReplicas"] == 2, "not two pods are ready: {}", deployment["status"]);
    Ok(())
}

fn upgrades_and_rolls_back(cluster: &Cluster) -> Result<()> {
    let checksum = || -> Result<Value> {
        let deployment = workload(cluster, "deployment")?;
        Ok(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/settings"].clone())
    };
    let first = checksum()?;
    with_chart(cluster, "upgrade", &["--set", "settings.kafka.group=another,replicas=3"])?;
    let second = checksum()?;
    ensure!(first.is_string() && first != second, "the checksums of the settings are {first} and {second}");
    let deployment = settled(cluster, "deployment")?;
    ensure!(deployment["status"]["updatedReplicas"] == 3, "not all pods are new: {}", deployment["status"]);
    helm(cluster, &["rollback", "release", "1"])?;
    ensure!(checksum()? == first, "the rollback left other settings");
    let deployment = settled(cluster, "deployment")?;
    ensure!(deployment["status"]["readyReplicas"] == 2, "not two pods are ready: {}", deployment["status"]);
    Ok(())
}

fn has_a_budget(cluster: &Cluster) -> Result<()> {
    let allowed = poll(SOON, || {
        let budget = cluster.get("poddisruptionbudget", "streams", "release-event-normalizer").ok()?;
        (budget["status"]["disruptionsAllowed"] == 1).then_some(())
    });
    allowed.context("the budget doesn't let one of two pods go")
}

fn becomes_a_stateful_set(cluster: &Cluster) -> Result<()> {
    with_chart(cluster, "upgrade", &["--set", "kind=StatefulSet"])?;
    let set = settled(cluster, "statefulset")?;
    ensure!(set["status"]["readyReplicas"] == 2, "not two pods are ready: {}", set["status"]);
    ensure!(workload(cluster, "deployment").is_err(), "the Deployment is still there");
    helm(cluster, &["uninstall", "release"]).map(drop)
}

/// The namespace is `restricted`: that the chart's pods were let in means something.
fn refuses_privileges(cluster: &Cluster) -> Result<()> {
    cluster.create_namespace("privileged")?;
    let (chart, values) = (Chart::of_the_repository(), Chart::case("minimal"));
    let mut install = cluster.helm(&["install", "release", "--namespace", "privileged"])?;
    install.arg(chart.folder()).arg("--values").arg(values).args(["--set", "securityContext.allowPrivilegeEscalation=true"]);
    install.run()?;
    let refusal = poll(SOON, || {
        let events = cluster.kubectl(&["get", "events", "--namespace", "privileged"]).ok()?.run().ok()?;
        events.contains("violates PodSecurity \"restricted").then_some(())
    });
    refusal.context("the pods were not refused")
}

/// Server-side validation, which knows every field, also of the operators' kinds.
fn takes_every_case(cluster: &Cluster) -> Result<()> {
    let chart = Chart::of_the_repository();
    cluster.create_namespace("messaging")?;
    // What the case `placement` names must be there.
    let name = |name: &str| json!({ "name": name });
    let [priorities, runtimes] = ["scheduling.k8s.io/v1", "node.k8s.io/v1"];
    cluster.apply(&json!({"apiVersion": priorities, "kind": "PriorityClass", "metadata": name("high"), "value": 1000}))?;
    cluster.apply(&json!({"apiVersion": runtimes, "kind": "RuntimeClass", "metadata": name("gvisor"), "handler": "runsc"}))?;
    for case in chart.cases()? {
        let objects = chart.render(super::tools::NEWEST, &["--values", &case.values.to_string_lossy()])?;
        cluster.dry_run(&objects).with_context(|| case.name.clone())?;
    }
    let faulty = chart.render(
        super::tools::NEWEST,
        &[
            "--values",
            &Chart::case("extras").to_string_lossy(),
            "--set",
            "extraVolumes[0].name=a,extraVolumes[0].emptyDirectory.medium=Memory",
        ],
    )?;
    let said = cluster.dry_run(&faulty).err().context("an unknown field was taken")?.to_string();
    ensure!(said.contains("emptyDirectory"), "not the unknown field was refused:\n{said}");
    Ok(())
}

fn workload(cluster: &Cluster, kind: &str) -> Result<Value> {
    cluster.get(kind, "streams", "release-event-normalizer")
}
