//! Programs that tests run to their end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A command that tells what it said where it fails.
pub struct Tool(Command);

pub fn command(program: impl AsRef<OsStr>) -> Tool {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    Tool(command)
}

impl Tool {
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Tool {
        self.0.arg(argument);
        self
    }

    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Tool {
        self.0.args(arguments);
        self
    }

    pub fn env(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Tool {
        self.0.env(name, value);
        self
    }

    pub fn current_dir(&mut self, folder: &Path) -> &mut Tool {
        self.0.current_dir(folder);
        self
    }

    /// What it prints.
    pub fn run(&mut self) -> Result<String> {
        let output = self.0.output().with_context(|| format!("start {:?}", self.0.get_program()))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{:?} failed:\n{said}{}", self.0, String::from_utf8_lossy(&output.stderr));
        }
        Ok(said)
    }
}
