//! What `/metrics` has from the start, and that the README says it.

mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use event_normalizer::event::Stream;
use event_normalizer::metrics::Metrics;
use event_normalizer::reject::Reason;
use event_normalizer::settings::Settings;
use event_normalizer::vendors;

const SETTINGS: &str = "
kafka: {brokers: 'b:1'}
sources:
  - {topic: raw.a, vendor: altcraft}
  - {topic: raw.m, vendor: mobtexting}
  - {topic: raw.m2, vendor: mobtexting}
delivery: {workers: 2}";

fn metrics() -> Metrics {
    Metrics::new(&Settings::of_yaml(SETTINGS).expect("settings")).expect("metrics")
}

/// Series with their values.
fn series(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.text().expect("the metrics as text");
    let line = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        (series.to_owned(), value.parse().expect("a number"))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

fn of<'a>(series: &'a BTreeMap<String, f64>, name: &str) -> BTreeSet<&'a str> {
    series.keys().map(String::as_str).filter(|series| series.split('{').next() == Some(name)).collect()
}

#[test]
fn the_readme_lists_every_metric() {
    let mut table = "| metric | kind | meaning |\n|---|---|---|\n".to_owned();
    for description in metrics().descriptions() {
        let labels = description.labels.join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        writeln!(table, "| `{}{labels}` | {} | {} |", description.name, description.kind, description.help).expect("a line");
    }
    tables::hold("README.md", "metrics", &table);
}

#[test]
fn names_and_labels_keep_the_rules() {
    const LABELS: [&str; 10] =
        ["cause", "client", "commit", "outcome", "partition", "reason", "stream", "topic", "vendor", "version"];
    for description in metrics().descriptions() {
        let name = description.name;
        assert!(name.starts_with("normalizer_"), "{name}: the prefix");
        assert_eq!(name.ends_with("_total"), description.kind == "counter", "{name}: `_total` is for counters");
        assert!(
            description.kind != "histogram" || name.ends_with("_seconds") || name.ends_with("_records"),
            "{name}: the unit"
        );
        assert!(description.help.ends_with('.'), "{name}: what it says is a sentence");
        for label in description.labels {
            assert!(LABELS.contains(label), "{name}: the label {label} is not known to have a closed list");
            assert!(!name.split('_').any(|word| word == *label), "{name}: the label {label} stands in the name");
        }
    }
}

#[test]
fn every_series_that_the_settings_tell_is_there_at_0() {
    let metrics = metrics();
    let series = series(&metrics);
    for (series, value) in &series {
        let is_0 = *value == 0.0 || series.starts_with("process_") || series.starts_with("normalizer_build_info");
        assert!(is_0, "{series} begins at {value}");
    }
    for description in metrics.descriptions() {
        let name = match description.kind {
            "histogram" => format!("{}_bucket", description.name),
            _ => description.name.to_owned(),
        };
        let is_by_partition = description.labels.contains(&"partition");
        assert_eq!(of(&series, &name).is_empty(), is_by_partition, "{name}");
    }
    let vendors = ["altcraft", "mobtexting"];
    assert_eq!(of(&series, "normalizer_dead_letters_total").len(), vendors.len() * Reason::ALL.len());
    assert_eq!(of(&series, "normalizer_unknown_status_words_total").len(), vendors.len());
    assert_eq!(of(&series, "normalizer_records_consumed_total").len(), 3, "topics");
    assert_eq!(of(&series, "normalizer_translate_duration_seconds_count").len(), vendors.len());
    assert_eq!(of(&series, "normalizer_kafka_connected").len(), 4, "two workers with a consumer and a producer each");
    // Every stream of a vendor's catalogue, and no other.
    let mut expected = BTreeSet::new();
    for vendor in vendors {
        let streams = vendors::find(vendor).expect("an adapter").streams();
        let series =
            |stream: Stream| format!("normalizer_events_produced_total{{stream=\"{}\",vendor=\"{vendor}\"}}", stream.name());
        expected.extend(streams.map(series));
    }
    let produced: BTreeSet<String> = of(&series, "normalizer_events_produced_total").into_iter().map(str::to_owned).collect();
    assert_eq!(produced, expected);
    assert!(produced.iter().all(|series| !series.contains("infobip")), "a vendor that the settings don't name");
}

/// A vendor without a source can still be counted, but only what is counted is there.
#[test]
fn a_count_that_the_settings_did_not_tell_makes_its_series() {
    let metrics = metrics();
    let before = series(&metrics).len();
    metrics.dead_letters.add(0, 3);
    let after = series(&metrics);
    let unknown: Vec<_> = after.iter().filter(|(series, _)| series.contains("infobip")).collect();
    assert_eq!((after.len(), unknown.len()), (before + 1, 1), "{unknown:?}");
    assert_eq!(*unknown[0].1, 3.0);
}

/// The process itself, as other programs tell it.
#[cfg(target_os = "linux")]
#[test]
fn the_process_is_told_of() {
    let series = series(&metrics());
    for name in [
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_threads",
        "process_virtual_memory_bytes",
    ] {
        assert_eq!(of(&series, name).len(), 1, "{name}");
    }
}
