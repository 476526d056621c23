//! Programs and schemas that the tests of the chart need: Go modules, built once, in a cache outside the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

pub use super::support::tool::{Tool, command};
use super::support::{cache, go};

/// The oldest Kubernetes that the chart supports, as in `kubeVersion`, and the newest that it is tested with.
pub const OLDEST: &str = "1.28";
pub const NEWEST: &str = "1.36";

/// Whose schemas are used: kubectl-validate brings those of the oldest along.
const KUBERNETES: &str = "k8s.io/kubernetes@v1.36.3";
const KEDA: &str = "github.com/kedacore/keda/v2@v2.21.0";
const PROMETHEUS_OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";

pub fn helm<const N: usize>(arguments: [&str; N]) -> Result<Tool> {
    let mut helm = command(program("helm", "helm")?);
    helm.args(arguments);
    Ok(helm)
}

pub fn helm_unittest() -> Result<Tool> {
    Ok(command(program("helm", "helm-unittest")?))
}

pub fn helm_docs() -> Result<Tool> {
    Ok(command(program("helm", "helm-docs")?))
}

/// Validates every file of a folder.
pub fn kubectl_validate(version: &str, objects: &Path) -> Result<Tool> {
    let schemas = schemas()?;
    let mut validate = command(program("kubectl-validate", "kubectl-validate")?);
    validate.arg(objects).arg("--local-crds").arg(schemas.join("crds"));
    if version == NEWEST {
        validate.arg("--local-schemas").arg(schemas.join("kubernetes"));
    } else {
        validate.args(["--version", version]);
    }
    Ok(validate)
}

/// A program of the Go module `tests/chart/tools/<module>`, whose files fix every version.
pub fn program(module: &str, name: &str) -> Result<PathBuf> {
    Ok(programs(module)?.join(name))
}

/// The folder with the programs of a module.
fn programs(module: &str) -> Result<PathBuf> {
    go::programs(&Path::new("tests/chart/tools").join(module), &["-ldflags", &linker_flags(module)])
}

/// An API server without a version is no Kubernetes that Helm knows.
fn linker_flags(module: &str) -> String {
    let version = KUBERNETES.rsplit_once('@').map_or("", |(_, version)| version);
    match module {
        "kubernetes" => format!("-s -w -X k8s.io/component-base/version.gitVersion={version}"),
        _ => "-s -w".to_owned(),
    }
}

/// The schemas of the newest Kubernetes below `kubernetes`, and the operators' kinds below `crds`.
pub fn schemas() -> Result<PathBuf> {
    cache::folder("chart-schemas", [KUBERNETES, KEDA, PROMETHEUS_OPERATOR].concat().as_bytes(), "schemas", |folder| {
        go::check()?;
        let specifications = module(KUBERNETES)?.join("api/openapi-spec/v3");
        for entry in fs::read_dir(specifications)? {
            let path = entry?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            // Of a group's own file, without version, kubectl-validate would stop.
            let Some(name) =
                file.strip_suffix("_openapi.json").filter(|name| *name == "api__v1" || name.matches("__").count() == 2)
            else {
                continue;
            };
            let target = folder.join("kubernetes").join(format!("{}.json", name.replace("__", "/")));
            fs::create_dir_all(target.parent().context("a file has a folder")?)?;
            fs::copy(&path, target)?;
        }
        fs::create_dir_all(folder.join("crds"))?;
        for (source, kinds) in [(KEDA, "config/crd/bases"), (PROMETHEUS_OPERATOR, "example/prometheus-operator-crd")] {
            for entry in fs::read_dir(module(source)?.join(kinds))? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "yaml") {
                    fs::copy(&path, folder.join("crds").join(path.file_name().unwrap_or_default()))?;
                }
            }
        }
        Ok(())
    })
}

/// The source of a Go module.
pub fn module(version: &str) -> Result<PathBuf> {
    let answer = command("go").args(["mod", "download", "-json", version]).run()?;
    let answer: Value = serde_json::from_str(&answer)?;
    Ok(answer["Dir"].as_str().context("go tells no folder")?.into())
}
