//! The value `settings` is the settings file: what is rendered is what the program reads.
//!
//! That the schema has every key of it is held by `tests/reference.rs`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use yaml_rust2::{Yaml, YamlLoader};

use super::chart::Chart;
use super::tools::{NEWEST, command};

/// The program itself loads the settings file of each case that has one.
pub fn the_program_reads_every_case() -> Result<()> {
    let chart = Chart::of_the_repository();
    let mut count = 0;
    for case in chart.cases()? {
        let objects = chart.render(NEWEST, &["--values", &case.values.to_string_lossy()])?;
        let objects = YamlLoader::load_from_str(&objects)?;
        let config_maps = objects.iter().filter(|object| object["kind"].as_str() == Some("ConfigMap"));
        let Some(file) = config_maps.into_iter().find_map(|object| object["data"]["event-normalizer.yaml"].as_str()) else {
            continue;
        };
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("event-normalizer.yaml");
        fs::write(&path, with_files_below(folder.path(), file)?)?;
        let mut program = command(env!("CARGO_BIN_EXE_event-normalizer"));
        let read = program.args(["check", "--offline", "--settings"]).arg(path).run();
        read.with_context(|| format!("the settings of the case {}", case.name))?;
        count += 1;
    }
    ensure!(count > 5, "the cases' settings were not found");
    Ok(())
}

/// The files that settings name stand elsewhere in the pod; the program wants to see them.
fn with_files_below(folder: &Path, settings: &str) -> Result<String> {
    let mut lines = Vec::new();
    for line in settings.lines() {
        let Some((key, file)) = line.split_once("_file: ") else {
            lines.push(line.to_owned());
            continue;
        };
        let moved = folder.join(file.trim_start_matches('/'));
        fs::create_dir_all(moved.parent().context("a file has a folder")?)?;
        fs::write(&moved, "content")?;
        lines.push(format!("{key}_file: {}", moved.display()));
    }
    Ok(lines.join("\n"))
}

/// A YAML file of one document.
pub fn load(path: &Path) -> Result<Yaml> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    YamlLoader::load_from_str(&text)?.into_iter().next().context("the file is empty")
}
