//! Dead letters on a real Apache Kafka: counted exactly, replayed byte for byte as if they had never failed, each once.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::process::Output;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaRespErr;
use serde_json::{Value, json};

use support::bodies::{AltcraftHook, InfobipReport, MobtextingReport, Moment, infobip_results};
use support::check::{Expected, Eye, Seen, dead_letter_topic, stream_topic};
use support::feed::{Feed, source_topic};
use support::load::{Load, Raw, Vendor, now_ms, own_text};
use support::normalizer::Normalizer;
use support::reader::{Record, read_committed};
use support::scenario::{PATIENCE, SHUTDOWN_WITHIN, Scenario};
use support::wait::{eventually, poll};

const HOUR_MS: i64 = 3_600_000;
/// Own ids of bad records begin here, past those of the good ones.
const BAD: u64 = 10_000_000;
const EXIT_WITHIN: Duration = Duration::from_secs(60);

/// The kinds of bad records, each with its reason. All but the last are cured by [`cure`].
const KINDS: [(&str, Vendor); 5] = [
    ("unknown_event", Vendor::Altcraft),
    ("ambiguous_channel", Vendor::Infobip),
    ("too_large", Vendor::Infobip),
    ("invalid_json", Vendor::Infobip),
    ("invalid_timestamp", Vendor::Mobtexting),
];
/// Events of each curable kind of bad record, and those of them that were lost.
const EVENTS: [(usize, usize); 4] = [(2, 1), (1, 1), (2, 2), (3, 3)];

/// Settings under which four kinds fail that [`cure`] reads: as before an operator set something, or a vendor's new event was
/// known. The event is forgotten by the environment variable of [`normalizer_with_gap`].
fn ill(scenario: &Scenario) -> Value {
    let mut settings = framed(scenario);
    for source in settings["sources"].as_array_mut().expect("sources") {
        source["account"] = json!("acme");
    }
    settings["limits"] = json!({ "body_bytes": 4_000 });
    settings["lenient_json"] = json!(false);
    settings
}

/// With all that a value and its headers can have around the envelope; the registry is not asked.
fn framed(scenario: &Scenario) -> Value {
    let mut settings = scenario.settings();
    settings["schema_registry"] = json!({ "url": "http://127.0.0.1:1", "schema_id": 7 });
    settings["envelope"] = json!({ "cloud_events": true });
    settings
}

/// The account is missing here: a dead letter carries the one that it was read with.
fn cure(scenario: &Scenario) -> Value {
    let mut settings = framed(scenario);
    for source in settings["sources"].as_array_mut().expect("sources") {
        source["hint_headers"] = json!({ "channel": "x-channel" });
    }
    settings
}

fn normalizer_with_gap(settings: &Value, event: &str) -> Normalizer {
    let mut normalizer = Normalizer::prepare(settings);
    normalizer.set_variable("FORGOTTEN_EVENT", event);
    normalizer.start_again();
    normalizer
}

