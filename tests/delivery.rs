//! Delivery on a real Apache Kafka: nothing lost, nothing doubled, order kept, every dead letter by value.
//!
//! The broker comes from `KAFKA_BROKERS`, else from the jars that Maven brings (Java 17), else from a container. The
//! scenarios run one after the other, each on topics and a group of its own.

mod support;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use support::bodies::{AltcraftHook, InfobipReport, MOBTEXTING_PROBE, MobtextingReport, Moment, infobip_results};
use support::check::{dead_letter_topic, stream_topic};
use support::feed::Feed;
use support::load::{DeadLetter, Output, Raw, Vendor, generate, own_text};
use support::normalizer::Normalizer;
use support::scenario::{SESSION_TIMEOUT_MS, SHUTDOWN_WITHIN, Scenario};
use support::wait::{eventually, poll};

/// The size of the loads that something happens to.
const RECORDS: usize = 200_000;
const EXIT_WITHIN: Duration = Duration::from_secs(60);
/// The client tells its statistics every five seconds.
const LAG_WITHIN: Duration = Duration::from_secs(20);
/// Metrics follow the commit.
const COUNTED_WITHIN: Duration = Duration::from_secs(120);
/// Own ids of records that are made by hand begin here, past those of the generated load.
const BY_HAND: u64 = 1_000_000;

