//! Effects that a test elsewhere shows already: it must be there, and about the key.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Panics where `file` has no such test, or where neither the test nor a function that it calls sets the key.
pub fn assert_shows(key: &str, file: &str, test: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = read(&root.join(file));
    assert!(text.contains(&format!("#[test]\nfn {test}()")), "{file} has no test {test}");
    let mut functions = functions(&text);
    for helper in fs::read_dir(root.join("tests/support")).expect("the tests' support").flatten() {
        if helper.path().extension().is_some_and(|extension| extension == "rs") {
            for (name, body) in self::functions(&read(&helper.path())) {
                functions.entry(name).or_insert(body);
            }
        }
    }
    let body = &functions[test];
    let called = functions.iter().filter(|(name, _)| calls(body, name)).map(|(_, body)| body);
    let name = key.rsplit('.').next().unwrap_or(key);
    let forms = [format!("\"{name}\":"), format!("[\"{name}\"]")];
    let is_set = [body].into_iter().chain(called).any(|body| forms.iter().any(|form| body.contains(form)));
    assert!(is_set, "neither {test} of {file} nor what it calls sets \"{name}\"");
}

fn read(file: &PathBuf) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()))
}

/// The functions of a file with their bodies. A body ends, as rustfmt has it, with a brace that stands as far in as its `fn`.
fn functions(text: &str) -> BTreeMap<String, String> {
    let mut functions = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        let Some(rest) = code.strip_prefix("pub ").unwrap_or(code).strip_prefix("fn ") else { continue };
        let name = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        functions.insert(name, body.join("\n"));
    }
    functions
}

fn calls(body: &str, name: &str) -> bool {
    let call = format!("{name}(");
    body.match_indices(&call).any(|(at, _)| !body[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}