/// A bad record of a kind.
fn bad(kind: usize, own: u64) -> Raw {
    let (id, text, time) = (format!("bad-{own}"), own_text(own), Moment(own % 1_000_000));
    let report = InfobipReport {
        channel: "SMS",
        message_id: &id,
        callback_data: &text,
        destination: "491700000001",
        is_final: true,
        done_at: time,
    };
    let hook = |event_type| AltcraftHook {
        event_type,
        profile_id: "65e2d1f0a8c4b91d2c7e4f10",
        send_message_id: &id,
        launch_id: &text,
        event_date: time,
    };
    let body = match kind {
        0 => format!("[{}, {}]", hook("open").json(), hook("uopen").json()),
        1 => format!(
            r#"{{"results":[{{"messageId":"{id}","to":"491700000001","smsCount":1,"callbackData":"{text}","price":{{"pricePerMessage":0.01,"currency":"EUR"}},"status":{{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"}}}}]}}"#
        ),
        2 => infobip_results(&[report.json(), report.with_description(&"long ".repeat(1_000))]),
        3 => infobip_results(&[report.json(), report.json(), report.json()]).replace("]}", ",]}"),
        _ => MobtextingReport { id: &id, mobile: "919900000001", custom: &text, is_final: true, time }.with_bad_time(),
    };
    let mut raw = Raw::new(KINDS[kind].1, &format!("subject-{}", own % 500), body);
    raw.headers = vec![("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    if KINDS[kind].0 == "ambiguous_channel" {
        raw.headers.push(("x-channel", "sms"));
    }
    raw
}

/// A load of which every tenth record is bad, of one kind after the other.
fn load(seed: u64, count: usize) -> Vec<Raw> {
    let started_at = now_ms() - 5 * HOUR_MS;
    let mut good = Load::new(seed, 500, 0, started_at).filter(|raw| raw.dead_letters.is_empty());
    let record = |index: usize| {
        let mut raw = if index % 10 == 9 {
            bad(index / 10 % KINDS.len(), BAD + index as u64)
        } else {
            good.next().expect("a load without end")
        };
        // Over four hours.
        raw.timestamp = started_at + 4 * HOUR_MS * index as i64 / count as i64;
        raw
    };
    (0..count).map(record).collect()
}

/// Runs a subcommand of `dead-letters` with JSON as its output; gives the exit code and the lines.
fn dead_letters(tool: &Normalizer, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let all = [&["dead-letters"], arguments, &["--output", "json"]].concat();
    let output = tool.command(&all);
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map(|value| value.expect("JSON"));
    let values: Vec<_> = values.collect();
    assert!(!values.is_empty() || arguments[0] == "list", "{arguments:?}: {}", errors(&output));
    (output.status.code(), values)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Events by all that a reader sees of them but their partition and offset, with how often each is there.
type Events = HashMap<(String, Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>, String), usize>;

/// The events of all topics that begin with `prefix`; the prefix is left out of their names.
fn events(scenario: &Scenario, prefix: &str) -> Events {
    let mut topics = scenario.kafka.topics(prefix);
    topics.retain(|(topic, _)| *topic != dead_letter_topic(&scenario.prefix));
    let mut events = Events::new();
    for Record { topic, key, value, timestamp, headers, .. } in read_committed(scenario.kafka, &topics, PATIENCE) {
        *events.entry((topic[prefix.len()..].to_owned(), key, value, timestamp, format!("{headers:?}"))).or_default() += 1;
    }
    events
}

/// What a run makes of the load that could always read it, on topics of its own.
fn events_without_fault(scenario: &Scenario) -> Events {
    let mut settings = cure(scenario);
    for source in settings["sources"].as_array_mut().expect("sources") {
        source["account"] = json!("acme");
    }
    settings["kafka"]["group"] = json!(format!("{}.twin", scenario.prefix));
    settings["kafka"]["transactional_id_prefix"] = json!(format!("{}.twin", scenario.prefix));
    settings["topics"]["template"] = json!(format!("{}.twin.{{stream}}", scenario.prefix));
    settings["topics"]["dead_letters"] = json!(format!("{}.other-dead-letters", scenario.prefix));
    let mut twin = Normalizer::start(&settings);
    let sources = Vendor::ALL.map(|vendor| (source_topic(&scenario.prefix, vendor), 6));
    let progress = support::progress::Progress::new(scenario.kafka, &format!("{}.twin", scenario.prefix), sources.to_vec());
    twin.until(PATIENCE, "the twin is at the end", || progress.lag().filter(|lag| *lag == 0));
    assert_eq!(twin.terminate(SHUTDOWN_WITHIN), Some(0), "exit code of the twin");
    events(scenario, &format!("{}.twin.", scenario.prefix))
}

fn assert_same(is: &Events, should: &Events) {
    let count = |events: &Events| events.values().sum::<usize>();
    let lost: usize = should.iter().map(|(event, count)| count.saturating_sub(is.get(event).copied().unwrap_or(0))).sum();
    let doubled: usize = is.iter().map(|(event, count)| count.saturating_sub(should.get(event).copied().unwrap_or(0))).sum();
    assert_eq!((lost, doubled), (0, 0), "lost and doubled (or other) events, of {} and {}", count(is), count(should));
}

#[test]
fn what_was_lost_comes_back_byte_for_byte_through_ten_kills() {
    const RECORDS: usize = 50_000;
    const KILLS: usize = 10;
    const EACH: u64 = (RECORDS / 10 / KINDS.len()) as u64;
    let scenario = Scenario::with_sources("replayed", 6);
    let mut feed = scenario.feed(load(scenario.seed, RECORDS));
    feed.send_rest();
    let mut normalizer = normalizer_with_gap(&ill(&scenario), "uopen");
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");

    let tool = Normalizer::prepare(&cure(&scenario));
    summary_is_exact(&scenario, &tool, &feed, EACH);

    let (code, retried) = dead_letters(&tool, &["retry"]);
    assert_eq!(code, Some(1), "one kind still fails");
    let lost: u64 = EVENTS.iter().map(|(_, lost)| *lost as u64 * EACH).sum();
    assert_eq!(retried[0]["events"], lost);
    assert_eq!(retried[0]["still_failing"], EACH);
    let expected = KINDS.map(|(reason, _)| {
        let today = if reason == "invalid_timestamp" { reason } else { "event" };
        json!({ "reason": reason, "today": today, "dead_letters": EACH })
    });
    let mut outcomes = retried[0]["outcomes"].as_array().expect("outcomes").clone();
    outcomes.sort_by_key(|outcome| KINDS.iter().position(|(reason, _)| outcome["reason"] == *reason));
    assert_eq!(outcomes, expected);

    let before = events(&scenario, &stream_topic(&scenario.prefix, ""));
    let (progress, topics) = (scenario.progress(), scenario.busy_topics());
    let mut rng = Rng::with_seed(scenario.seed);
    for kill in 0..KILLS {
        let mut replay = tool.begin(&["dead-letters", "replay", "--rate", "1000"]);
        let written = eventually(PATIENCE, "the output topics are there", || progress.written(&topics));
        let more = rng.i64(1..500);
        poll(EXIT_WITHIN, || {
            let is_done = progress.written(&topics).is_some_and(|now| now >= written + more);
            (is_done || replay.try_wait().expect("its state").is_some()).then_some(())
        });
        assert!(replay.try_wait().expect("its state").is_none(), "the replay ended before kill {kill}");
        replay.kill().expect("kill the replay");
        replay.wait().expect("wait for the replay");
    }
    let (code, replayed) = dead_letters(&tool, &["replay"]);
    assert_eq!(code, Some(1), "one kind still fails");
    assert_eq!(replayed[0]["still_failing"], EACH, "{}", replayed[0]);
    assert_eq!(replayed[0]["continued"], true);
    let at_last = replayed[0]["worked_off"].as_u64().expect("a number");
    assert!(at_last > 0 && at_last < 4 * EACH, "{at_last} letters in the last replay: the kills came before or after the work");
    eprintln!("{KILLS} kills; the last replay worked off {at_last} of {}", 4 * EACH);

    let after = events(&scenario, &stream_topic(&scenario.prefix, ""));
    assert_eq!(after.values().sum::<usize>() - before.values().sum::<usize>(), lost as usize, "events that came back");
    assert_same(&after, &events_without_fault(&scenario));

    let (code, again) = dead_letters(&tool, &["replay"]);
    assert_eq!(code, Some(1));
    assert_eq!((&again[0]["worked_off"], &again[0]["events"]), (&json!(0), &json!(0)), "the same selection again");
    assert_eq!(again[0]["still_failing"], EACH);
}

fn summary_is_exact(scenario: &Scenario, tool: &Normalizer, feed: &Feed, each: u64) {
    let (code, summary) = dead_letters(tool, &["summary"]);
    assert_eq!(code, Some(0));
    let bad: Vec<_> = feed.landed().into_iter().filter(|(raw, ..)| is_bad(raw)).collect();
    assert_eq!(bad.len() as u64, 5 * each);
    let of = |vendor| source_topic(&scenario.prefix, vendor);
    let mut by_hour: BTreeMap<String, u64> = BTreeMap::new();
    for (raw, ..) in &bad {
        let at = jiff::Timestamp::from_millisecond(raw.timestamp).expect("a time");
        *by_hour.entry(at.strftime("%Y-%m-%dT%HZ").to_string()).or_default() += 1;
    }
    assert!(by_hour.len() >= 4, "{by_hour:?}");
    let by_reason: BTreeMap<_, _> = KINDS.iter().map(|(reason, _)| (*reason, each)).collect();
    assert_eq!(summary[0]["dead_letters"], 5 * each);
    assert_eq!(summary[0]["foreign"], 0);
    assert_eq!(summary[0]["by_reason"], json!(by_reason));
    assert_eq!(summary[0]["by_vendor"], json!({ "altcraft": each, "infobip": 3 * each, "mobtexting": each }));
    assert_eq!(summary[0]["by_event"], json!({ "uopen": each, "(not told)": 4 * each }));
    let by_topic = json!({ of(Vendor::Altcraft): each, of(Vendor::Infobip): 3 * each, of(Vendor::Mobtexting): each });
    assert_eq!(summary[0]["by_topic"], by_topic);
    assert_eq!(summary[0]["by_hour"], json!(by_hour));
    let times = bad.iter().map(|(raw, ..)| raw.timestamp);
    for (name, at) in [("oldest", times.clone().min()), ("newest", times.max())] {
        let at = jiff::Timestamp::from_millisecond(at.expect("a time")).expect("a time");
        assert_eq!(summary[0][name], format!("{at:.3}"), "{name}");
    }
    let (_, one) = dead_letters(tool, &["summary", "--reason", "too_large", "--vendor", "infobip"]);
    assert_eq!(one[0]["dead_letters"], each);
    let topic = of(Vendor::Mobtexting);
    let (_, listed) = dead_letters(tool, &["list", "--topic", &topic]);
    assert_eq!(listed.len() as u64, each);
    assert!(listed.iter().all(|letter| letter["reason"] == "invalid_timestamp" && letter["source"]["topic"] == topic));
}

fn is_bad(raw: &Raw) -> bool {
    raw.header("traceparent").is_some()
}

#[test]
fn of_two_replays_of_one_selection_the_later_one_goes_on() {
    let scenario = Scenario::with_sources("rivals", 6);
    let mut feed = scenario.feed(load(scenario.seed, 5_000));
    feed.send_rest();
    let mut normalizer = normalizer_with_gap(&ill(&scenario), "uopen");
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let tool = Normalizer::prepare(&cure(&scenario));
    let before = eventually(PATIENCE, "the topics are there", || scenario.progress().written(&scenario.busy_topics()));
    let mut first = tool.begin(&["dead-letters", "replay", "--rate", "50"]);
    eventually(EXIT_WITHIN, "the first replay has committed some", || {
        scenario.progress().written(&scenario.busy_topics()).filter(|now| *now > before + 200)
    });
    let (code, second) = dead_letters(&tool, &["replay"]);
    assert_eq!(code, Some(1), "one kind still fails");
    assert_eq!(second[0]["continued"], true, "{}", second[0]);
    let ended = poll(EXIT_WITHIN, || first.try_wait().expect("its state")).expect("the first replay ends");
    assert_eq!(ended.code(), Some(75), "exit code of the first replay");
    assert_same(&events(&scenario, &stream_topic(&scenario.prefix, "")), &events_without_fault(&scenario));
}

#[test]
fn a_replay_keeps_to_its_limit_and_its_rate() {
    const LETTERS: u64 = 60;
    const LIMIT: u64 = 20;
    const PER_SECOND: u64 = 20;
    let scenario = Scenario::with_sources("paced", 1);
    let mut feed = scenario.feed((0..LETTERS).map(|number| bad(1, BAD + number)).collect());
    feed.send_rest();
    let mut normalizer = Normalizer::start(&ill(&scenario));
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let tool = Normalizer::prepare(&cure(&scenario));
    let events_are = |count: u64| {
        let events = events(&scenario, &stream_topic(&scenario.prefix, ""));
        assert_eq!(events.values().sum::<usize>() as u64, count, "events");
    };

    let (code, limited) = dead_letters(&tool, &["replay", "--limit", &LIMIT.to_string()]);
    assert_eq!((code, &limited[0]["worked_off"]), (Some(0), &json!(LIMIT)), "{}", limited[0]);
    events_are(LIMIT);

    let began_at = Instant::now();
    let (code, paced) = dead_letters(&tool, &["replay", "--rate", &PER_SECOND.to_string()]);
    assert_eq!((code, &paced[0]["worked_off"]), (Some(0), &json!(LETTERS - LIMIT)), "{}", paced[0]);
    // The first goes at once.
    let least = Duration::from_secs_f64((LETTERS - LIMIT - 1) as f64 / PER_SECOND as f64);
    assert!(began_at.elapsed() >= least, "{:?} for {} letters", began_at.elapsed(), LETTERS - LIMIT);
    events_are(LETTERS);
}

/// Records that stay whole, fall apart, go back to their topic or have no bytes any more; and selections of their own.
#[test]
fn each_selection_leaves_to_the_next_what_it_could_not_do() {
    let scenario = Scenario::with_sources("selected", 1);
    // One record with a good item beside one that stays bad, too large as long as the settings are ill.
    let mut raw = bad(2, BAD);
    let text = String::from_utf8(raw.value.take().expect("a value")).expect("text");
    let unreadable = r#"{"event":"DELIVERY","channel":"SMS","messageId":"m-1","status":"DELIVERED"}"#;
    raw.value = Some(text.replace("]}", &format!(",{unreadable}]}}")).into());
    let mut feed = scenario.feed(vec![raw, bad(3, BAD + 1), bad(4, BAD + 2), bad(0, BAD + 3)]);
    feed.send_rest();
    let mut normalizer = normalizer_with_gap(&ill(&scenario), "uopen");
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let tool = Normalizer::prepare(&cure(&scenario));
    let figures = |report: &Value| {
        ["worked_off", "events", "set_aside", "put_back", "still_failing"].map(|name| report[name].as_u64().expect("a number"))
    };

    let (code, dry) = dead_letters(&tool, &["replay", "--dry-run"]);
    assert_eq!((code, figures(&dry[0])), (Some(1), [3, 6, 1, 0, 1]), "{}", dry[0]);
    let (_, dry) = dead_letters(&tool, &["replay", "--dry-run"]);
    assert_eq!((figures(&dry[0]), &dry[0]["continued"]), ([3, 6, 1, 0, 1], &json!(false)), "a dry run commits nothing");
    assert_eq!(events(&scenario, &stream_topic(&scenario.prefix, "")).values().sum::<usize>(), 1, "and publishes nothing");

    // The record falls apart: two events, and a dead letter of the item that is bad by itself.
    let (code, large) = dead_letters(&tool, &["replay", "--reason", "too_large"]);
    assert_eq!((code, figures(&large[0])), (Some(1), [1, 2, 1, 0, 0]), "{}", large[0]);
    let (_, listed) = dead_letters(&tool, &["list", "--reason", "invalid_shape"]);
    assert_eq!(listed.len(), 1);
    let (item, source) = (&listed[0], &listed[0]["source"]);
    assert_eq!((&item["item"], &item["items"], &item["is_whole_record"]), (&json!(2), &json!(3), &json!(false)));
    assert_eq!((&source["partition"], &source["offset"]), (&json!(0), &json!(0)));

    // Back to its topic: only whole records, of the same selection.
    let (code, back) = dead_letters(&tool, &["replay", "--to-source", "--reason", "invalid_json,unknown_event"]);
    assert_eq!((code, figures(&back[0])), (Some(1), [1, 0, 0, 1, 1]), "{}", back[0]);
    assert_eq!(back[0]["left"][0]["reason"], "not_a_record");
    let raw = read_committed(scenario.kafka, &[(source_topic(&scenario.prefix, Vendor::Infobip), 1)], PATIENCE);
    let [_, first, second] = &raw[..] else { panic!("{} raw records", raw.len()) };
    let seen = |record: &Record| (record.key.clone(), record.value.clone(), record.timestamp, record.headers.clone());
    assert_eq!(seen(first), seen(second), "the record that was put back");
    let (code, rest) = dead_letters(&tool, &["replay", "--reason", "unknown_event,invalid_json"]);
    assert_eq!((code, figures(&rest[0])), (Some(0), [1, 1, 0, 0, 0]), "{}", rest[0]);

    // The text that `show` hides by default.
    let position = item["position"].as_str().expect("a position");
    let shown = |arguments: &[&str]| {
        let output = tool.command(&[&["dead-letters", "show", position], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    let hidden = shown(&[]);
    assert!(hidden.contains("messageId") && !hidden.contains("m-1") && !hidden.contains("subject-"), "{hidden}");
    assert!(hidden.contains("normalizer.dead-letter.reason: invalid_shape"), "{hidden}");
    let open = shown(&["--payload"]);
    assert!(
        open.contains("m-1") && open.contains("subject-") && open.contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c"),
        "{open}"
    );
}

#[test]
fn what_the_broker_still_refuses_costs_no_neighbor() {
    let scenario = Scenario::with_sources("refused-again", 1);
    scenario.kafka.create_topic(&stream_topic(&scenario.prefix, "sms"), 1, &[("max.message.bytes", "100000")]);
    // Letters at random, so that it stays big when it is compressed.
    let mut rng = Rng::with_seed(scenario.seed);
    let long_text: String = (0..300_000).map(|_| rng.alphanumeric()).collect();
    let big = InfobipReport {
        channel: "SMS",
        message_id: "big",
        callback_data: "seq-1",
        destination: "491700000001",
        is_final: true,
        done_at: Moment(1),
    };
    let mut records: Vec<Raw> = (0..10).map(|number| bad(1, BAD + number)).collect();
    records.insert(5, Raw::new(Vendor::Infobip, "subject-big", infobip_results(&[big.with_description(&long_text)])));
    for raw in &mut records {
        "subject".clone_into(&mut raw.key);
    }
    let mut feed = scenario.feed(records);
    feed.send_rest();
    let mut normalizer = Normalizer::start(&scenario.settings());
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let tool = Normalizer::prepare(&cure(&scenario));
    for worked_off in [10, 0] {
        let (code, replayed) = dead_letters(&tool, &["replay"]);
        assert_eq!(code, Some(1));
        assert_eq!((&replayed[0]["worked_off"], &replayed[0]["events"]), (&json!(worked_off), &json!(worked_off)));
        let left = replayed[0]["left"].as_array().expect("letters");
        let reasons: Vec<_> = left.iter().map(|letter| letter["reason"].as_str()).collect();
        assert_eq!(reasons, [Some("produce_rejected")]);
    }
    let published = events(&scenario, &stream_topic(&scenario.prefix, ""));
    assert_eq!((published.len(), published.values().sum::<usize>()), (10, 10));
}

#[test]
fn a_dead_letter_without_its_payload_is_counted_and_can_not_be_replayed() {
    let scenario = Scenario::with_sources("without", 1);
    let mut feed = scenario.feed(vec![bad(4, BAD), bad(1, BAD + 1)]);
    feed.send_rest();
    let mut settings = scenario.settings();
    settings["dead_letters"] = json!({ "payload": "none" });
    let mut normalizer = Normalizer::start(&settings);
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let tool = Normalizer::prepare(&cure(&scenario));
    let (_, summary) = dead_letters(&tool, &["summary"]);
    assert_eq!((&summary[0]["dead_letters"], &summary[0]["without_payload"]), (&json!(2), &json!(2)));
    for arguments in [&["replay"][..], &["replay", "--to-source"]] {
        let (code, replayed) = dead_letters(&tool, arguments);
        assert_eq!((code, &replayed[0]["worked_off"], &replayed[0]["still_failing"]), (Some(1), &json!(0), &json!(2)));
        let left = replayed[0]["left"].as_array().expect("letters");
        let reasons: Vec<_> = left.iter().map(|letter| letter["reason"].as_str()).collect();
        assert!(reasons.contains(&Some("no_payload")), "{reasons:?}");
    }
    let (code, retried) = dead_letters(&tool, &["retry"]);
    assert_eq!((code, &retried[0]["still_failing"]), (Some(1), &json!(2)));
}

#[test]
fn a_topic_that_is_missing_or_full_of_other_records_is_no_riddle() {
    let scenario = Scenario::with_sources("strange", 1);
    let tool = Normalizer::prepare(&scenario.settings());
    let topic = dead_letter_topic(&scenario.prefix);
    for command in [&["summary"][..], &["list"], &["retry"], &["replay"], &["show", &format!("{topic}-0-0")]] {
        let output = tool.command(&[&["dead-letters"], command].concat());
        assert_eq!(output.status.code(), Some(78), "{command:?}: {}", errors(&output));
        let errors = errors(&output);
        assert!(errors.contains(&topic) && errors.contains("does not exist") && errors.lines().count() == 1, "{errors}");
    }

    // The outputs must be there for a replay, and one dead letter among the strangers.
    let mut feed = scenario.feed(vec![bad(4, BAD)]);
    feed.send_rest();
    let mut normalizer = Normalizer::start(&scenario.settings());
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let strangers = strangers(&scenario, &topic);
    let (code, summary) = dead_letters(&tool, &["summary"]);
    assert_eq!(code, Some(0));
    assert_eq!((&summary[0]["dead_letters"], &summary[0]["foreign"]), (&json!(1), &json!(strangers)));
    let (code, listed) = dead_letters(&tool, &["list"]);
    assert_eq!((code, listed.len()), (Some(0), 1));
    for command in ["retry", "replay"] {
        let (code, report) = dead_letters(&tool, &[command]);
        assert_eq!((code, &report[0]["foreign"]), (Some(1), &json!(strangers)), "{command}");
        assert_eq!(report[0]["still_failing"], 1, "{command}");
    }
    let records = read_committed(scenario.kafka, &[(topic.clone(), 6)], PATIENCE);
    let stranger = records.iter().find(|record| record.header("normalizer.dead-letter.version").is_none()).expect("a stranger");
    let position = format!("{topic}-{}-{}", stranger.partition, stranger.offset);
    let output = tool.command(&["dead-letters", "show", &position]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("no dead letter of this program's"), "{}", errors(&output));
}

/// Writes what others may have in the topic: no headers, other names, our names with other texts.
fn strangers(scenario: &Scenario, topic: &str) -> usize {
    let producer: BaseProducer = scenario.kafka.client().create().expect("create a producer");
    let bytes: &[u8] = b"\xff\x00";
    let headers = [
        None,
        Some(vec![("__streams.errors.topic", Some(&b"raw"[..])), ("__streams.errors.offset", Some(b"7"))]),
        Some(vec![("normalizer.dead-letter.reason", None)]),
        Some(vec![("normalizer.dead-letter.reason", Some(&b"invalid_json"[..]))]),
        Some(vec![("normalizer.dead-letter.reason", Some(bytes))]),
        Some(vec![("normalizer.dead-letter.reason", Some(&b"bad_mood"[..])), ("normalizer.dead-letter.item", Some(b"x"))]),
    ];
    for headers in &headers {
        let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(topic).payload(bytes);
        if let Some(headers) = headers {
            let put = |all: OwnedHeaders, (key, value): &(&str, Option<&[u8]>)| all.insert(Header { key, value: *value });
            record = record.headers(headers.iter().fold(OwnedHeaders::new(), put));
        }
        producer.send(record).map_err(|(error, _)| error).expect("send a stranger");
    }
    producer.flush(EXIT_WITHIN).expect("write the strangers");
    headers.len()
}

/// On librdkafka's mock: a broker that denies the topic.
#[test]
fn a_topic_that_may_not_be_read_is_77_and_says_which_right_is_missing() {
    let cluster = MockCluster::new(1).expect("a mock");
    cluster.create_topic("events.dead-letters", 1, 1).expect("a topic");
    cluster.topic_error("events.dead-letters", RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).expect("denied");
    let settings = json!({
        "kafka": { "brokers": cluster.bootstrap_servers() },
        "sources": [{ "topic": "raw.altcraft", "vendor": "altcraft" }],
    });
    let tool = Normalizer::prepare(&settings);
    for command in ["summary", "retry", "replay"] {
        let output = tool.command(&["dead-letters", command]);
        assert_eq!(output.status.code(), Some(77), "{command}: {}", errors(&output));
        assert!(errors(&output).contains("needs Read on the topic events.dead-letters"), "{}", errors(&output));
    }
}

#[test]
fn a_source_that_dead_letters_too_much_is_stopped_and_the_others_go_on() {
    const RECORDS: usize = 20_000;
    const WINDOW: usize = 200;
    let scenario = Scenario::with_sources("stopped", 6);
    let mut feed = scenario.load(RECORDS);
    feed.send_rest();
    let mut settings = scenario.settings();
    settings["dead_letters"] = json!({ "stop_above": { "ratio": 0.5, "window": WINDOW } });
    let mut normalizer = normalizer_with_gap(&settings, "sms:message:status");
    let stopped = source_topic(&scenario.prefix, Vendor::Mobtexting);
    let progress = scenario.progress();
    normalizer.until(PATIENCE, "the other sources are at their ends", || {
        let lags = progress.lag_by_partition()?;
        lags.iter().all(|(topic, _, lag)| *topic == stopped || *lag == 0).then_some(())
    });
    assert_eq!(normalizer.metric("normalizer_source_stopped", &[("topic", &stopped)]), 1.0);
    assert_eq!(normalizer.metric("normalizer_source_stopped", &[]), 1.0, "sources that are stopped");
    assert!(normalizer.is_ready(), "the others go on");
    let readiness = normalizer.readiness().expect("an answer");
    assert!(readiness.contains(&stopped) && readiness.contains("SIGHUP"), "{readiness}");
    assert_eq!(normalizer.status()["stopped_sources"], json!([stopped]));
    let lines = |normalizer: &Normalizer| normalizer.log().matches("a source is stopped").count();
    assert_eq!(lines(&normalizer), 1, "log lines");
    // Each of the two workers stops at the latest when half of its window is bad, and one more is.
    let decided =
        |normalizer: &Normalizer| normalizer.metric("normalizer_dead_letters_total", &[("vendor", "mobtexting")]) as usize;
    let first = decided(&normalizer);
    assert!((WINDOW / 2..=2 * (WINDOW / 2 + 1)).contains(&first), "{first} dead letters before the stop");

    // While the cause is there, a SIGHUP lets it go on only so far.
    normalizer.signal(Signal::SIGHUP);
    eventually(PATIENCE, "the source is stopped again", || (lines(&normalizer) == 2).then_some(()));
    eventually(PATIENCE, "what was decided is committed", || (decided(&normalizer) > first).then_some(()));
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let letters: Vec<Record> = scenario.read().into_iter().filter(|record| is_letter_of(record, &scenario, &stopped)).collect();
    assert!(letters.len() > first && letters.len() <= 4 * (WINDOW / 2 + 1), "{} dead letters", letters.len());
    let committed = progress.committed_by_partition().expect("the group's offsets");
    let committed: i64 = committed.iter().filter(|(topic, ..)| *topic == stopped).map(|(.., offset)| offset).sum();
    assert_eq!(committed as usize, letters.len(), "records of the stopped source that are committed, each one dead letter");

    // The cause is gone: first what was set aside, so that the order of each key is kept, then what was not read.
    let tool = Normalizer::prepare(&settings);
    let (code, replayed) = dead_letters(&tool, &["replay", "--vendor", "mobtexting", "--reason", "unknown_event"]);
    assert_eq!(code, Some(0), "{}", replayed[0]);
    let mut normalizer = Normalizer::start(&settings);
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.status()["stopped_sources"], json!([]));
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    let eye = Eye::new(&scenario.prefix);
    let was_replayed = |record: &Record| {
        is_letter_of(record, &scenario, &stopped) && record.header("normalizer.dead-letter.reason") == Some("unknown_event")
    };
    let seen: Vec<Seen> =
        scenario.read().into_iter().filter(|record| !was_replayed(record)).map(|record| eye.see(record)).collect();
    let report = Expected::of(&feed, &scenario.prefix).compare(&seen);
    eprintln!("{report}");
    report.assert_exactly_once();
}

fn is_letter_of(record: &Record, scenario: &Scenario, source: &str) -> bool {
    record.topic == dead_letter_topic(&scenario.prefix) && record.header("__streams.errors.topic") == Some(source)
}
