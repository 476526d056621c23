//! Programs in Go that tests need: modules whose files fix every version, built once, in a cache outside the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::cache;
use super::tool::command;

/// The folder with the programs of the module in `folder`, a path in the repository; `flags` are more flags of `go build`.
pub fn programs(folder: &Path, flags: &[&str]) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let [listed, sums] = ["go.mod", "go.sum"].map(|file| fs::read(source.join(file)).unwrap_or_default());
    let name = folder.strip_prefix("tests").unwrap_or(folder).to_string_lossy().replace("/tools", "").replace('/', "-");
    cache::folder(&name, &[listed, sums].concat(), "bin", |folder| {
        check()?;
        fs::create_dir(folder)?;
        let mut go = command("go");
        go.args(["build", "-trimpath", "-buildvcs=false"]).args(flags).arg("-o").arg(folder).arg("tool");
        go.current_dir(&source).env("CGO_ENABLED", "0").run().map(drop)
    })
}

/// # Errors
/// There is no Go, or one that is too old.
pub fn check() -> Result<()> {
    const INSTALL: &str = "these tests need Go 1.26 or newer: see https://go.dev/dl";
    // In the folder of a module, since an older Go fetches there the one that the module wants.
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/monitoring/tools");
    let version = command("go").args(["env", "GOVERSION"]).current_dir(&module).run().context(INSTALL)?;
    let minor = version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    ensure!(minor.is_some_and(|minor| minor >= 26), "{INSTALL}; found {}", version.trim());
    Ok(())
}
