//! What the attributes of a CloudEvent must be, for each envelope.

use std::collections::BTreeMap;

use anyhow::Result;
use event_normalizer::avro::SCHEMA_TEXT;
use serde_json::json;

use super::corpus::{Expected, Place};
use super::stage::{Framing, Stage};

/// The envelopes, each with the attributes of its CloudEvent beside its fields.
pub fn expected(stage: &Stage) -> Result<BTreeMap<Place, Expected>> {
    let topic = &stage.topics(Framing::Confluent)[0];
    // It is there already: the answer is its id.
    let id = stage.registry.register(&format!("{topic}-value"), SCHEMA_TEXT)?;
    let schema = format!("{}/schemas/ids/{id}", stage.registry.url());
    let expected = stage.corpus.expected.iter().map(|(place, Expected { case, envelope })| {
        let mut envelope = envelope.clone();
        let text = |name: &str| envelope.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        let attributes = json!({
            "specversion": "1.0",
            "id": text("event_id"),
            "source": format!("urn:event-normalizer:{}", text("vendor")),
            "type": format!("event_normalizer.{}", text("event_type")),
            "time": envelope.get("occurred_at"),
            "datacontenttype": "application/avro",
            "dataschema": &schema,
        });
        envelope.insert("cloud_event".to_owned(), attributes);
        (place.clone(), Expected { case: case.clone(), envelope })
    });
    Ok(expected.collect())
}
