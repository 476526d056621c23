//! What `schemas/README.md` says of the readers: its table, and the texts that users paste.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

const BEGIN: &str = "<!-- readers -->\n\n";
const END: &str = "\n<!-- end of readers -->";
const HEADING: &str = "| reader | version | framing | result |\n|---|---|---|---|\n";

/// A line of the table.
pub struct Row {
    pub reader: &'static str,
    pub version: String,
    pub framing: &'static str,
    pub result: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { reader, version, framing, result } = self;
        write!(f, "| {reader} | {version} | {framing} | {result} |")
    }
}

/// Writes the table anew.
pub fn write_table(rows: &[Row]) -> Result<()> {
    let text = read()?;
    let (before, _, after) = parts(&text)?;
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    Ok(fs::write(path(), format!("{before}{BEGIN}{HEADING}{rows}{END}{after}"))?)
}

/// Fails where the table has no such line.
pub fn check_row(row: &Row) -> Result<()> {
    let text = read()?;
    let (_, table, _) = parts(&text)?;
    let is_there = table.lines().any(|line| line == row.to_string());
    ensure!(is_there, "schemas/README.md: the table of readers lacks the line below; `make readers` writes it anew\n{row}");
    Ok(())
}

/// Fails where a text differs from the file that it is taken from, or a link to a reader leads nowhere.
///
/// Such a text is a block of code after the line `<!-- FILE -->`, where FILE is the file's path in the project.
pub fn check_texts() -> Result<()> {
    let readme = read()?;
    let mut texts = 0;
    for (after, _) in readme.match_indices("<!-- tests/readers/") {
        let (file, text) = text(&readme[after..]).context("schemas/README.md: expected a block of code after <!-- FILE -->")?;
        let expected = fs::read_to_string(root().join(file)).with_context(|| format!("read {file}"))?;
        ensure!(text == expected, "schemas/README.md: the text differs from {file}, it should be:\n{expected}");
        texts += 1;
    }
    ensure!(texts > 0, "schemas/README.md: no text of a reader");
    for (at, opening) in readme.match_indices("](../") {
        let (link, _) = readme[at + opening.len()..].split_once(')').context("schemas/README.md: a link without an end")?;
        ensure!(root().join(link).exists(), "schemas/README.md: the link to {link} leads nowhere");
    }
    Ok(())
}

/// The name of the file and the block of code after it.
fn text(readme: &str) -> Option<(&str, &str)> {
    let (file, rest) = readme.strip_prefix("<!-- ")?.split_once(" -->\n```")?;
    let (_language, rest) = rest.split_once('\n')?;
    let end = rest.find("```\n")?;
    Some((file, &rest[..end]))
}

fn parts(readme: &str) -> Result<(&str, &str, &str)> {
    let parts = || {
        let (before, rest) = readme.split_once(BEGIN)?;
        let (table, after) = rest.split_once(END)?;
        Some((before, table, after))
    };
    parts().context("schemas/README.md: no table of readers between its marks")
}

fn read() -> Result<String> {
    fs::read_to_string(path()).context("read schemas/README.md")
}

fn path() -> PathBuf {
    root().join("schemas/README.md")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
