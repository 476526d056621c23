//! A real Prometheus scrapes a real run under load: every query of the dashboards gives data, and three alerts fire when
//! what they are about is brought about on purpose.
//!
//! The rules are those that are shipped, but for their times: see [`hurry`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::dashboards::Dashboard;
use super::rules;
use super::support::bodies::{InfobipReport, Moment, infobip_results};
use super::support::check::stream_topic;
use super::support::feed::Feed;
use super::support::kafka::tail;
use super::support::leash::Leash;
use super::support::load::{Load, Raw, Vendor, now_ms};
use super::support::normalizer::Normalizer;
use super::support::scenario::{SHUTDOWN_WITHIN, Scenario};
use super::support::wait::poll;

/// So many seconds of the hurried rules are one minute of those that are shipped.
const SECONDS_A_MINUTE: u64 = 4;
/// The ranges of the dashboards' queries.
const RATE_INTERVAL: &str = "15s";
const READY_WITHIN: Duration = Duration::from_secs(60);
const DATA_WITHIN: Duration = Duration::from_secs(120);
const FIRES_WITHIN: Duration = Duration::from_secs(240);
/// Longer than a transaction of the scenario may live.
const PRODUCE_DELAY: Duration = Duration::from_secs(8);
/// What the topic of MMS takes, which the load leaves alone, since it means whole batches; and a text that does not fit.
const MMS_BYTES_MAX: &str = "20000";
const LONG_TEXT: usize = 30_000;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub fn run() -> ExitCode {
    match watch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The rules with minutes that pass faster: in ranges, in `for`, and in the seconds since the last commit. Hours, days and all
/// other thresholds stay.
fn hurry(rules: &str) -> String {
    let mut hurried =
        rules.replace("normalizer_last_commit_timestamp_seconds) > 120", "normalizer_last_commit_timestamp_seconds) > 8");
    for minutes in [1, 5, 10, 15, 30] {
        let seconds = minutes * SECONDS_A_MINUTE;
        for (before, after) in [("[", "]"), ("[", ":"), (":", "]"), ("for: ", "\n"), ("offset ", ")")] {
            hurried = hurried.replace(&format!("{before}{minutes}m{after}"), &format!("{before}{seconds}s{after}"));
        }
    }
    hurried
}

/// A Prometheus of our own, with its files.
struct Prometheus {
    address: String,
    process: Child,
    _leash: Leash,
    folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(target: &str) -> Result<Prometheus> {
        let folder = tempfile::tempdir()?;
        let rules = fs::read_to_string(rules::folder().join("event-normalizer.yaml"))?;
        fs::write(folder.path().join("rules.yaml"), hurry(&rules))?;
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yaml]\nscrape_configs:\n\
             - {{job_name: normalizer, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        fs::write(folder.path().join("prometheus.yaml"), config)?;
        let address = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let log = File::create(folder.path().join("log"))?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.path().join("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("prometheus is missing: apt-get install prometheus")?;
        let leash = Leash::on_process(process.id(), &folder.path().to_string_lossy());
        let prometheus = Prometheus { address, process, _leash: leash, folder };
        let is_ready = poll(READY_WITHIN, || prometheus.get("/-/ready").ok());
        ensure!(is_ready.is_some(), "Prometheus is not ready:\n{}", tail(&prometheus.folder.path().join("log"), 20));
        Ok(prometheus)
    }

    fn get(&self, path: &str) -> Result<String> {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).build().into();
        Ok(agent.get(format!("http://{}{path}", self.address)).call()?.body_mut().read_to_string()?)
    }

    /// How many series a query gives.
    fn query(&self, expression: &str) -> Result<usize> {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).build().into();
        let mut answer = agent.post(format!("http://{}/api/v1/query", self.address)).send_form([("query", expression)])?;
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        Ok(answer["data"]["result"].as_array().map_or(0, Vec::len))
    }

    /// The alerts that fire.
    fn firing(&self) -> Result<BTreeSet<String>> {
        let answer: Value = serde_json::from_str(&self.get("/api/v1/alerts")?)?;
        let alerts = answer["data"]["alerts"].as_array().context("no list of alerts")?;
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        Ok(firing.filter_map(|alert| alert["labels"]["alertname"].as_str()).map(str::to_owned).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the load consists of, and when it ends.
#[derive(Default)]
struct Tap {
    /// Records that can't be normalized come along.
    is_bad: AtomicBool,
    /// Records come along whose events the broker refuses.
    is_refused: AtomicBool,
    is_closed: AtomicBool,
}

/// Writes records at a steady rate until the tap is closed: good ones, and others where the tap says so.
fn load(feed: &mut Feed, seed: u64, tap: &Tap) {
    const SLICE: usize = 100;
    const SLICES_BY_REFUSED: usize = 40;
    const PAUSE: Duration = Duration::from_millis(200);
    let mut good = Load::new(seed, 300, 0, now_ms()).filter(|raw| raw.dead_letters.is_empty());
    let mut bad = Load::new(seed + 1, 300, 10_000_000, now_ms()).filter(|raw| !raw.dead_letters.is_empty());
    for slice in 0.. {
        if tap.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let bad_ones = if tap.is_bad.load(Ordering::Relaxed) { SLICE / 5 } else { 0 };
        // Each costs some transactions, with longer and longer pauses between, until it is found: some ten seconds in all.
        let refused_ones = usize::from(tap.is_refused.load(Ordering::Relaxed) && slice % SLICES_BY_REFUSED == 0);
        let refused = (0..refused_ones).map(|_| refused_record());
        let records = good.by_ref().take(SLICE).chain(bad.by_ref().take(bad_ones)).chain(refused).map(|mut raw| {
            raw.timestamp = now_ms();
            raw
        });
        feed.send_on(records);
        thread::sleep(PAUSE); // A rate is time: there is no condition to wait for.
    }
}

/// Its event is longer than the topic takes, so that the transaction fails, again and again until it is known for which.
fn refused_record() -> Raw {
    let report = InfobipReport {
        channel: "MMS",
        message_id: "refused",
        callback_data: "refused",
        destination: "491700000001",
        is_final: true,
        done_at: Moment(0),
    };
    Raw::new(Vendor::Infobip, "refused", infobip_results(&[report.with_description(&"x".repeat(LONG_TEXT))]))
}

fn watch() -> Result<()> {
    let scenario = Scenario::with_sources("watched", 3);
    scenario.kafka.create_topic(&stream_topic(&scenario.prefix, "mms"), 3, &[("max.message.bytes", MMS_BYTES_MAX)]);
    let (address, proxy) = scenario.kafka.through_proxy();
    let mut settings = scenario.settings();
    settings["kafka"]["brokers"] = json!(address);
    // One, since two would have aborts and commits in another ratio each time.
    settings["delivery"]["workers"] = json!(1);
    // The lag comes with the statistics.
    settings["kafka"]["consumer_options"]["statistics.interval.ms"] = json!("1000");
    settings["kafka"]["producer_options"]["statistics.interval.ms"] = json!("1000");
    let mut normalizer = Normalizer::start(&settings);
    normalizer.wait_ready();
    let prometheus = Prometheus::start(normalizer.address())?;
    let tap = Tap::default();
    let mut feed = scenario.feed(Vec::new());
    let watched = thread::scope(|threads| {
        threads.spawn(|| load(&mut feed, scenario.seed, &tap));
        let watched = every_query_gives_data(&prometheus)
            .and_then(|()| {
                tap.is_bad.store(true, Ordering::Relaxed);
                let fired = fires(&prometheus, "NormalizerDeadLetterRatioHigh");
                tap.is_bad.store(false, Ordering::Relaxed);
                fired
            })
            .and_then(|()| {
                tap.is_refused.store(true, Ordering::Relaxed);
                let fired = fires(&prometheus, "NormalizerTransactionsAborting");
                tap.is_refused.store(false, Ordering::Relaxed);
                fired
            })
            .and_then(|()| {
                // Nothing that is sent arrives within the life of its transaction, so that none is committed.
                proxy.delay_produce(PRODUCE_DELAY);
                let fired = fires(&prometheus, "NormalizerStalled");
                proxy.heal();
                fired
            })
            .and_then(|()| rest(&prometheus));
        tap.is_closed.store(true, Ordering::Relaxed);
        watched
    });
    if watched.is_err() {
        eprintln!("the normalizer's log ends with:\n{}", tail(&normalizer.log_file(), 60));
    }
    watched?;
    scenario.until_drained(&mut normalizer);
    ensure!(normalizer.terminate(SHUTDOWN_WITHIN) == Some(0), "exit code");
    Ok(())
}

/// Asks every query of every dashboard as Grafana does, with all jobs and instances chosen.
fn every_query_gives_data(prometheus: &Prometheus) -> Result<()> {
    let mut count = 0;
    for query in Dashboard::all()?.iter().flat_map(Dashboard::queries) {
        let expression = query.expression.replace("$__rate_interval", RATE_INTERVAL);
        let expression = ["$job", "$instance", "$vendor"].iter().fold(expression, |text, name| text.replace(name, ".+"));
        let found = poll(DATA_WITHIN, || prometheus.query(&expression).ok().filter(|series| *series > 0));
        ensure!(found.is_some(), "{} gives nothing: {expression}", query.place);
        count += 1;
    }
    eprintln!("{count} queries of the dashboards give data");
    Ok(())
}

/// Waits until an alert fires that did not so far.
fn fires(prometheus: &Prometheus, alert: &str) -> Result<()> {
    let is_firing = || prometheus.firing().ok().map(|firing| firing.contains(alert));
    ensure!(is_firing() == Some(false), "{alert} fires before there is a cause");
    let fired = poll(FIRES_WITHIN, || is_firing().filter(|is_firing| *is_firing));
    ensure!(fired.is_some(), "{alert} does not fire within {FIRES_WITHIN:?}; these do: {:?}", prometheus.firing());
    eprintln!("{alert} fires");
    Ok(())
}

/// Waits until the three are over, once what they were about is.
fn rest(prometheus: &Prometheus) -> Result<()> {
    const THREE: [&str; 3] = ["NormalizerStalled", "NormalizerDeadLetterRatioHigh", "NormalizerTransactionsAborting"];
    let is_over = |firing: BTreeSet<String>| THREE.iter().all(|alert| !firing.contains(*alert)).then_some(());
    let over = poll(FIRES_WITHIN, || prometheus.firing().ok().and_then(is_over));
    ensure!(over.is_some(), "the faults are over, and still these fire: {:?}", prometheus.firing());
    eprintln!("the alerts are over");
    Ok(())
}

/// Only times are changed, and all of them that take minutes.
pub fn hurried_rules_are_the_rules() -> Result<()> {
    let rules = fs::read_to_string(rules::folder().join("event-normalizer.yaml"))?;
    let hurried = hurry(&rules);
    let minutes = hurried.lines().filter(|line| line.contains("[") || line.contains("for:")).find(|line| {
        line.split(|letter: char| !letter.is_ascii_alphanumeric())
            .any(|word| word.strip_suffix('m').is_some_and(|number| number.parse::<u32>().is_ok()))
    });
    ensure!(minutes.is_none(), "this still takes minutes: {minutes:?}");
    ensure!(hurried.lines().count() == rules.lines().count(), "lines were lost");
    let changed = rules.lines().zip(hurried.lines()).filter(|(before, after)| before != after).count();
    ensure!(changed > 20, "only {changed} lines have shorter times");
    Ok(())
}
