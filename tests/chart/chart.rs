//! The chart's folder, its cases, and what it renders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::tools;

/// The operators' APIs, without which half of the chart isn't rendered.
const APIS: [&str; 2] = ["monitoring.coreos.com/v1", "keda.sh/v1alpha1"];

pub struct Chart(PathBuf);

/// A file of values, of `ci`, where each shows one feature, or of `samples`.
pub struct Case {
    pub name: String,
    pub values: PathBuf,
}

impl Chart {
    pub fn of_the_repository() -> Chart {
        Chart(Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/event-normalizer"))
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub fn cases(&self) -> Result<Vec<Case>> {
        let mut cases = Vec::new();
        for entry in fs::read_dir(self.0.join("ci"))?.chain(fs::read_dir(self.0.join("samples"))?) {
            let values = entry?.path();
            let file = values.file_name().unwrap_or_default().to_string_lossy();
            if let Some(name) = file.strip_suffix("-values.yaml") {
                cases.push(Case { name: name.to_owned(), values: values.clone() });
            }
        }
        ensure!(cases.len() > 10, "the chart's cases were not found");
        cases.sort_by(|first, second| first.name.cmp(&second.name));
        Ok(cases)
    }

    /// The values of a case. Cases are no part of a package, so those of the repository serve any chart.
    pub fn case(name: &str) -> PathBuf {
        Chart::of_the_repository().0.join(format!("ci/{name}-values.yaml"))
    }

    /// All objects, as a cluster of this version would get them.
    pub fn render(&self, version: &str, arguments: &[&str]) -> Result<String> {
        let mut helm = tools::helm(["template", "release", "--namespace", "streams", "--kube-version", version])?;
        helm.args(APIS.map(|api| format!("--api-versions={api}"))).args(arguments).arg(&self.0);
        helm.run()
    }

    /// The chart as it is after it was packaged and unpacked.
    pub fn packaged(&self, folder: &Path) -> Result<Chart> {
        tools::helm(["package", "--destination"])?.arg(folder).arg(&self.0).run()?;
        let package = fs::read_dir(folder)?.next().context("helm made no package")??.path();
        tools::command("tar").arg("-xzf").arg(package).arg("-C").arg(folder).run()?;
        Ok(Chart(folder.join("event-normalizer")))
    }
}
