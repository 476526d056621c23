//! Every key of the settings shows its effect from outside: in what the program writes, answers, logs, or asks of others.
//!
//! The keys are those of the code. One without a case fails the run, and so does a case without a key.

mod elsewhere;
#[path = "../keys/mod.rs"]
mod keys;
mod runs;
mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::process::{ExitCode, Output};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

use runs::{BURST, COMMIT_BYTES, COMMIT_RECORDS, INTERVAL, Run, pair, slow, stopped};
use support::certificates::Authority;
use support::fake::{Answer, Fake};
use support::kafka::Kafka;
use support::normalizer::Normalizer;
use support::provider::Provider;
use support::scenario::Scenario;
use support::wait::{eventually, poll};

/// An address where nobody listens.
const NOBODY: &str = "127.0.0.1:1";
const EXIT_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// They wait more than they work.
const TRIALS_AT_ONCE: usize = 8;

/// How the effect of a key is shown.
enum Shown {
    /// By two runs over the same records: what becomes of the one that stands in a raw topic without the key, and with it.
    Fate(&'static str, &'static str, &'static str),
    /// Likewise, by a field of the event.
    Field(&'static str, &'static str, Option<&'static str>, Option<&'static str>),
    /// Likewise, by whatever differs between both runs.
    Runs(fn(&Run, &Run)),
    /// By a test of its own.
    Alone(fn()),
    /// By a test in another file.
    Elsewhere(&'static str, &'static str),
}

use Shown::{Alone, Elsewhere, Fate, Field, Runs};

const DELIVERY: &str = "tests/delivery.rs";
const LETTERS: &str = "tests/dead_letters.rs";
const REGISTRY: &str = "tests/registry/main.rs";
const SECURITY: &str = "tests/security.rs";

const PROOFS: Shown = Elsewhere(SECURITY, "each_way_to_prove_who_asks_works_end_to_end");
const TOKENS: Shown = Elsewhere(SECURITY, "a_token_of_an_identity_provider_works_end_to_end_and_is_renewed");
const STOPS: Shown = Elsewhere(LETTERS, "a_source_that_dead_letters_too_much_is_stopped_and_the_others_go_on");
const COLD_START: Shown = Elsewhere(REGISTRY, "a_cold_start_waits_for_the_registry_unless_the_id_is_known");

const CASES: &[(&str, Shown)] = &[
    ("kafka.brokers", Elsewhere(DELIVERY, "a_batch_that_was_never_taken_is_sent_again")),
    ("kafka.group", Runs(group)),
    ("kafka.transactional_id_prefix", Runs(|bare, told| assert_eq!((bare.is_id_taken, told.is_id_taken), (false, true)))),
    ("kafka.auto_offset_reset", Alone(|| assert!(!slow().has_read_old, "what was there before the start was read"))),
    ("kafka.options", Runs(options)),
    ("kafka.consumer_options", Runs(|bare, told| assert_eq!((&*bare.assignor, &*told.assignor), ("roundrobin", "range")))),
    ("kafka.producer_options", Runs(|bare, told| assert_ne!(partitions(bare), partitions(told)))),
    ("kafka.security.protocol", PROOFS),
    ("kafka.security.sasl.mechanism", PROOFS),
    ("kafka.security.sasl.username", PROOFS),
    ("kafka.security.sasl.password", PROOFS),
    ("kafka.security.sasl.password_file", PROOFS),
    ("kafka.security.sasl.oauth.token_url", TOKENS),
    ("kafka.security.sasl.oauth.client_id", TOKENS),
    ("kafka.security.sasl.oauth.client_secret", Alone(oauth_secret)),
    ("kafka.security.sasl.oauth.client_secret_file", TOKENS),
    ("kafka.security.sasl.oauth.scope", TOKENS),
    ("kafka.security.sasl.oauth.audience", Alone(oauth_audience)),
    ("kafka.security.sasl.oauth.ca_file", Alone(oauth_authority)),
    ("kafka.security.tls.ca_file", PROOFS),
    ("kafka.security.tls.certificate_file", PROOFS),
    ("kafka.security.tls.key_file", PROOFS),
    ("kafka.security.tls.key_password", Alone(key_password)),
    ("kafka.security.tls.key_password_file", Alone(key_password)),
    ("sources[].topic", Fate("topic", "nothing", "sms")),
    ("sources[].vendor", Fate("vendor", "unknown_event", "email")),
    ("sources[].channel", Fate("channel", "ambiguous_channel", "sms")),
    ("sources[].event", Fate("event", "ambiguous_channel", "rcs")),
    ("sources[].format", Fate("format", "ambiguous_channel", "sms")),
    ("sources[].account", Field("account", "/account", None, Some("acme"))),
    ("sources[].zone", Field("zone", "/occurred_at_zone", Some("UTC"), Some("Asia/Kolkata"))),
    ("sources[].region", Field("region", "/contact/address", Some("09876500001"), Some("+919876500001"))),
    ("sources[].hint_headers.channel", Fate("channel-header", "ambiguous_channel", "sms")),
    ("sources[].hint_headers.event", Fate("event-header", "ambiguous_channel", "rcs")),
    ("sources[].hint_headers.format", Fate("format-header", "ambiguous_channel", "sms")),
    ("topics.template", Runs(|_, told| assert_eq!(told.event("event").record.topic, format!("{}.rcs", told.prefix)))),
    ("topics.overrides", Runs(overrides)),
    ("topics.dead_letters", Runs(dead_letters)),
    ("topics.create", Elsewhere(DELIVERY, "missing_topics_are_all_named_with_the_command_that_makes_them")),
    ("topics.partitions", Runs(topic_partitions)),
    ("topics.replication", Alone(replication)),
    ("delivery.guarantee", Elsewhere(DELIVERY, "at_least_once_loses_nothing_and_says_what_it_gives_up")),
    ("delivery.commit_interval_ms", Alone(commit_interval)),
    ("delivery.commit_records", Alone(commit_records)),
    ("delivery.commit_bytes", Alone(commit_bytes)),
    ("delivery.shutdown_timeout_ms", Alone(shutdown_timeout)),
    ("delivery.workers", Runs(workers)),
    ("schema_registry.url", Elsewhere(REGISTRY, "each_subject_strategy_frames_with_the_id_that_the_registry_gave")),
    ("schema_registry.register", Elsewhere(REGISTRY, "each_subject_strategy_frames_with_the_id_that_the_registry_gave")),
    ("schema_registry.subject", Elsewhere(REGISTRY, "each_subject_strategy_frames_with_the_id_that_the_registry_gave")),
    ("schema_registry.username", Alone(registry_password)),
    ("schema_registry.password", Alone(registry_password)),
    ("schema_registry.password_file", Alone(registry_password)),
    ("schema_registry.token", Alone(registry_token)),
    ("schema_registry.token_file", Alone(registry_token)),
    ("schema_registry.ca_file", Alone(registry_authority)),
    ("schema_registry.schema_id", COLD_START),
    ("schema_registry.cache_file", COLD_START),
    ("limits.body_bytes", Fate("long", "sms", "too_large")),
    ("limits.depth", Fate("deep", "sms", "too_deep")),
    ("dead_letters.payload", Runs(letter_payload)),
    ("dead_letters.stop_above.ratio", STOPS),
    ("dead_letters.stop_above.window", STOPS),
    ("envelope.payload", Runs(event_payload)),
    ("envelope.cloud_events", Runs(cloud_events)),
    ("lenient_json", Fate("comma", "sms", "invalid_json")),
    ("admin.address", Alone(admin_address)),
    ("log.level", Runs(log_level)),
    ("log.format", Alone(log_format)),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TRIALS_AT_ONCE);
    let mut trials = vec![Trial::test("every_key_has_one_case", || {
        every_key_has_one_case();
        Ok(())
    })];
    for (key, shown) in CASES {
        trials.push(Trial::test(*key, move || {
            show(key, shown);
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn every_key_has_one_case() {
    let keys: BTreeSet<String> = keys::all().into_iter().map(|key| key.path).collect();
    let mut cases = BTreeSet::new();
    for (key, _) in CASES {
        assert!(keys.contains(*key), "the case {key} is for no key of the settings");
        assert!(cases.insert((*key).to_owned()), "{key} has two cases");
    }
    let missing: Vec<_> = keys.difference(&cases).collect();
    assert!(missing.is_empty(), "without a case in tests/settings/main.rs that shows the effect from outside: {missing:?}");
}

fn show(key: &str, shown: &Shown) {
    match shown {
        Fate(source, bare, told) => {
            assert_eq!((&*pair().bare.fate(source), &*pair().told.fate(source)), (*bare, *told), "without {key}, and with it");
        }
        Field(source, field, bare, told) => {
            let of = |run: &'static Run| run.event(source).envelope.pointer(field).and_then(Value::as_str);
            assert_eq!((of(&pair().bare), of(&pair().told)), (*bare, *told), "{field} without {key}, and with it");
        }
        Runs(differ) => differ(&pair().bare, &pair().told),
        Alone(test) => test(),
        Elsewhere(file, test) => elsewhere::assert_shows(key, file, test),
    }
}

fn group(bare: &Run, told: &Run) {
    for run in [bare, told] {
        assert!(run.committed > 0, "{} has committed nothing", run.prefix);
        assert_eq!(run.status["group"], run.prefix.as_str());
    }
}

fn options(bare: &Run, told: &Run) {
    assert!(bare.clients.iter().all(|client| client.starts_with("event-normalizer-")), "{:?}", bare.clients);
    assert_eq!(told.clients, BTreeSet::from(["told-client".to_owned()]));
}

/// Where the events of many keys went.
fn partitions(run: &Run) -> BTreeMap<Vec<u8>, i32> {
    let events = run.events("many");
    let partitions: BTreeMap<_, _> =
        events.iter().map(|event| (event.record.key.clone().expect("a key"), event.record.partition)).collect();
    assert!(partitions.len() > 20, "{} keys", partitions.len());
    partitions
}

fn overrides(bare: &Run, told: &Run) {
    assert_eq!(bare.event("account").record.topic, format!("{}.sms", bare.prefix));
    assert_eq!(told.event("account").record.topic, format!("{}.texts", told.prefix));
}

fn dead_letters(bare: &Run, told: &Run) {
    for run in [bare, told] {
        assert!(run.letter("bad").is_some(), "{}.lost has no dead letter", run.prefix);
    }
}

fn topic_partitions(bare: &Run, told: &Run) {
    let of = |run: &Run| run.topics[&format!("{}.rcs", run.prefix)];
    assert_eq!((of(bare), of(told)), (6, 2));
}

/// More replicas than any cluster has brokers.
fn replication() {
    let corner = Scenario::on(Kafka::shared(), "replicas", 1, 0);
    let topic = format!("{}.raw", corner.prefix);
    corner.kafka.create_topic(&topic, 1, &[]);
    let mut settings = runs::settings(&corner, "replicas", &json!([{ "topic": topic, "vendor": "altcraft" }]));
    // What was created a moment ago is not known at once.
    eventually(ANSWER_WITHIN, "the topic is there", || (!corner.kafka.topics(&topic).is_empty()).then_some(()));
    let few = Normalizer::prepare(&settings).command(&["check"]);
    assert_eq!(few.status.code(), Some(0), "{}", said(&few));
    settings["topics"]["replication"] = json!(1_000);
    let many = Normalizer::prepare(&settings).command(&["check"]);
    assert_eq!(many.status.code(), Some(78), "{}", said(&many));
    assert!(said(&many).to_lowercase().contains("replication"), "{}", said(&many));
}

fn commit_interval() {
    // The clock begins a little after the record was written, when it is read.
    assert!(slow().waited >= INTERVAL, "a record was committed after {:?}", slow().waited);
}

fn commit_records() {
    let expected = (BURST / COMMIT_RECORDS) as f64;
    assert!(slow().transactions >= expected, "{BURST} records were committed in {} transactions", slow().transactions);
}

fn commit_bytes() {
    // A record has more than a hundred bytes.
    let expected = (BURST * 100 / COMMIT_BYTES) as f64;
    assert!(stopped().transactions >= expected, "{BURST} records were committed in {} transactions", stopped().transactions);
}

fn shutdown_timeout() {
    assert_eq!(stopped().exit, Some(1), "exit code");
    assert!(stopped().log.contains("the workers did not stop in time"), "{}", stopped().log);
}

fn workers(bare: &Run, told: &Run) {
    let of = |run: &Run| run.status["workers"].as_array().map_or(0, Vec::len);
    let cores = thread::available_parallelism().expect("the number of cores").get();
    assert_eq!((of(bare), of(told)), (cores, 3));
}

fn letter_payload(bare: &Run, told: &Run) {
    let of = |run: &Run| run.letter("bad").expect("a dead letter").value.clone();
    assert_eq!((of(bare), of(told)), (Some(b"not JSON".to_vec()), None));
}

fn event_payload(bare: &Run, told: &Run) {
    let has = |run: &Run| !run.event("account").envelope["payload"].is_null();
    assert_eq!((has(bare), has(told)), (true, false));
}

fn cloud_events(bare: &Run, told: &Run) {
    let id = |run: &Run| run.event("account").record.header("ce_id").map(str::to_owned);
    assert_eq!(id(bare), None);
    assert_eq!(id(told).as_deref(), told.event("account").envelope["event_id"].as_str());
}

fn log_level(bare: &Run, told: &Run) {
    let tells_info = |run: &Run| run.log.contains("\"started\"");
    assert_eq!((tells_info(bare), tells_info(told)), (true, false));
}

fn log_format() {
    let of = |log: &str| log.lines().map(|line| serde_json::from_str::<Value>(line).is_ok()).collect::<BTreeSet<_>>();
    assert_eq!((of(&pair().bare.log), of(&stopped().log)), (BTreeSet::from([true]), BTreeSet::from([false])));
}

/// One that is taken already: the file's would not be.
fn admin_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    let mut normalizer = Normalizer::prepare(&small(&json!({})));
    normalizer.set_variable("NORMALIZER__ADMIN__ADDRESS", &address);
    normalizer.start_again();
    assert_eq!(normalizer.wait_exit(EXIT_WITHIN), Some(78), "exit code");
    let expected = format!("admin.address: can't listen on {address}");
    assert!(normalizer.log().contains(&expected), "{}", normalizer.log());
}

/// Settings of a program that will not find its brokers.
fn small(kafka: &Value) -> Value {
    let mut settings = json!({ "kafka": kafka, "sources": [{ "topic": "raw.altcraft", "vendor": "altcraft" }] });
    settings["kafka"]["brokers"] = json!(NOBODY);
    settings
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].iter().map(|bytes| String::from_utf8_lossy(bytes)).collect()
}

/// What `check` says with a client of an identity provider.
fn check_with_token(token_url: &str, more: &Value) -> String {
    let mut oauth = json!({ "token_url": token_url, "client_id": "me", "client_secret": "canary" });
    oauth.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
    let sasl = json!({ "mechanism": "OAUTHBEARER", "oauth": oauth });
    let settings = small(&json!({ "security": { "protocol": "sasl_plaintext", "sasl": sasl } }));
    said(&Normalizer::prepare(&settings).command(&["check"]))
}

/// Repeats a command until it says this: where the machine is busy, an answer may come too late for it.
fn until_it_says(words: &str, command: impl Fn() -> String) -> String {
    let mut said = String::new();
    let heard = poll(EXIT_WITHIN, || {
        said = command();
        said.contains(words).then_some(())
    });
    assert!(heard.is_some(), "{words:?} was expected, not {said}");
    said
}

fn oauth_secret() {
    let provider = Provider::start("me", "canary");
    let url = provider.token_url();
    until_it_says("invalid_client", || check_with_token(&url, &json!({ "client_secret": "wrong" })));
    assert_eq!(provider.granted(), 0);
    eventually(EXIT_WITHIN, "a token is granted", || {
        check_with_token(&url, &json!({}));
        (provider.granted() > 0).then_some(())
    });
}

fn oauth_audience() {
    let provider = Provider::start("me", "other");
    let asks = |more: &Value| {
        until_it_says("invalid_client", || check_with_token(&provider.token_url(), more));
        provider.forms().pop().expect("a form")
    };
    assert_eq!(asks(&json!({})), "grant_type=client_credentials");
    assert_eq!(asks(&json!({ "audience": "kafka" })), "grant_type=client_credentials&audience=kafka");
}

fn oauth_authority() {
    let authority = Authority::new().expect("an authority");
    let url = servers::with_tls(&authority);
    until_it_says("HTTP 401", || check_with_token(&url, &json!({ "ca_file": authority.certificate() })));
    let distrusting = until_it_says("certificate", || check_with_token(&url, &json!({})));
    assert!(!distrusting.contains("HTTP 401"), "{distrusting}");
}

/// A key behind a password: with the password there is a client, which then finds no broker; without it there is none.
fn key_password() {
    let authority = Authority::new().expect("an authority");
    let issued = authority.issue("normalizer").expect("a certificate");
    let key = servers::locked(&issued.key, "canary");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "canary\n").expect("write a secret");
    let check = |more: &Value| {
        let mut tls = json!({ "certificate_file": issued.certificate, "key_file": key });
        tls.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        let settings = small(&json!({ "security": { "protocol": "ssl", "tls": tls } }));
        said(&Normalizer::prepare(&settings).command(&["check"]))
    };
    for with in [json!({ "key_password": "canary" }), json!({ "key_password_file": file.path() })] {
        let said = check(&with);
        assert!(said.contains("the brokers don't answer"), "{with}: {said}");
    }
    let without = check(&json!({}));
    assert!(without.contains("ssl.key.location"), "{without}");
}

/// What a registry is shown by who asks.
fn authorization(more: Value) -> Option<String> {
    let registry = Fake::start(|_| Answer::Says(401, ""));
    let said = check_schema(&registry.url, more);
    let asked = registry.asked();
    asked.first().unwrap_or_else(|| panic!("the registry was not asked: {said}")).authorization.clone()
}

/// What `schema check` says with a registry.
fn check_schema(url: &str, more: Value) -> String {
    let mut settings = small(&json!({}));
    settings["schema_registry"] = more;
    settings["schema_registry"]["url"] = json!(url);
    said(&Normalizer::prepare(&settings).command(&["schema", "check"]))
}

fn registry_password() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "filed\n").expect("write a secret");
    let basic = |text: &str| Some(format!("Basic {}", BASE64_STANDARD.encode(text)));
    assert_eq!(authorization(json!({})), None);
    assert_eq!(authorization(json!({ "username": "reader", "password": "given" })), basic("reader:given"));
    assert_eq!(authorization(json!({ "username": "reader", "password_file": file.path() })), basic("reader:filed"));
}

fn registry_token() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "filed\n").expect("write a secret");
    assert_eq!(authorization(json!({ "token": "given" })).as_deref(), Some("Bearer given"));
    assert_eq!(authorization(json!({ "token_file": file.path() })).as_deref(), Some("Bearer filed"));
}

fn registry_authority() {
    let authority = Authority::new().expect("an authority");
    let url = servers::with_tls(&authority);
    until_it_says("HTTP 401", || check_schema(&url, json!({ "ca_file": authority.certificate() })));
    let distrusting = until_it_says("certificate", || check_schema(&url, json!({})));
    assert!(!distrusting.contains("HTTP 401"), "{distrusting}");
}