/// Waits for the end of the load, ends the program, and compares all that came out with all that had to.
fn finish_exactly_once(scenario: &Scenario, normalizer: &mut Normalizer, feed: &Feed) {
    scenario.until_drained(normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    scenario.check(feed).assert_exactly_once();
}

#[test]
fn five_kills_lose_and_double_nothing() {
    const KILLS: usize = 5;
    let scenario = Scenario::with_sources("killed", 6);
    let mut feed = scenario.load(RECORDS);
    feed.send(RECORDS / 2);
    let mut rng = Rng::with_seed(scenario.seed);
    let mut normalizer = Normalizer::start(&scenario.settings());
    thread::scope(|threads| {
        threads.spawn(|| feed.send_rest_at(4_000));
        for kill in 0..KILLS {
            // One point in each part of the run; the last part is left to finish in.
            let share = (kill as f64 + rng.f64()) / (KILLS as f64 + 0.5);
            scenario.until_committed(&mut normalizer, (RECORDS as f64 * share) as usize);
            scenario.until_written_more(&mut normalizer, rng.i64(1..4_000));
            normalizer.kill();
            normalizer.start_again();
        }
    });
    finish_exactly_once(&scenario, &mut normalizer, &feed);
}

#[test]
fn instances_come_and_go_under_load() {
    let scenario = Scenario::with_sources("two", 6);
    let mut feed = scenario.load(RECORDS);
    feed.send(RECORDS / 2);
    let mut second_settings = scenario.settings();
    second_settings["kafka"]["transactional_id_prefix"] = json!(format!("{}.second", scenario.prefix));
    let mut first = Normalizer::start(&scenario.settings());
    let mut second = thread::scope(|threads| {
        threads.spawn(|| feed.send_rest_at(6_000));
        scenario.until_committed(&mut first, RECORDS / 10);
        let mut second = Normalizer::start(&second_settings);
        second.wait_ready();
        scenario.until_committed(&mut first, RECORDS * 7 / 10);
        assert_eq!(first.terminate(SHUTDOWN_WITHIN), Some(0), "exit code of the first");
        second
    });
    finish_exactly_once(&scenario, &mut second, &feed);
}

#[test]
fn sigterm_drains_under_load() {
    let scenario = Scenario::with_sources("drained", 6);
    let mut feed = scenario.load(RECORDS);
    feed.send(RECORDS / 2);
    let mut normalizer = Normalizer::start(&scenario.settings());
    thread::scope(|threads| {
        threads.spawn(|| feed.send_rest_at(8_000));
        scenario.until_committed(&mut normalizer, RECORDS / 4);
        assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
        normalizer.start_again();
    });
    finish_exactly_once(&scenario, &mut normalizer, &feed);
}

/// Needs a broker that the tests started from the jars: fails, and says so, where there is none.
#[test]
fn broker_restarts_lose_and_double_nothing() {
    let scenario = Scenario::with_sources("restarted", 6);
    let mut feed = scenario.load(RECORDS);
    feed.send(RECORDS / 2);
    // The time-outs that the program has by itself are what an outage meets.
    let mut settings = scenario.settings();
    let kafka = settings["kafka"].as_object_mut().expect("a map");
    kafka.retain(|key, _| !key.ends_with("_options"));
    let mut normalizer = Normalizer::start(&settings);
    thread::scope(|threads| {
        threads.spawn(|| feed.send_rest_at(4_000));
        for (share, stop) in [(0.2, Signal::SIGTERM), (0.6, Signal::SIGKILL)] {
            scenario.until_committed(&mut normalizer, (RECORDS as f64 * share) as usize);
            scenario.until_written_more(&mut normalizer, 1_000);
            scenario.kafka.restart(stop);
        }
    });
    finish_exactly_once(&scenario, &mut normalizer, &feed);
}

#[test]
fn at_least_once_loses_nothing_and_says_what_it_gives_up() {
    const FEWER_RECORDS: usize = 50_000;
    let scenario = Scenario::with_sources("at-least-once", 6);
    let mut feed = scenario.load(FEWER_RECORDS);
    feed.send(FEWER_RECORDS / 2);
    let mut settings = scenario.settings();
    settings["delivery"]["guarantee"] = json!("at-least-once");
    let mut rng = Rng::with_seed(scenario.seed);
    let mut normalizer = Normalizer::start(&settings);
    thread::scope(|threads| {
        threads.spawn(|| feed.send_rest_at(4_000));
        scenario.until_committed(&mut normalizer, FEWER_RECORDS / 4);
        scenario.until_written_more(&mut normalizer, rng.i64(1..4_000));
        normalizer.kill();
        normalizer.start_again();
    });
    scenario.until_drained(&mut normalizer);
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
    scenario.check(&feed).assert_at_least_once();
    let log = normalizer.log();
    assert!(log.contains("at-least-once") && log.contains("duplicate"), "the log doesn't say what is given up");
}

/// Kafka takes any first sequence number of a producer that is new to a partition. Where its leader was not ready for the
/// first batch and then takes the second one, librdkafka reports both as delivered.
#[test]
fn a_batch_that_was_never_taken_is_sent_again() {
    const FEWER_RECORDS: usize = 4_000;
    for guarantee in ["exactly-once", "at-least-once"] {
        let scenario = Scenario::with_sources("untaken", 6);
        // Of one vendor and to few partitions, so that there are requests with second batches among those on their way.
        let load = generate(scenario.seed, FEWER_RECORDS, 0).into_iter().filter(|raw| raw.vendor == Vendor::Mobtexting);
        let mut feed = scenario.feed(load.collect());
        feed.send_rest();
        let (address, proxy) = scenario.kafka.through_proxy();
        let mut settings = scenario.settings();
        settings["kafka"]["brokers"] = json!(address);
        settings["kafka"]["producer_options"]["batch.num.messages"] = json!("1");
        settings["topics"]["partitions"] = json!(1);
        settings["delivery"]["guarantee"] = json!(guarantee);
        settings["delivery"]["workers"] = json!(1);
        proxy.misdirect_first_batches();
        let mut normalizer = Normalizer::start(&settings);
        scenario.until_drained(&mut normalizer);
        assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
        assert!(proxy.batches_misdirected() > 1, "too few batches were misdirected");
        let report = scenario.check(&feed);
        match guarantee {
            "exactly-once" => report.assert_exactly_once(),
            _ => report.assert_at_least_once(),
        }
    }
}

#[test]
fn transactional_input_leaves_no_lag() {
    let scenario = Scenario::with_sources("transactions", 3);
    let mut feed = Feed::transactional(scenario.kafka, &scenario.prefix, generate(scenario.seed, 5_000, 0));
    let aborted = generate(scenario.seed, 50, BY_HAND);
    let mut normalizer = Normalizer::start(&scenario.settings());
    // Ends with an aborted transaction: behind the last record that counts stand some that don't, and a marker.
    for _ in 0..10 {
        feed.send_transaction(500);
        feed.send_aborted(&aborted);
    }
    finish_exactly_once(&scenario, &mut normalizer, &feed);
}

/// A process that died left offsets unstable, and meanwhile the group shares its partitions out several times. librdkafka
/// itself begins such a partition anew, from its first record on.
#[test]
fn offsets_that_are_unstable_over_several_assignments_are_waited_for() {
    const FEWER_RECORDS: usize = 20_000;
    const ASSIGNMENTS: usize = 6;
    const ASSIGNED_WITHIN: Duration = Duration::from_secs(2);
    let scenario = Scenario::with_sources("unstable", 6);
    let mut feed = scenario.load(FEWER_RECORDS);
    feed.send(FEWER_RECORDS / 2);
    let mut normalizer = Normalizer::start(&scenario.settings());
    scenario.until_drained(&mut normalizer);

    let mut config = scenario.kafka.client();
    config.set("group.id", scenario.group()).set("session.timeout.ms", SESSION_TIMEOUT_MS.to_string());
    config.set("partition.assignment.strategy", "roundrobin");
    let committed = scenario.progress().committed_by_partition().expect("the group's offsets");
    let mut offsets = TopicPartitionList::new();
    for (topic, partition, offset) in &committed {
        offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("an offset");
    }
    let outsider: BaseConsumer = config.create().expect("create a consumer");
    let mut dying = scenario.kafka.client();
    dying.set("transactional.id", format!("{}.dying", scenario.prefix)).set("transaction.timeout.ms", "60000");
    let dying: BaseProducer = dying.create().expect("create a producer");
    dying.init_transactions(EXIT_WITHIN).expect("a producer");
    dying.begin_transaction().expect("a transaction");
    let group = outsider.group_metadata().expect("the group's metadata");
    dying.send_offsets_to_transaction(&offsets, &group, EXIT_WITHIN).expect("unstable offsets");

    let topics: BTreeSet<&str> = committed.iter().map(|(topic, ..)| topic.as_str()).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    for _ in 0..ASSIGNMENTS {
        let guest: BaseConsumer = config.create().expect("create a consumer");
        guest.subscribe(&topics).expect("subscribe");
        // The normalizer may wait for its offsets meanwhile, and the group for the normalizer.
        let _ = poll(ASSIGNED_WITHIN, || {
            let _ = guest.poll(Duration::ZERO);
            guest.assignment().ok().filter(|assignment| assignment.count() > 0)
        });
    }
    dying.abort_transaction(EXIT_WITHIN).expect("an abort");
    feed.send_rest();
    finish_exactly_once(&scenario, &mut normalizer, &feed);
}

#[test]
fn an_event_that_the_broker_refuses_is_set_aside() {
    refuses_big_event("refused", false);
}

#[test]
fn headers_remain_of_a_refused_event_that_is_too_big_for_a_dead_letter() {
    refuses_big_event("refused-twice", true);
}

/// The worker finds them while it is kept busy by all else that it reads.
#[test]
fn refused_events_are_set_aside_under_load() {
    const SMS_BYTES_MAX: &str = "400000";
    const BIG_ONES: u64 = 2;
    const LOAD_PER_SECOND: usize = 5_000;
    /// Shorter than the load lasts. Each refusal can take the five seconds that an abort waits for a delivery report.
    const FOUND_WITHIN: Duration = Duration::from_secs(35);
    let scenario = Scenario::with_sources("refused-busy", 6);
    scenario.kafka.create_topic(&stream_topic(&scenario.prefix, "sms"), 6, &[("max.message.bytes", SMS_BYTES_MAX)]);
    let mut rng = Rng::with_seed(scenario.seed);
    let big_ones = (0..BIG_ONES).map(|number| {
        let text: String = (0..600_000).map(|_| rng.alphanumeric()).collect();
        let (message_id, callback_data) = (format!("big-{number}"), own_text(BY_HAND + number));
        let item = sms_report(&message_id, &callback_data, Moment(BY_HAND + number)).with_description(&text);
        let mut raw = Raw::new(Vendor::Infobip, &format!("subject-big-{number}"), infobip_results(std::slice::from_ref(&item)));
        raw.dead_letters.push(DeadLetter::item("produce_rejected", 0, &item));
        raw
    });
    let mut records = generate(scenario.seed, RECORDS, 0);
    records.splice(RECORDS / 10..RECORDS / 10, big_ones);
    let mut feed = scenario.feed(records);
    feed.send(RECORDS / 20);
    let mut settings = scenario.settings();
    settings["delivery"]["workers"] = json!(1);
    // Else batches of small events would not fit either.
    settings["kafka"]["producer_options"]["batch.size"] = json!("300000");
    let mut normalizer = Normalizer::start(&settings);
    normalizer.wait_ready();
    thread::scope(|threads| {
        threads.spawn(|| feed.send_rest_at(LOAD_PER_SECOND));
        eventually(FOUND_WITHIN, "the refused events are set aside while the load goes on", || {
            let rejected = normalizer.metric("normalizer_dead_letters_total", &[("reason", "produce_rejected")]);
            (rejected >= BIG_ONES as f64).then_some(())
        });
    });
    finish_exactly_once(&scenario, &mut normalizer, &feed);
}

/// One report in the middle of a body doesn't fit the topic `sms`, and the dead-letter topic neither if so wished.
fn refuses_big_event(name: &str, dead_letter_refused_too: bool) {
    const FITS: (&str, &str) = ("max.message.bytes", "100000");
    let scenario = Scenario::with_sources(name, 3);
    scenario.kafka.create_topic(&stream_topic(&scenario.prefix, "sms"), 6, &[FITS]);
    let dead_letter_config: &[_] = if dead_letter_refused_too { &[FITS] } else { &[] };
    scenario.kafka.create_topic(&dead_letter_topic(&scenario.prefix), 3, dead_letter_config);

    // Letters at random, so that it stays big when it is compressed.
    let mut rng = Rng::with_seed(scenario.seed);
    let long_text: String = (0..300_000).map(|_| rng.alphanumeric()).collect();
    let mut raw = Raw::new(Vendor::Infobip, "subject-big", "");
    let items: Vec<String> = (0..3)
        .map(|item| {
            let own = BY_HAND + item;
            let (message_id, callback_data) = (format!("big-{item}"), own_text(own));
            let report = sms_report(&message_id, &callback_data, Moment(own));
            if item == 1 {
                return report.with_description(&long_text);
            }
            let json = report.json();
            raw.outputs.push(Output { stream: "sms", key: message_id, own });
            json
        })
        .collect();
    let mut dead_letter = DeadLetter::item("produce_rejected", 1, &items[1]);
    if dead_letter_refused_too {
        dead_letter.value = None;
    }
    raw.dead_letters.push(dead_letter);
    raw.value = Some(infobip_results(&items).into());

    let mut records = generate(scenario.seed, 100, 0);
    records.push(raw);
    records.extend(generate(scenario.seed + 1, 100, 10_000));
    let mut feed = scenario.feed(records);
    feed.send_rest();
    let mut normalizer = Normalizer::start(&scenario.settings());
    scenario.until_drained(&mut normalizer);
    let rejected = normalizer.metric("normalizer_dead_letters_total", &[("reason", "produce_rejected")]);
    assert_eq!(rejected, 1.0, "dead letters counted as produce_rejected");
    finish_exactly_once(&scenario, &mut normalizer, &feed);
}

#[test]
fn bad_input_is_set_aside_untouched_and_harms_no_neighbor() {
    const LARGE: (&str, &str) = ("max.message.bytes", "8388608");
    let scenario = Scenario::new("bad", 3);
    scenario.create_sources(&[LARGE]);
    scenario.kafka.create_topic(&dead_letter_topic(&scenario.prefix), 3, &[LARGE]);

    let mut feed = scenario.feed(bad_input());
    feed.send(feed.len() / 2);
    let mut settings = scenario.settings();
    settings["log"]["level"] = json!("trace");
    let mut normalizer = Normalizer::start(&settings);
    scenario.until_drained(&mut normalizer);
    // Not a worker's first commit, which has to look for its coordinators.
    feed.send_rest();
    scenario.until_drained(&mut normalizer);
    let counted = |name, label, value| normalizer.metric(name, &[(label, value)]);
    for (reason, count) in [
        ("invalid_json", 3.0),
        ("invalid_shape", 1.0),
        ("invalid_timestamp", 1.0),
        ("unknown_event", 1.0),
        ("too_deep", 1.0),
        ("too_large", 1.0),
        ("produce_rejected", 0.0),
    ] {
        assert_eq!(counted("normalizer_dead_letters_total", "reason", reason), count, "dead letters of {reason}");
    }
    for cause in ["tombstone", "verification"] {
        assert_eq!(counted("normalizer_records_ignored_total", "cause", cause), 1.0, "ignored for {cause}");
    }
    // The client's own wrapper would take 100 ms and more for every commit.
    assert!(counted("normalizer_transaction_commit_duration_seconds_bucket", "le", "0.1") > 0.0, "no commit within 100 ms");
    lag_is_told(&mut normalizer);
    let told = [normalizer.log(), normalizer.metrics(), normalizer.status().to_string()].concat();
    for personal in ["491700000001", "919900000001", "65e2d1f0a8c4b91d2c7e4f10", "subject-", "mail-", "xxxxxxxx"] {
        assert!(!told.contains(personal), "{personal} stands in the log, the metrics or the status");
    }
    finish_exactly_once(&scenario, &mut normalizer, &feed);

    let records = scenario.read();
    let dead_letters = records.iter().filter(|record| record.topic == dead_letter_topic(&scenario.prefix));
    for dead_letter in dead_letters {
        let partition = dead_letter.header("__streams.errors.partition");
        let offset = dead_letter.header("__streams.errors.offset");
        assert_ne!(partition, offset, "this dead letter can't show that the two aren't mixed up");
    }
}

/// The lag is computed from the program's own commits, and comes down to 0; the client's own figure would stay unknown.
fn lag_is_told(normalizer: &mut Normalizer) {
    let admin = normalizer.status();
    let partitions: usize = admin["workers"].as_array().expect("workers").iter().map(assigned).sum();
    assert_eq!(partitions, 9, "partitions in the status: {admin}");
    let series = |text: &str| text.lines().filter(|line| line.starts_with("normalizer_consumer_lag_records{")).count();
    let lags = eventually(LAG_WITHIN, "the lag of every partition is told", || {
        let text = normalizer.metrics();
        (series(&text) == partitions && normalizer.metric("normalizer_consumer_lag_records", &[]) == 0.0).then_some(text)
    });
    assert!(lags.contains("partition=\"2\""), "{lags}");
}

/// Whatever bodies and headers say, no word of theirs becomes a label: ten thousand odd values leave the series as they were.
#[test]
fn odd_values_make_no_series() {
    const ODD_VALUES: u64 = 10_000;
    let scenario = Scenario::with_sources("odd", 3);
    let mut settings = scenario.settings();
    for source in settings["sources"].as_array_mut().expect("sources") {
        source["hint_headers"] = json!({ "channel": "x-channel", "event": "x-event", "format": "x-format" });
    }
    let mut normalizer = Normalizer::start(&settings);
    normalizer.wait_ready();
    lag_is_told(&mut normalizer);
    let series = |normalizer: &Normalizer| -> BTreeSet<String> {
        let text = normalizer.metrics();
        let values = text.lines().filter(|line| !line.starts_with('#'));
        values.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
    };
    let before = series(&normalizer);

    let mut feed = scenario.feed((0..ODD_VALUES).map(odd_record).collect());
    feed.send_rest();
    let counted = |normalizer: &Normalizer, name: &str| normalizer.metric(name, &[]) as u64;
    eventually(COUNTED_WITHIN, "all are counted", || {
        (counted(&normalizer, "normalizer_records_consumed_total") == ODD_VALUES).then_some(())
    });
    for name in ["normalizer_unknown_status_words_total", "normalizer_dead_letters_total", "normalizer_events_produced_total"] {
        assert!(counted(&normalizer, name) >= ODD_VALUES / 4, "{name}: the values are not odd enough");
    }
    let after = series(&normalizer);
    assert!(after == before, "new series: {:?}", after.difference(&before).collect::<Vec<_>>());
    eprintln!("{} series before and after {ODD_VALUES} odd values", before.len());
    assert_eq!(normalizer.terminate(SHUTDOWN_WITHIN), Some(0), "exit code");
}

/// A status word, an event or a channel that nobody has heard of, with headers of the same kind.
fn odd_record(number: u64) -> Raw {
    let (id, word) = (format!("odd-{number}"), format!("WORD_{number}"));
    let report = sms_report(&id, &id, Moment(number));
    let status = MobtextingReport { id: &id, mobile: "919900000001", custom: &id, is_final: true, time: Moment(number) };
    let (vendor, body) = match number % 4 {
        0 => (Vendor::Altcraft, hook(&word, number)),
        1 => (Vendor::Infobip, infobip_results(&[report.json().replace("SMS\",\"sender", &format!("{word}\",\"sender"))])),
        _ => (Vendor::Mobtexting, status.json().replace("DELIVRD", &word)),
    };
    let mut raw = Raw::new(vendor, &id, body);
    if number % 4 == 3 {
        // A header's value lives as long as the test does.
        let value: &'static str = word.leak();
        raw.headers = vec![("x-channel", value), ("x-event", value), ("x-format", value)];
    }
    raw
}

fn assigned(worker: &serde_json::Value) -> usize {
    worker["assignment"].as_array().map_or(0, Vec::len)
}

/// Every kind of bad input, each between good records of the same partition.
///
/// All stand in partition 2, and the bad ones behind offset 2: a partition taken for an offset shows.
fn bad_input() -> Vec<Raw> {
    let text_for_status = infobip_body_with_text_for_status();
    let unknown = hook("fax_send", BY_HAND + 10);
    let bad_time = MobtextingReport {
        id: "9f1b2c3d-0000-4000-a000-000000000001:1",
        mobile: "919900000001",
        custom: "unread",
        is_final: true,
        time: Moment(0),
    }
    .with_bad_time();
    let cut = hook("send", BY_HAND + 11).replace('}', "");
    let bad: Vec<Raw> = vec![
        whole(Vendor::Infobip, "invalid_json", b"{\"results\":[{\"messageId\":\"\xff\xfe\"}]}".to_vec()),
        whole(Vendor::Altcraft, "invalid_json", cut.into()),
        whole(Vendor::Mobtexting, "invalid_json", Vec::new()),
        whole(Vendor::Infobip, "too_deep", ["[".repeat(200), "]".repeat(200)].concat().into()),
        whole(Vendor::Infobip, "too_large", format!("{{\"results\":\"{}\"}}", "x".repeat(5_000_000)).into()),
        one_item(Vendor::Altcraft, "unknown_event", &unknown),
        one_item(Vendor::Mobtexting, "invalid_timestamp", &bad_time),
        text_for_status,
        Raw { value: None, ..Raw::new(Vendor::Infobip, "subject-gone", "") },
        Raw::new(Vendor::Mobtexting, "subject-probe", MOBTEXTING_PROBE),
    ];
    let mut own = BY_HAND + 100;
    let mut good = |vendor| {
        own += 1;
        good_record(vendor, own)
    };
    let mut records: Vec<Raw> = Vendor::ALL.into_iter().cycle().take(12).map(&mut good).collect();
    for raw in bad {
        let neighbor = good(raw.vendor);
        records.extend([raw, neighbor]);
    }
    for (index, raw) in records.iter_mut().enumerate() {
        raw.partition = Some(2);
        raw.timestamp -= 60_000 - index as i64;
        raw.headers = vec![("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("x-gateway", "edge-7")];
    }
    records
}

/// A body of which nothing can be read: one dead letter of the whole.
fn whole(vendor: Vendor, reason: &'static str, value: Vec<u8>) -> Raw {
    let mut raw = Raw::new(vendor, &format!("subject-{reason}"), value.clone());
    raw.dead_letters.push(DeadLetter::body(reason, value));
    raw
}

/// A body that is one item, and bad.
fn one_item(vendor: Vendor, reason: &'static str, item: &str) -> Raw {
    let mut raw = Raw::new(vendor, &format!("subject-{reason}"), item);
    raw.dead_letters.push(DeadLetter::item(reason, 0, item));
    raw
}

/// A text where the status object belongs, in the second of three reports.
fn infobip_body_with_text_for_status() -> Raw {
    let mut raw = Raw::new(Vendor::Infobip, "subject-shape", "");
    let items: Vec<String> = (0..3)
        .map(|item| {
            let own = BY_HAND + item;
            let (message_id, callback_data) = (format!("shape-{item}"), own_text(own));
            let report = sms_report(&message_id, &callback_data, Moment(own));
            let (good, wrong) = (report.json(), report.with_wrong_status());
            if item == 1 {
                raw.dead_letters.push(DeadLetter::item("invalid_shape", 1, &wrong));
                return wrong;
            }
            raw.outputs.push(Output { stream: "sms", key: message_id, own });
            good
        })
        .collect();
    raw.value = Some(infobip_results(&items).into());
    raw
}

fn good_record(vendor: Vendor, own: u64) -> Raw {
    let (id, own_text) = (format!("good-{own}"), own_text(own));
    let (stream, key, body) = match vendor {
        Vendor::Infobip => {
            let report = sms_report(&id, &own_text, Moment(own)).json();
            ("sms", id, infobip_results(&[report]))
        }
        Vendor::Mobtexting => {
            let time = Moment(own);
            let report = MobtextingReport { id: &id, mobile: "919900000001", custom: &own_text, is_final: true, time }.json();
            ("sms", id, report)
        }
        Vendor::Altcraft => ("email", format!("mail-{own}"), hook("deliv", own)),
    };
    let mut raw = Raw::new(vendor, "subject-good", body);
    raw.outputs.push(Output { stream, key, own });
    raw
}

fn sms_report<'a>(message_id: &'a str, callback_data: &'a str, done_at: Moment) -> InfobipReport<'a> {
    InfobipReport { channel: "SMS", message_id, callback_data, destination: "491700000001", is_final: true, done_at }
}

fn hook(event_type: &str, own: u64) -> String {
    AltcraftHook {
        event_type,
        profile_id: "65e2d1f0a8c4b91d2c7e4f10",
        send_message_id: &format!("mail-{own}"),
        launch_id: &own_text(own),
        event_date: Moment(own),
    }
    .json()
}

#[test]
fn missing_topics_are_all_named_with_the_command_that_makes_them() {
    // The streams that the three vendors' events can go to today.
    const STREAMS: [&str; 13] = [
        "apple-messages",
        "email",
        "kakao-alim",
        "kakao-chingu",
        "line",
        "messenger",
        "mms",
        "push",
        "rcs",
        "sms",
        "viber",
        "whatsapp",
        "zalo",
    ];
    let scenario = Scenario::with_sources("missing", 3);
    let mut settings = scenario.settings();
    settings["topics"]["create"] = json!(false);
    let mut normalizer = Normalizer::start(&settings);
    assert_eq!(normalizer.wait_exit(EXIT_WITHIN), Some(78), "exit code");
    let log = normalizer.log();
    for topic in STREAMS.iter().chain(&["dead-letters"]).map(|stream| stream_topic(&scenario.prefix, stream)) {
        assert!(log.contains(&topic), "{topic} isn't named");
    }
    assert!(log.contains("kafka-topics") && log.contains("--create"), "the command isn't named");
}
