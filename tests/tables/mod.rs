//! Parts of files that are made of the code.
#![allow(dead_code)] // Each test binary uses its part of it.

use std::fs;
use std::path::Path;

/// Replaces what stands between two markers of a file, or holds it against what should stand there.
pub fn hold(file: &str, name: &str, table: &str) {
    hold_between(file, &format!("<!-- {name} -->\n\n"), &format!("\n<!-- end of {name} -->"), table);
}

/// As `hold`, where other text marks the beginning and the end.
pub fn hold_between(file: &str, begin: &str, end: &str, part: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).expect("read the file");
    let (before, rest) = text.split_once(begin).expect("the part's beginning");
    let (found, after) = rest.split_once(end).expect("the part's end");
    if std::env::var_os("GOLDEN_REWRITE").is_some() {
        fs::write(&path, format!("{before}{begin}{part}{end}{after}")).expect("write the file");
        return;
    }
    let differing = part.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    let name = begin.trim();
    assert!(found == part, "{file}: {name}: first difference {differing:?}; `make golden` writes it anew");
}
