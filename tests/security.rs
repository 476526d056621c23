//! The program among brokers that want to know who asks, and give few rights: each way to prove it end to end, each fault
//! with its own words and exit code, and nothing secret or personal in anything that is printed.

mod support;

use std::fs;
use std::process::Output;
use std::thread;
use std::time::Duration;

use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::{Value, json};

use support::bodies::{MobtextingReport, Moment};
use support::load::own_text;
use support::normalizer::Normalizer;
use support::progress::Progress;
use support::reader::{Record, read_committed};
use support::scenario::{PATIENCE, SHUTDOWN_WITHIN};
use support::secured::{CLIENT_SECRET, PASSWORD, Secured, USER};
use support::wait::eventually;

const EXIT_WITHIN: Duration = Duration::from_secs(60);
const RECORDS: usize = 60;
/// A number as it stands in every body, and the rest of it, which also stands in every form that it is given.
const NUMBER: &str = "919876500417";
/// Every tenth body can't be read.
const BAD_EACH: usize = 10;

/// A test's own raw topic and outputs. The names begin as the README's commands have it.
struct Case {
    name: String,
    secured: &'static Secured,
}

impl Case {
    /// With the topics there.
    fn new(name: &str) -> Case {
        let case = Case::without_outputs(name);
        for topic in case.outputs() {
            case.secured.kafka.create_topic(&topic, 1, &[]);
        }
        case
    }

    fn without_outputs(name: &str) -> Case {
        let secured = Secured::shared();
        let case = Case { name: format!("{name}-{:04x}", fastrand::u16(..)), secured };
        secured.kafka.create_topic(&case.raw(), 2, &[]);
        case
    }

    fn raw(&self) -> String {
        format!("raw.{}", self.name)
    }

    fn output(&self, stream: &str) -> String {
        format!("events.{}.{stream}", self.name)
    }

    fn dead_letters(&self) -> String {
        self.output("dead-letters")
    }

    /// All topics that events of the vendor can go to, as the program has it.
    fn outputs(&self) -> Vec<String> {
        let settings = self.settings("unused:1", &json!({}));
        let settings = event_normalizer::settings::Settings::of_yaml(&settings.to_string()).expect("sound settings");
        event_normalizer::kafka::topics::outputs(&settings).collect()
    }

    fn group(&self) -> String {
        format!("event-normalizer.{}", self.name)
    }

    fn settings(&self, brokers: &str, security: &Value) -> Value {
        json!({
            "kafka": {
                "brokers": brokers,
                "group": self.group(),
                "security": security,
                // The client's own lines too.
                "options": { "debug": "security,broker,cgrp,eos" },
            },
            "sources": [{ "topic": self.raw(), "vendor": "mobtexting", "channel": "sms", "zone": "Asia/Kolkata" }],
            "topics": { "template": format!("events.{}.{{stream}}", self.name), "dead_letters": self.dead_letters() },
            "delivery": { "workers": 1 },
            "log": { "level": "trace", "format": "json" },
        })
    }

