//! The program as a user calls it, without a broker.

#![allow(clippy::unwrap_used)] // Outside test functions clippy does not see that this is a test.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_event-normalizer"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_clear();
    command
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = program().args(arguments).spawn().expect("the program starts");
    // A program that ends without reading its input is no fault of the test.
    let _ = child.stdin.take().expect("stdin").write_all(input);
    child.wait_with_output().expect("the program ends")
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    for arguments in [&["schema", "print"][..], &["schema", "fingerprint"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program().args(arguments).stdout(writer).output().expect("the program ends");
        assert_eq!((output.status.code(), errors(&output)), (Some(0), String::new()), "{arguments:?}");
    }
}

const REPORT: &str = r#"{"messageId":"m-1","to":"4915112340001","smsCount":1,"price":{"pricePerMessage":0.0100,"currency":"EUR"},
    "status":{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"}}"#;

#[test]
fn translate_prints_one_line_an_item_and_says_by_its_exit_code_whether_all_went_well() {
    let good = run(&["translate", "--vendor", "infobip", "--channel", "sms"], REPORT.as_bytes());
    assert_eq!(good.status.code(), Some(0), "{}", errors(&good));
    let [envelope] = &lines(&good)[..] else { panic!("one line") };
    assert_eq!(envelope["event_type"], "message.status");
    assert_eq!(envelope["contact"]["address"], "+4915112340001");
    assert_eq!(envelope["cost"]["amount"], "0.0100");
    assert!(envelope.get("source").is_none() && envelope.get("received_at").is_none());
    assert!(String::from_utf8_lossy(&good.stdout).contains("0.0100,"), "the payload keeps its digits");

    let batch = format!(r#"{{"results":[{REPORT},{{"status":"x"}},{REPORT}]}}"#);
    let mixed = run(&["translate", "--vendor", "infobip", "--channel", "sms"], batch.as_bytes());
    assert_eq!(mixed.status.code(), Some(1));
    let lines = lines(&mixed);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["dead_letter"]["reason"], "invalid_shape");
    assert_eq!(lines[1]["dead_letter"]["item"], 1);
    assert_eq!(lines[2]["event_type"], "message.status");

    let empty = run(&["translate", "--vendor", "altcraft"], b"[]");
    assert_eq!((empty.status.code(), empty.stdout), (Some(0), b"{\"ignored\":{\"cause\":\"empty_batch\"}}\n".to_vec()));
}

#[test]
fn translate_takes_lines_and_explains() {
    let input = "{\"id\":\"u:1\",\"mobile\":\"919876500001\",\"status\":\"DELIVRD\",\"units\":1}\n\nnot json\n";
    let output = run(&["translate", "--vendor", "mobtexting", "--lines", "--explain"], input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output).len(), 2);
    let errors = errors(&output);
    assert!(errors.contains("SMS status") && errors.contains("invalid_json"), "{errors}");
    assert!(!errors.contains("919876500001"), "an explanation has no number in it");
}

#[test]
fn a_wrong_call_is_2_and_says_what_was_expected() {
    for (arguments, expected) in [
        (&["translate", "--vendor", "nobody"][..], "--vendor: expected one of infobip, mobtexting, altcraft"),
        (&["translate", "--vendor", "infobip", "--channel", "fax"], "--channel: expected a channel slug"),
        (&["translate", "--vendor", "infobip", "--zone", "Mars"], "--zone: expected an IANA time zone"),
        (&["translate", "--vendor", "infobip", "--region", "Mars"], "--region: expected a two-letter region"),
        (&["translate"], "--vendor"),
        (&["dead-letters", "list", "--reason", "bad_mood"], "expected one of invalid_json, invalid_shape"),
        (&["dead-letters", "list", "--vendor", "nobody"], "expected one of infobip, mobtexting, altcraft"),
        (&["dead-letters", "summary", "--since", "yesterday"], "expected a time as 2026-03-03T14:00:00Z"),
        (&["dead-letters", "show", "events.dead-letters"], "expected TOPIC-PARTITION-OFFSET"),
        (&["dead-letters", "replay", "--since", "2h"], "expected a fixed time, since the replay's position is named after it"),
        (&["no-such-command"], "unrecognized subcommand"),
    ] {
        let output = run(arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors(&output).contains(expected), "{arguments:?}: {}", errors(&output));
    }
}

