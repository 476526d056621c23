//! Tables, on the screen and in `benches/RESULTS.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

/// The file of results. A section is written anew when what it is of has been measured.
pub struct Report(PathBuf);

impl Report {
    pub fn open() -> Report {
        Report(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md"))
    }

    /// Puts a section in the place of the one with the same heading, or at the end.
    pub fn write(&self, heading: &str, text: &str) -> Result<()> {
        let section = format!("## {heading}\n\n{}\n\n{}\n", conditions(), text.trim_end());
        println!("{section}");
        let old = fs::read_to_string(&self.0)?;
        let mut sections: Vec<String> = old.split("\n## ").map(str::to_owned).collect();
        let new = section.trim_start_matches("## ").trim_end().to_owned();
        match sections.iter_mut().skip(1).find(|old| old.lines().next() == Some(heading)) {
            Some(old) => *old = new,
            None => sections.push(new),
        }
        let sections: Vec<_> = sections.iter().map(|section| section.trim_end()).collect();
        Ok(fs::write(&self.0, sections.join("\n\n## ") + "\n")?)
    }
}

/// Machine, date and commit.
fn conditions() -> String {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (processor, memory) = (file("/proc/cpuinfo"), file("/proc/meminfo"));
    let field = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("", |(_, value)| value.trim()).to_owned()
    };
    let cores = processor.lines().filter(|line| line.starts_with("processor")).count();
    let kib: f64 = field(&memory, "MemTotal").split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
    let git = Command::new("git").args(["describe", "--always", "--dirty=+"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let commit = git.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!(
        "{}, commit {commit}, {cores} cores of {}, {:.0} GiB, broker and contender on the same cores.",
        jiff::Zoned::now().strftime("%Y-%m-%d"),
        field(&processor, "model name"),
        kib / 1024.0 / 1024.0
    )
}

/// Median with the smallest and the largest.
pub fn median(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
    [median, values[0], values[values.len() - 1]]
}

/// A cell with a median and its range.
pub fn cell([median, least, most]: [f64; 3], digits: usize) -> String {
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// A table in Markdown.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}
