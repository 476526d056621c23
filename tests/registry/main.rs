//! Values framed with a schema registry's ids: against a real registry and a real Kafka, and against a fake for the faults
//! that a real one can't be made to show.

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use event_normalizer::avro;
use event_normalizer::registry::{self, Client, RegistryError, Standing};
use event_normalizer::settings::{SchemaRegistry, Settings};
use serde_json::{Value, json};

use support::certificates::Authority;
use support::check::{Eye, stream_topic};
use support::fake::{Answer, Fake};
use support::normalizer::Normalizer;
use support::registry::Registry;
use support::scenario::{SHUTDOWN_WITHIN, Scenario};
use support::wait::eventually;

const EXIT_WITHIN: Duration = Duration::from_secs(60);
/// How long the brokers and the group take in a start.
const START_WITHIN: Duration = Duration::from_secs(60);
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";
const FOUND: Answer = Answer::Says(200, r#"{"id": 7}"#);

/// A registry that no test stops. Each uses subjects of its own.
fn shared() -> &'static Registry {
    static SHARED: LazyLock<Registry> = LazyLock::new(|| Registry::start().unwrap_or_else(|error| panic!("{error:#}")));
    &SHARED
}

/// Settings for a registry alone, as a user writes them: one source, and `registry` in YAML's flow style.
fn settings(registry: &str) -> (Settings, SchemaRegistry) {
    let text = format!(
        "kafka: {{brokers: 'localhost:9092'}}\n\
         sources: [{{topic: raw.mobtexting, vendor: mobtexting}}]\n\
         schema_registry: {{{registry}}}"
    );
    let settings = Settings::of_yaml(&text).expect("sound settings");
    let registry = settings.schema_registry.clone().expect("a registry");
    (settings, registry)
}

fn ids(registry: &str) -> Result<registry::Ids, RegistryError> {
    let (settings, registry) = settings(registry);
    registry::ids(&settings, &registry, None)
}