#[test]
fn wrong_settings_are_78_and_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.yaml");
    let path = file.to_str().unwrap();
    for (text, expected) in [
        ("kafka: {brokrs: x}\nsources: []\n", "error: kafka.brokrs is no setting: did you mean brokers?\n"),
        (
            "kafka: {brokers: 'b:1'}\nsources: [{topic: raw, vendor: infobip, zone: Mars}]\n",
            "error: sources[0]: zone: expected",
        ),
        ("kafka: [\n", "error: the settings file"),
    ] {
        fs::write(&file, text).unwrap();
        for command in [&["run"][..], &["check"], &["dead-letters", "summary"], &["dead-letters", "replay"]] {
            let output = run(&[command, &["--settings", path]].concat(), b"");
            assert_eq!(output.status.code(), Some(78), "{text}: {}", errors(&output));
            let errors = errors(&output);
            assert!(errors.starts_with(expected) && errors.lines().count() == 1, "{errors}");
        }
    }
    let output = run(&["run", "--settings", "/no/such/file.yaml"], b"");
    assert_eq!(output.status.code(), Some(78));
    assert!(errors(&output).contains("does not exist"));
}

#[test]
fn the_environment_outranks_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.yaml");
    fs::write(&file, "kafka: {brokers: 'b:1'}\nsources: [{topic: raw, vendor: infobip, channel: sms}]\n").unwrap();
    let check = |variable: &str, value: &str| {
        let mut command = program();
        command.args(["check", "--offline", "--settings", file.to_str().unwrap()]).env(variable, value);
        command.output().unwrap()
    };
    assert_eq!(check("NORMALIZER__DELIVERY__COMMIT_INTERVAL_MS", "50").status.code(), Some(0));
    let refused = check("NORMALIZER__DELIVERY__COMMIT_INTERVAL_MS", "60000");
    assert_eq!(refused.status.code(), Some(78));
    assert!(errors(&refused).contains("delivery.commit_interval_ms"), "{}", errors(&refused));
    let misspelt = check("NORMALIZER__DELIVRY__WORKERS", "1");
    assert!(errors(&misspelt).contains("did you mean delivery?"), "{}", errors(&misspelt));
}

#[test]
fn check_warns_of_sources_that_need_a_hint_or_a_zone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.yaml");
    let text = "kafka: {brokers: 'b:1'}\nsources: [{topic: raw.i, vendor: infobip}, {topic: raw.m, vendor: mobtexting}]\n";
    fs::write(&file, text).unwrap();
    let output = run(&["check", "--offline", "--settings", file.to_str().unwrap()], b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("warning: raw.i: some bodies don't tell their channel"), "{text}");
    assert!(text.contains("warning: raw.m: some times have no zone"), "{text}");
}

#[test]
fn the_catalogue_has_every_row_in_every_form() {
    let rows = |form: &str| String::from_utf8(run(&["catalogue", "--output", form], b"").stdout).unwrap();
    let tsv = rows("tsv");
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let (listed, published) = (sorted(&tsv), sorted(include_str!("catalogue.tsv")));
    assert_eq!(listed.len(), 323);
    let missing: Vec<_> = published.iter().filter(|line| !listed.contains(line)).collect();
    let extra: Vec<_> = listed.iter().filter(|line| !published.contains(line)).collect();
    assert!(missing.is_empty() && extra.is_empty() && listed == published, "missing: {missing:#?}\nextra: {extra:#?}");
    let json: Vec<Value> = serde_json::from_str(&rows("json")).unwrap();
    assert_eq!(json.len() + 1, tsv.lines().count());
    assert_eq!(rows("table").lines().count(), tsv.lines().count());
}

#[test]
fn the_demo_shows_three_vendors_and_one_dead_letter_and_ends() {
    let output = run(&["demo", "--once"], b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", errors(&output));
    for expected in ["raw.infobip", "raw.mobtexting", "raw.altcraft", "events.sms", "events.whatsapp", "events.email"] {
        assert!(text.contains(expected), "{expected} is missing: {text}");
    }
    assert_eq!(text.matches("set aside").count(), 1, "{text}");
    assert!(text.contains("invalid_shape") && text.contains("What to try next"), "{text}");
}
