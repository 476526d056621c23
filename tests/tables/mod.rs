//! Tables of READMEs that are made of the code.

use std::fs;
use std::path::Path;

/// Replaces what stands between two markers of a file, or holds it against what should stand there.
pub fn hold(file: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let readme = fs::read_to_string(&path).expect("read the file");
    let (begin, end) = (format!("<!-- {name} -->\n\n"), format!("\n<!-- end of {name} -->"));
    let (before, rest) = readme.split_once(&begin).expect("the table's beginning");
    let (found, after) = rest.split_once(&end).expect("the table's end");
    if std::env::var_os("GOLDEN_REWRITE").is_some() {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).expect("write the file");
        return;
    }
    let differing = table.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert!(found == table, "{file}: {name}: first difference {differing:?}; `make golden` writes it anew");
}