#[test]
fn each_url_is_asked_until_one_answers() {
    let (down, up) = (Fake::start(|_| Answer::Says(503, r#"{"error_code": 50003}"#)), Fake::start(|_| FOUND));
    let ids = ids(&format!("url: '{NOBODY}, {},{}/'", down.url, up.url)).expect("ids");
    assert!(ids.values().all(|id| *id == 7) && ids.contains_key("events.sms-value"), "{ids:?}");
    assert_eq!(down.asked().len(), ids.len());
    let asked = up.asked().swap_remove(0);
    assert!(asked.uri.ends_with("-value?normalize=true") && !asked.uri.contains("versions"), "{asked:?}");
    assert_eq!(asked.content_type.as_deref(), Some("application/vnd.schemaregistry.v1+json"));
    let body: Value = serde_json::from_str(&asked.body).expect("JSON");
    let schema: Value = serde_json::from_str(body["schema"].as_str().expect("text")).expect("JSON");
    let own: Value = serde_json::from_str(avro::SCHEMA_TEXT).expect("JSON");
    assert_eq!(schema, own, "what is asked for is this build's schema");
}

#[test]
fn what_may_pass_is_told_apart_from_what_will_not() {
    let page = Answer::Says(200, "<html>not a registry</html>");
    let unreachable = "the answer is not that of a schema registry; is a path missing in the URL?";
    let too_new = Answer::Says(409, "{\"error_code\": 409, \"message\": \"incompatible:\\n the field x\"}");
    for (answer, expected) in [
        (page, unreachable),
        (Answer::Says(500, "oops"), "HTTP 500"),
        (Answer::Says(429, ""), "HTTP 429"),
        (too_new, "refuses: events.profile-value: HTTP 409, incompatible: the field x"),
        (
            Answer::Says(422, r#"{"error_code": 42201, "message": "no schema"}"#),
            "refuses: events.profile-value: HTTP 422, no schema",
        ),
        (Answer::Says(403, ""), "denies access: HTTP 403"),
        (Answer::Says(404, "not here"), "refuses: events.profile-value: HTTP 404"),
        (
            Answer::Says(404, r#"{"error_code": 40403, "message": "Schema not found"}"#),
            "has not got this build's schema under the subject events.profile-value",
        ),
    ] {
        let fake = Fake::start(move |_| answer);
        let error = ids(&format!("url: '{}', register: false", fake.url)).expect_err("no ids");
        assert!(error.to_string().contains(expected), "{error}");
        let may_pass = matches!(answer, Answer::Says(200 | 429 | 500, _));
        assert_eq!(matches!(error, RegistryError::Unreachable(_)), may_pass, "{error}");
    }
}

#[test]
fn a_registry_that_never_answers_is_given_up() {
    let fake = Fake::start(|_| Answer::Nothing);
    let asked_at = Instant::now();
    let error = ids(&format!("url: '{}'", fake.url)).expect_err("no ids");
    assert!(matches!(error, RegistryError::Unreachable(_)), "{error}");
    assert!(asked_at.elapsed() < Duration::from_secs(10), "{:?}", asked_at.elapsed());
}

#[test]
fn a_token_is_read_anew_and_never_told() {
    let fake = Fake::start(|asked| match asked.authorization.as_deref() {
        Some("Bearer fresh-canary") => FOUND,
        _ => Answer::Says(401, r#"{"error_code": 401, "message": "token expired"}"#),
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "stale-canary\n").expect("write the token");
    let (settings, registry) = settings(&format!("url: '{}', token_file: '{}'", fake.url, file.path().display()));
    let error = registry::ids(&settings, &registry, None).expect_err("no ids");
    assert!(matches!(error, RegistryError::NoPermission(_)), "{error}");
    assert!(error.to_string().ends_with("HTTP 401, token expired"), "{error}");
    fs::write(file.path(), "fresh-canary\n").expect("write the token");
    registry::ids(&settings, &registry, None).expect("ids");
    let told = format!("{settings:?} {registry:?} {error:?}");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_name_and_a_password_are_sent_as_basic() {
    let fake = Fake::start(|_| FOUND);
    ids(&format!("url: '{}', username: reader, password: 'p:w'", fake.url)).expect("ids");
    assert_eq!(fake.asked()[0].authorization.as_deref(), Some("Basic cmVhZGVyOnA6dw=="));
}

#[test]
fn the_cache_serves_only_the_same_schema_and_registry() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ids.json");
    let up = Fake::start(|_| FOUND);
    let cached = |url: &str| ids(&format!("url: '{url}', cache_file: '{}'", file.display()));
    assert!(cached(NOBODY).is_err());
    // It is the URL that tells a registry from another one, so the one that fails later must have the same.
    let urls = format!("{NOBODY},{}", up.url);
    let found = cached(&urls).expect("ids");
    let text = fs::read_to_string(&file).expect("the cache");
    fs::write(&file, text.replace(&urls, NOBODY)).expect("write the cache");
    assert_eq!(cached(NOBODY).expect("ids of the cache"), found);
    assert!(cached(&format!("{NOBODY}/other")).is_err());
    for damage in ["{", "{\"schema_sha256\": \"00\", \"url\": \"http://127.0.0.1:1\", \"ids\": {}}"] {
        fs::write(&file, damage).expect("write the cache");
        assert!(matches!(cached(NOBODY), Err(RegistryError::Unreachable(_))));
    }
}

#[test]
fn settings_that_do_not_fit_together_name_their_cure() {
    for (registry, expected) in [
        ("url: ''", "schema_registry.url: expected a URL such as http://localhost:8081"),
        ("url: 'localhost:8081'", "schema_registry.url: expected URLs that begin with http:// or https://"),
        (
            "url: 'http://me:secret@localhost'",
            "schema_registry.url: expected no name or password in it: use schema_registry.username and password_file",
        ),
        ("url: 'http://a', username: me", "schema_registry.password is missing, or its _file"),
        ("url: 'http://a', username: me, password: x, token: y", "schema_registry: expected a token or a username"),
        ("url: 'http://a', schema_id: 1, register: true", "schema_registry: expected schema_id or register: true, not both"),
        ("url: 'http://a', subject: topic", "schema_registry.subject: expected topic-name or record-name or topic-record-name"),
        ("url: 'http://a', registr: true", "schema_registry.registr is no setting: did you mean register?"),
    ] {
        let text =
            format!("kafka: {{brokers: 'b:1'}}\nsources: [{{topic: raw, vendor: altcraft}}]\nschema_registry: {{{registry}}}");
        let error = Settings::of_yaml(&text).expect_err("an error");
        assert_eq!(format!("{error:#}"), expected);
    }
}

#[test]
fn a_registry_behind_tls_is_trusted_by_its_authority_alone() {
    let authority = Authority::new().expect("an authority");
    let registry = Registry::start_with_tls(&authority).unwrap_or_else(|error| panic!("{error:#}"));
    let url = registry.url();
    assert!(url.starts_with("https://"), "{url}");
    let trusting = format!("url: '{url}', register: true, ca_file: '{}'", authority.certificate().display());
    let found = ids(&trusting).expect("ids");
    assert_eq!(registry.subjects().expect("subjects").len(), found.len());
    let other = Authority::new().expect("another authority");
    let distrusting = format!("url: '{url}', ca_file: '{}'", other.certificate().display());
    for registry in [distrusting, format!("url: '{url}'")] {
        let error = ids(&registry).expect_err("no trust");
        assert!(matches!(error, RegistryError::Unreachable(_)) && error.to_string().contains("certificate"), "{error}");
    }
}

/// Kafka settings of a scenario with a registry.
fn with_registry(scenario: &Scenario, registry: Value) -> Value {
    let mut settings = scenario.settings();
    settings["schema_registry"] = registry;
    settings
}

fn words(output: &std::process::Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn each_subject_strategy_frames_with_the_id_that_the_registry_gave() {
    for strategy in ["topic-name", "record-name", "topic-record-name"] {
        let scenario = Scenario::with_sources("framed", 3);
        let registry = shared();
        let mut feed = scenario.load(2_000);
        feed.send_rest();
        let settings = with_registry(&scenario, json!({"url": registry.url(), "register": true, "subject": strategy}));
        let mut normalizer = Normalizer::start(&settings);
        scenario.until_drained(&mut normalizer);
        assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
        let topic = stream_topic(&scenario.prefix, "sms");
        let subject = match strategy {
            "topic-name" => format!("{topic}-value"),
            "record-name" => avro::RECORD_NAME.to_owned(),
            _ => format!("{topic}-{}", avro::RECORD_NAME),
        };
        let id = registry.register(&subject, avro::SCHEMA_TEXT).expect("the schema is registered");
        assert!(avro::is_same_schema(&registry.schema(id).expect("the schema")));
        scenario.check_with(&feed, &Eye::with_schema_id(&scenario.prefix, id)).assert_exactly_once();
    }
}

#[test]
fn the_schema_is_looked_up_and_only_registered_when_asked() {
    let scenario = Scenario::with_sources("looked-up", 1);
    let registry = shared();
    let settings = with_registry(&scenario, json!({"url": registry.url()}));
    let mut normalizer = Normalizer::start(&settings);
    assert_eq!(normalizer.wait_exit(EXIT_WITHIN), Some(78));
    let log = normalizer.log();
    assert!(log.contains("run `event-normalizer schema register`, or set schema_registry.register"), "{log}");

    let check = normalizer.command(&["schema", "check"]);
    assert_eq!(check.status.code(), Some(0), "{}", words(&check));
    assert!(words(&check).contains(".sms-value: compatible, not registered yet"), "{}", words(&check));
    let check = normalizer.command(&["check"]);
    assert_eq!(check.status.code(), Some(78), "{}", words(&check));
    let register = normalizer.command(&["schema", "register"]);
    assert_eq!(register.status.code(), Some(0), "{}", words(&register));
    let check = normalizer.command(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", words(&check));
    assert!(words(&check).contains("subjects have this build's schema"), "{}", words(&check));
    normalizer.start_again();
    normalizer.wait_ready();
}

#[test]
fn an_incompatible_schema_is_refused_with_the_registrys_words() {
    let scenario = Scenario::with_sources("incompatible", 1);
    let registry = shared();
    let subject = format!("{}-value", stream_topic(&scenario.prefix, "sms"));
    let other = avro::SCHEMA_TEXT.replacen("\"type\": \"string\"", "\"type\": \"long\"", 1);
    registry.register(&subject, &other).expect("another schema");
    registry.set_compatibility(&subject, "FULL_TRANSITIVE").expect("a level");
    let settings = with_registry(&scenario, json!({"url": registry.url(), "register": true}));
    let mut normalizer = Normalizer::start(&settings);
    assert_eq!(normalizer.wait_exit(EXIT_WITHIN), Some(78));
    let log = normalizer.log();
    let reason = log.lines().find(|line| line.contains("the schema registry refuses")).expect("one line");
    assert!(reason.contains(&subject) && reason.contains("HTTP 409"), "{reason}");
    for command in [&["schema", "check"][..], &["check"]] {
        let check = normalizer.command(command);
        assert_eq!(check.status.code(), Some(1), "{}", words(&check));
        assert!(words(&check).contains("incompatible: "), "{}", words(&check));
    }
    let client = settings_of(&settings);
    assert!(matches!(client.standing(&subject), Ok(Standing::Incompatible(_))));
}

fn settings_of(settings: &Value) -> Client {
    let settings = Settings::of_yaml(&settings.to_string()).expect("sound settings");
    Client::new(&settings.schema_registry.expect("a registry")).expect("a client")
}

#[test]
fn a_cold_start_waits_for_the_registry_unless_the_id_is_known() {
    let scenario = Scenario::with_sources("cold", 1);
    let mut registry = Registry::start().unwrap_or_else(|error| panic!("{error:#}"));
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("ids.json");
    let settings = with_registry(&scenario, json!({"url": registry.url(), "register": true, "cache_file": cache}));
    registry.stop().expect("stop the registry");
    // A broker that never had a group takes its time for the first one.
    eventually(START_WITHIN, "the brokers know of groups", || scenario.progress().committed());

    // Nothing is known: it waits, says so, and goes on when the registry is back.
    let mut waiting = Normalizer::start(&settings);
    let reason =
        eventually(START_WITHIN, "the wait is told", || waiting.readiness().filter(|text| text.contains("schema registry")));
    assert!(reason.starts_with("not ready: the schema registry does not answer: http://127.0.0.1:"), "{reason}");
    registry.start_again().expect("start the registry");
    let back_at = Instant::now();
    waiting.wait_ready();
    eprintln!("ready {:?} after the registry's return", back_at.elapsed());
    assert!(back_at.elapsed() < BACK_WITHIN, "{:?}", back_at.elapsed());
    assert_eq!(waiting.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    registry.stop().expect("stop the registry");

    // The ids of the last start are enough, and so is an id in the settings.
    let (started_at, mut cached) = (Instant::now(), waiting);
    cached.start_again();
    cached.wait_ready();
    eprintln!("ready {:?} after a start from the cache", started_at.elapsed());
    assert!(cached.log().contains("the schema's ids are those of schema_registry.cache_file"));
    assert_eq!(cached.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let settings = with_registry(&scenario, json!({"url": registry.url(), "schema_id": 41}));
    let mut pinned = Normalizer::start(&settings);
    pinned.wait_ready();
    let mut feed = scenario.load(500);
    feed.send_rest();
    scenario.until_drained(&mut pinned);
    assert_eq!(pinned.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    scenario.check_with(&feed, &Eye::with_schema_id(&scenario.prefix, 41)).assert_exactly_once();
}

#[test]
fn a_registry_that_dies_after_the_start_costs_nothing() {
    const RECORDS: usize = 100_000;
    let scenario = Scenario::with_sources("registry-dies", 6);
    let mut registry = Registry::start().unwrap_or_else(|error| panic!("{error:#}"));
    let mut feed = scenario.load(RECORDS);
    let settings = with_registry(&scenario, json!({"url": registry.url(), "register": true}));
    let mut normalizer = Normalizer::start(&settings);
    normalizer.wait_ready();
    let id = settings_of(&settings).find(&format!("{}-value", stream_topic(&scenario.prefix, "sms"))).expect("an id");
    registry.stop().expect("stop the registry");
    let began_at = Instant::now();
    feed.send_rest();
    scenario.until_drained(&mut normalizer);
    eprintln!("{RECORDS} records passed in {:?} without the registry", began_at.elapsed());
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    scenario.check_with(&feed, &Eye::with_schema_id(&scenario.prefix, id)).assert_exactly_once();
}
