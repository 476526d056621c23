//! The load: what `bodies.sh` prints, and what the program makes of it.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use event_normalizer::settings::{Settings, Source};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::folder;
use super::support::normalizer::program;

/// How far a body's time may be from now: far less than zones differ.
const TIME_IS_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// The script that prints a vendor's raw records without end. Dropping it ends it.
pub struct Bodies(Child);

impl Bodies {
    pub fn start(vendor: &str, rounds_a_second: u32) -> Result<(Bodies, BufReader<ChildStdout>)> {
        let mut script = Command::new("sh");
        script.arg(folder().join("bodies.sh")).args([vendor, &rounds_a_second.to_string()]);
        let mut script = script.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("start sh")?;
        let printed = script.stdout.take().context("the script prints into a pipe")?;
        Ok((Bodies(script), BufReader::new(printed)))
    }
}

/// It needs no leash: where its reader is gone, its next line fails, and so does the script.
impl Drop for Bodies {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line of the script.
pub fn key_and_body(line: &str) -> Result<(&str, &str)> {
    line.split_once('\t').context("a line of the load is no key, tab and body")
}

fn settings() -> Result<Settings> {
    Settings::read(Some(&folder().join("event-normalizer.yaml")))
}

/// Of every source, each body's items become events, but for some that become dead letters; their times are now, and no two rounds
/// make the same event.
pub fn become_events() -> Result<()> {
    let (mut streams, mut dead_letters) = (HashSet::new(), 0);
    for source in settings()?.sources {
        let vendor = source.vendor.clone();
        let items = translated(&source).context(vendor.clone())?;
        let mut ids = HashSet::new();
        for item in &items {
            let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
            if item.get("dead_letter").is_some() {
                dead_letters += 1;
                continue;
            }
            let id = text("/event_id").with_context(|| format!("{vendor}: expected an event, not {item}"))?;
            ensure!(ids.insert(id), "{vendor}: an event comes twice: {item}");
            ensure!(text("/attributes/hint_conflict").is_none(), "{vendor}: a body contradicts its source: {item}");
            if let Some(occurred_at) = text("/occurred_at") {
                let distance = Timestamp::now().duration_since(occurred_at.parse()?).abs();
                ensure!(distance < TIME_IS_WITHIN, "{vendor}: an event is not of now: {item}");
            }
            streams.extend(text("/channel").map(str::to_owned));
        }
        ensure!(ids.len() > items.len() / 2, "{vendor}: too little becomes events: {items:?}");
    }
    ensure!(streams.len() >= 4, "the load goes to few streams: {streams:?}");
    ensure!(dead_letters > 0, "the load has no dead letters");
    Ok(())
}

/// What the program says of two rounds of a source's bodies: an object for each item.
fn translated(source: &Source) -> Result<Vec<Value>> {
    const ROUNDS: u32 = 2;
    let file: PathBuf = folder().join("bodies").join(format!("{}.tsv", source.vendor));
    let count = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?.lines().count();
    let (_script, printed) = Bodies::start(&source.vendor, ROUNDS)?;
    let mut bodies = String::new();
    for line in printed.lines().take(count * ROUNDS as usize) {
        bodies.push_str(key_and_body(&line?)?.1);
        bodies.push('\n');
    }
    let mut translate = Command::new(program());
    translate.args(["translate", "--lines", "--vendor", &source.vendor]);
    for (flag, value) in [("--channel", &source.channel), ("--zone", &source.zone), ("--region", &source.region)] {
        if let Some(value) = value {
            translate.args([flag, value]);
        }
    }
    let mut translate = translate.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start the program")?;
    // All of it fits into the pipe, so that nobody waits for the other.
    translate.stdin.take().context("a pipe")?.write_all(bodies.as_bytes())?;
    let said = translate.wait_with_output()?.stdout;
    String::from_utf8(said)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