    /// Writes bodies with own ids from `first` on.
    fn write(&self, first: usize, count: usize) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.secured.kafka.client().create().expect("a producer");
        let raw = self.raw();
        for own in first..first + count {
            let (id, custom) = (format!("m-{own}"), own_text(own as u64));
            let report =
                MobtextingReport { id: &id, mobile: NUMBER, custom: &custom, is_final: true, time: Moment(own as u64) };
            let body = if own % BAD_EACH == 0 { report.with_bad_time() } else { report.json() };
            let record: BaseRecord<'_, str, str> = BaseRecord::to(&raw).key(id.as_str()).payload(body.as_str());
            producer.send(record).map_err(|(error, _)| error).expect("send a body");
        }
        producer.flush(PATIENCE).expect("write the bodies");
    }

    fn until_drained(&self, normalizer: &mut Normalizer) {
        let progress = Progress::new(&self.secured.kafka, &self.group(), vec![(self.raw(), 2)]);
        normalizer
            .until(PATIENCE, "the group's offsets are at the ends of the source", || progress.lag().filter(|lag| *lag == 0));
    }

    fn read(&self, topic: &str) -> Vec<Record> {
        read_committed(&self.secured.kafka, &[(topic.to_owned(), 1)], PATIENCE)
    }

    /// Each body has come out once: as an event, or as a dead letter.
    fn assert_all_came_out(&self, count: usize) {
        let keys = |records: &[Record]| {
            let mut keys: Vec<_> = records.iter().map(|record| record.key.clone().expect("a key")).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.len()
        };
        let (events, letters) = (self.read(&self.output("sms")), self.read(&self.dead_letters()));
        let bad = (0..count).filter(|own| own % BAD_EACH == 0).count();
        assert_eq!((events.len(), keys(&events)), (count - bad, count - bad), "{}: events", self.name);
        assert_eq!((letters.len(), keys(&letters)), (bad, bad), "{}: dead letters", self.name);
        let has_number = |record: &Record| contains(record.value.as_deref().unwrap_or_default(), NUMBER);
        assert!(events.iter().chain(&letters).all(has_number), "{}: the number stands in what came out", self.name);
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn errors(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("error: ")).map(str::to_owned).collect()
}

/// Nothing that is secret, and nothing of a person.
fn assert_discreet(text: &str, what: &str) {
    for canary in [PASSWORD, CLIENT_SECRET, NUMBER, &NUMBER[2..]] {
        assert!(!text.contains(canary), "{canary} stands in {what}");
    }
}

