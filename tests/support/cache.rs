//! Folders that are filled once and kept outside the repository: jars, programs.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};

use super::lock;

/// One thread downloads at a time: the next may want the same, and Maven doesn't like company.
static DOWNLOAD: Mutex<()> = Mutex::new(());

/// The folder `content` of the place `name` in the cache; `fill` makes it where it isn't there yet.
///
/// `key` is what decides the content, such as a list of versions: another key is another place. What `fill` makes
/// stands in a temporary folder that is renamed when it is complete: a broken download is never used, and of several
/// test processes that start at once one wins and the others use what it brought.
pub fn folder(name: &str, key: &[u8], content: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let place = root()?.join(format!("event-normalizer/{name}-{:016x}", hash(key)));
    let folder = place.join(content);
    let _turn = lock(&DOWNLOAD);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&place).with_context(|| format!("create {}", place.display()))?;
    let download = tempfile::Builder::new().prefix("download-").tempdir_in(&place)?;
    let complete = download.path().join(content);
    fill(&complete)?;
    if let Err(error) = fs::rename(&complete, &folder) {
        ensure!(folder.is_dir(), "rename {} to {}: {error}", complete.display(), folder.display());
    }
    Ok(folder)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn root() -> Result<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("EVENT_NORMALIZER_TEST_CACHE")
        .or_else(|| named("XDG_CACHE_HOME"))
        .or_else(|| named("HOME").map(|home| home.join(".cache")))
        .context("no folder for what the tests download: set EVENT_NORMALIZER_TEST_CACHE")
}
