//! A contender's process, and what it takes.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, SysconfVar, sysconf};
use tempfile::TempDir;

use crate::support::leash::Leash;
use crate::support::wait::poll;

const END_WITHIN: Duration = Duration::from_secs(60);

/// A program that runs, with a folder of its own. Dropping it ends it.
pub struct Process {
    child: Child,
    folder: TempDir,
    _leash: Leash,
}

impl Process {
    /// Starts `command`; what it prints goes to a file of its folder.
    pub fn start(mut command: Command, folder: TempDir) -> Result<Process> {
        let log = File::create(folder.path().join("log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().context("start a contender")?;
        let leash = Leash::on_process(child.id(), &folder.path().to_string_lossy());
        Ok(Process { child, folder, _leash: leash })
    }

    /// Fails where the process has ended by itself, with the end of what it printed.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        bail!("a contender ended by itself, {status}:\n{}", crate::support::kafka::tail(&self.folder.path().join("log"), 30));
    }

    /// CPU seconds so far, in user and system.
    pub fn cpu_seconds(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // Behind the name, which may have blanks, the 12th and 13th.
        let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        ticks / per_second as f64
    }

    /// MiB in memory: now, and at most so far.
    pub fn memory_mib(&self) -> (f64, f64) {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let of = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<f64>().ok());
            kib.unwrap_or_default() / 1024.0
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Asks the process to end, and waits for it.
    pub fn end(mut self) -> Result<()> {
        signal::kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)?;
        let status = poll(END_WITHIN, || self.child.try_wait().ok().flatten());
        status.map(|_| ()).context("a contender doesn't end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
