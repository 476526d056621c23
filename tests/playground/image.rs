//! What the image is built of, `.dockerignore`, against the manifest.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::root;

/// Cargo builds nothing where a file is missing that the manifest names, though the image needs none of the tests.
pub fn has_all_that_cargo_wants() -> Result<()> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let ignored = fs::read_to_string(root().join(".dockerignore"))?;
    let mut count = 0;
    for (section, folder) in [("[[test]]", "tests"), ("[[bench]]", "benches")] {
        for target in manifest.split(section).skip(1) {
            let name = target.lines().find_map(|line| line.strip_prefix("name = ")).context("a target has no name")?;
            let name = name.trim_matches('"');
            let files = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/main.rs")];
            let file = files.iter().find(|file| root().join(file).is_file()).with_context(|| format!("{name} has no file"))?;
            let is_let_in = ignored.lines().any(|line| line.strip_prefix('!') == Some(file));
            ensure!(is_let_in, ".dockerignore doesn't let {file} in, which Cargo.toml names: the image can't be built");
            count += 1;
        }
    }
    ensure!(count > 5, "the targets of Cargo.toml were not found");
    Ok(())
}
