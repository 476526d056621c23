//! The sample of Strimzi's resources has every topic that the program may write to.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use event_normalizer::settings::Settings;
use yaml_rust2::YamlLoader;

use super::chart::Chart;

pub fn has_every_topic() -> Result<()> {
    let samples = Chart::of_the_repository().folder().join("samples");
    let values = YamlLoader::load_from_str(&fs::read_to_string(samples.join("strimzi-values.yaml"))?)?;
    let sources = values.first().context("no values")?["settings"]["sources"].as_vec().context("no sources")?.clone();
    let sources: Vec<_> = sources
        .iter()
        .map(|source| {
            let [topic, vendor] = ["topic", "vendor"].map(|key| source[key].as_str().unwrap_or_default());
            format!("{{topic: {topic}, vendor: {vendor}}}")
        })
        .collect();
    let settings = Settings::of_yaml(&format!("kafka: {{brokers: 'b:1'}}\nsources: [{}]", sources.join(", ")))?;
    let mut expected: BTreeSet<String> = settings.stream_topics().into_values().collect();
    expected.insert(settings.topics.dead_letters.clone());
    expected.extend(settings.sources.iter().map(|source| source.topic.clone()));

    let objects = YamlLoader::load_from_str(&fs::read_to_string(samples.join("strimzi-topics.yaml"))?)?;
    let listed: BTreeSet<String> =
        objects.iter().filter_map(|object| Some(object["metadata"]["name"].as_str()?.to_owned())).collect();
    let missing: Vec<_> = expected.difference(&listed).collect();
    let extra: Vec<_> = listed.difference(&expected).collect();
    ensure!(missing.is_empty() && extra.is_empty(), "strimzi-topics.yaml lacks {missing:?}, has {extra:?}");
    Ok(())
}