/// `check` finds nothing; bodies go in, and events come out; and nothing of them is told elsewhere.
fn works(name: &str, brokers: &str, security: &Value) {
    let case = Case::new(name);
    case.write(0, RECORDS);
    let mut normalizer = Normalizer::prepare(&case.settings(brokers, security));
    let check = normalizer.command(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{name}: {}", printed(&check));
    assert!(printed(&check).contains("rights: none is missing"), "{name}: {}", printed(&check));
    assert_discreet(&printed(&check), "what check prints");
    normalizer.start_again();
    case.until_drained(&mut normalizer);
    for (what, text) in [
        ("the metrics", normalizer.metrics()),
        ("the status", normalizer.status().to_string()),
        ("the readiness", normalizer.readiness().expect("an answer")),
    ] {
        assert_discreet(&text, what);
    }
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "{name}: exit code");
    let log = normalizer.log();
    assert!(
        log.contains(r#""level":"DEBUG""#) && log.contains("SASL") | log.contains("SSL"),
        "{name}: the log has more than is usual"
    );
    // How every token begins.
    assert!(!log.contains("eyJ"), "{name}: a token stands in the log");
    assert_discreet(&log, "the log");
    case.assert_all_came_out(RECORDS);
}

/// `check` and `run` both end with this exit code, and say these words in one error.
fn fails(name: &str, settings: &Value, exit: i32, words: &[&str]) {
    let mut normalizer = Normalizer::prepare(settings);
    let check = normalizer.command(&["check"]);
    assert_eq!(check.status.code(), Some(exit), "{name}: {}", printed(&check));
    let [error] = &errors(&check)[..] else { panic!("{name}: one error, not {}", printed(&check)) };
    for word in words {
        assert!(error.contains(word), "{name}: {word} is not in {error}");
    }
    assert_discreet(&printed(&check), "what check prints");
    normalizer.start_again();
    assert_eq!(normalizer.wait_exit(EXIT_WITHIN), Some(exit), "{name}: exit code of run");
    let log = normalizer.log();
    for word in words {
        assert!(log.contains(word), "{name}: {word} is not in the log:\n{log}");
    }
    assert_discreet(&log, "the log");
}

/// Runs them at the same time; each waits for brokers more than it works.
fn all_at_once(trials: Vec<Box<dyn FnOnce() + Send>>) {
    thread::scope(|threads| {
        let trials: Vec<_> = trials.into_iter().map(|trial| threads.spawn(trial)).collect();
        let failed = trials.into_iter().filter_map(|trial| trial.join().err()).count();
        assert_eq!(failed, 0, "trials failed, see above");
    });
}

#[test]
fn each_way_to_prove_who_asks_works_end_to_end() {
    let secured = Secured::shared();
    let tls = json!({ "protocol": "ssl", "tls": { "ca_file": secured.authority.certificate() } });
    let mutual = secured.mutual(&secured.certificate.certificate, &secured.certificate.key);
    // In the settings themselves; elsewhere it stands in a file.
    let mut plain = secured.password("PLAIN", USER);
    plain["sasl"] = json!({ "mechanism": "PLAIN", "username": USER, "password": PASSWORD });
    all_at_once(vec![
        Box::new(move || works("tls", &secured.tls, &tls)),
        Box::new(move || works("mutual-tls", &secured.mutual_tls, &mutual)),
        Box::new(move || works("plain", &secured.sasl, &plain)),
        Box::new(move || works("scram-256", &secured.sasl, &secured.password("SCRAM-SHA-256", USER))),
        Box::new(move || works("scram-512", &secured.sasl, &secured.password("SCRAM-SHA-512", USER))),
    ]);
}

#[test]
fn a_token_of_an_identity_provider_works_end_to_end_and_is_renewed() {
    let secured = Secured::shared();
    works("oauth", &secured.oauth, &secured.token(CLIENT_SECRET));
    assert!(secured.provider.forms().iter().all(|form| form == "grant_type=client_credentials&scope=events"));

    // Both clients ask anew when four fifths of the life are over.
    secured.provider.set_lifetime(8);
    let case = Case::new("renewed");
    case.write(0, RECORDS);
    let mut normalizer = Normalizer::start(&case.settings(&secured.oauth, &secured.token(CLIENT_SECRET)));
    case.until_drained(&mut normalizer);
    let granted = secured.provider.granted();
    normalizer.until(PATIENCE, "tokens are renewed", || (secured.provider.granted() >= granted + 2).then_some(()));
    secured.provider.set_lifetime(600);
    case.write(RECORDS, RECORDS);
    case.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    case.assert_all_came_out(2 * RECORDS);
}

#[test]
fn what_is_wrong_between_client_and_brokers_is_told_and_ends_the_start() {
    let secured = Secured::shared();
    let case = Case::new("wrong");
    let settings = |brokers: &str, security: Value| case.settings(brokers, &security);
    let with_ca = |mut security: Value| {
        security["tls"]["ca_file"] = json!(secured.stranger.certificate());
        security
    };
    let wrong_password = |mechanism: &str| {
        let mut security = secured.password(mechanism, USER);
        security["sasl"]["password_file"] = json!(secured.secret_file("wrong", "wrong"));
        security
    };
    let no_certificate = json!({ "protocol": "ssl", "tls": { "ca_file": secured.authority.certificate() } });
    let foreign = secured.stranger.issue("stranger").expect("a certificate");
    let foreign = secured.mutual(&foreign.certificate, &foreign.key);
    let trials: Vec<(&'static str, Value, i32, Vec<&'static str>)> = vec![
        (
            "wrong CA",
            settings(&secured.sasl, with_ca(secured.password("SCRAM-SHA-512", USER))),
            78,
            vec!["certificate", "kafka.security.tls"],
        ),
        ("no certificate", settings(&secured.mutual_tls, no_certificate), 78, vec!["certificate", "kafka.security.tls"]),
        ("a stranger's certificate", settings(&secured.mutual_tls, foreign), 78, vec!["certificate", "kafka.security.tls"]),
        ("PLAIN", settings(&secured.sasl, wrong_password("PLAIN")), 77, vec!["Authentication failed", "kafka.security.sasl"]),
        ("SCRAM", settings(&secured.sasl, wrong_password("SCRAM-SHA-512")), 77, vec!["invalid credentials", "SCRAM-SHA-512"]),
        (
            "wrong mechanism",
            settings(&secured.oauth, secured.password("SCRAM-SHA-256", USER)),
            77,
            vec!["SCRAM-SHA-256", "OAUTHBEARER"],
        ),
        (
            "wrong client secret",
            settings(&secured.oauth, secured.token("wrong")),
            77,
            vec!["identity provider refuses", "invalid_client"],
        ),
    ];
    let trials = trials.into_iter().map(|(name, settings, exit, words)| {
        let trial: Box<dyn FnOnce() + Send> = Box::new(move || fails(name, &settings, exit, &words));
        trial
    });
    all_at_once(trials.collect());
}

#[test]
fn each_missing_right_is_named_by_check_and_by_run() {
    let secured = Secured::shared();
    let of = |user: &str| {
        let case = Case::new(user);
        case.write(0, RECORDS);
        let settings = case.settings(&secured.sasl, &secured.password("SCRAM-SHA-512", user));
        (case, settings)
    };
    let ((sources, of_sources), (group, of_group), (ids, of_ids)) = (of("no-sources"), of("no-group"), of("no-ids"));
    let (outputs, of_outputs) = of("no-outputs");
    let topic_read = format!("the program needs Read on the topic {}", sources.raw());
    let group_read = format!("the program needs Read on the group {}", group.group());
    let id_write = format!("the program needs Write on the transactional id {}", ids.group());
    let at_least_once = {
        let mut settings = of_ids.clone();
        settings["delivery"]["guarantee"] = json!("at-least-once");
        settings
    };
    all_at_once(vec![
        Box::new(move || fails("no-sources", &of_sources, 77, &[&topic_read])),
        Box::new(move || fails("no-group", &of_group, 77, &[&group_read])),
        Box::new(move || {
            fails("no-ids", &of_ids, 77, &[&id_write]);
            // Without transactions it is not needed, and neither is IdempotentWrite.
            let mut normalizer = Normalizer::start(&at_least_once);
            ids.until_drained(&mut normalizer);
            assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
            ids.assert_all_came_out(RECORDS);
        }),
        Box::new(move || {
            let mut normalizer = Normalizer::prepare(&of_outputs);
            let check = normalizer.command(&["check"]);
            assert_eq!(check.status.code(), Some(77), "{}", printed(&check));
            let mut expected: Vec<_> =
                outputs.outputs().iter().map(|topic| format!("the program needs Write on the topic {topic}")).collect();
            expected.sort_unstable();
            assert_eq!(errors(&check), expected);
            normalizer.start_again();
            assert_eq!(normalizer.wait_exit(EXIT_WITHIN), Some(77), "exit code of run");
            let sms = format!("the program needs Write on the topic {}", outputs.output("sms"));
            assert!(normalizer.log().contains(&sms), "{}", normalizer.log());
            assert!(outputs.read(&outputs.output("sms")).is_empty(), "nothing was written");
        }),
    ]);
}

#[test]
fn check_writes_nothing_and_commits_nothing() {
    let secured = Secured::shared();
    let case = Case::new("untouched");
    let settings = case.settings(&secured.sasl, &secured.password("SCRAM-SHA-512", USER));
    let check = Normalizer::prepare(&settings).command(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", printed(&check));
    let outputs: Vec<_> = case.outputs().into_iter().map(|topic| (topic, 1)).collect();
    let ends = support::reader::ends(&secured.kafka, &outputs);
    assert!(ends.is_empty(), "offsets are taken: {ends:?}");
    let progress = Progress::new(&secured.kafka, &case.group(), vec![(case.raw(), 2)]);
    assert_eq!(eventually(PATIENCE, "the group is known", || progress.committed()), 0);
}

#[test]
fn topics_are_created_only_with_the_right_to() {
    let secured = Secured::shared();
    let case = Case::without_outputs("created");
    let with = |user: &str| {
        let mut settings = case.settings(&secured.sasl, &secured.password("SCRAM-SHA-512", user));
        settings["topics"]["create"] = json!(true);
        settings["topics"]["partitions"] = json!(1);
        settings["topics"]["replication"] = json!(1);
        settings
    };
    let mut denied = Normalizer::prepare(&with(USER));
    let check = denied.command(&["check"]);
    assert_eq!(check.status.code(), Some(77), "{}", printed(&check));
    let needed = format!("the program needs Create on the topic {}", case.output("sms"));
    assert!(errors(&check).contains(&needed), "{}", printed(&check));
    denied.start_again();
    assert_eq!(denied.wait_exit(EXIT_WITHIN), Some(77), "exit code of run");
    assert!(denied.log().contains(&needed), "{}", denied.log());

    let mut normalizer = Normalizer::prepare(&with("creator"));
    let check = normalizer.command(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", printed(&check));
    assert!(printed(&check).contains("will be created"), "{}", printed(&check));
    case.write(0, RECORDS);
    normalizer.start_again();
    case.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    case.assert_all_came_out(RECORDS);
}

#[test]
fn dead_letters_are_shown_only_to_those_who_may_read_them() {
    let secured = Secured::shared();
    let case = Case::new("letters");
    case.write(0, RECORDS);
    // As the README's command has it.
    let topic = "events.dead-letters";
    if secured.kafka.topics(topic).is_empty() {
        secured.kafka.create_topic(topic, 1, &[]);
    }
    let with = |user: &str| {
        let mut settings = case.settings(&secured.sasl, &secured.password("SCRAM-SHA-512", user));
        settings["topics"]["dead_letters"] = json!(topic);
        settings
    };
    let mut normalizer = Normalizer::start(&with(USER));
    case.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    for arguments in [&["summary"][..], &["list"], &["retry"], &["replay"]] {
        let denied = normalizer.command(&[&["dead-letters"], arguments].concat());
        assert_eq!(denied.status.code(), Some(77), "{arguments:?}: {}", printed(&denied));
        let [error] = &errors(&denied)[..] else { panic!("{arguments:?}: {}", printed(&denied)) };
        assert!(error.contains("the program needs Read on the topic events.dead-letters"), "{error}");
        assert_discreet(&printed(&denied), "what is printed");
    }
    let reader = Normalizer::prepare(&with("reader"));
    let summary = reader.command(&["dead-letters", "summary"]);
    assert_eq!(summary.status.code(), Some(0), "{}", printed(&summary));
    assert!(printed(&summary).contains("invalid_timestamp"), "{}", printed(&summary));
    for arguments in [&["summary"][..], &["list"], &["retry"]] {
        assert_discreet(&printed(&reader.command(&[&["dead-letters"], arguments].concat())), "what is printed");
    }
}

#[test]
fn files_that_change_are_used_without_a_restart() {
    let secured = Secured::shared();
    let case = Case::new("rotated");
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let put = |name: &str| {
        let issued = if name == USER { secured.certificate.clone() } else { secured.authority.issue(name).expect("issued") };
        fs::copy(&issued.certificate, &certificate).expect("copy a certificate");
        fs::copy(&issued.key, &key).expect("copy a key");
    };
    put(USER);
    let mut normalizer = Normalizer::start(&case.settings(&secured.mutual_tls, &secured.mutual(&certificate, &key)));
    case.write(0, RECORDS);
    case.until_drained(&mut normalizer);

    // Without any right: that it is the new one that is used is seen by what it may not.
    put("nobody");
    eventually(PATIENCE, "the new certificate is used", || {
        normalizer.readiness().filter(|readiness| readiness.contains("authorization failed"))
    });
    assert_eq!(normalizer.ended(), None, "a right that is gone in flight is an outage");
    put(USER);
    case.write(RECORDS, RECORDS);
    case.until_drained(&mut normalizer);
    normalizer.wait_ready();
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    case.assert_all_came_out(2 * RECORDS);
}
