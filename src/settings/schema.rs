//! The settings as a JSON Schema, of which their reference and the chart's own schema are made.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::Settings;
use crate::event::Stream;
use crate::vendors::ADAPTERS;

impl Settings {
    /// Every key with its type or words, its limits, its default and its meaning, as a JSON Schema of draft 7.
    pub fn schema() -> Schema {
        let mut settings = SchemaSettings::draft07().with_transform(RecursiveTransform(as_a_user_reads_it));
        settings.meta_schema = None;
        settings.inline_subschemas = true;
        settings.into_generator().into_root_schema_for::<Settings>()
    }
}

/// Leaves out what is Rust's, not YAML's: an optional key is one that need not be there, and its number is any that fits.
fn as_a_user_reads_it(schema: &mut Schema) {
    schema.remove("title");
    schema.remove("format");
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = &mut types[..] {
            let only = only.take();
            schema.insert("type".to_owned(), only);
        }
    }
    // Doc comments are wrapped where the code is.
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// Options of librdkafka. All are text to it, and YAML's numbers are read as such.
pub(super) fn options(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": ["string", "integer", "boolean"] } })
}

/// A topic for some of the streams.
pub(super) fn topics_by_stream(_: &mut SchemaGenerator) -> Schema {
    let streams: Vec<_> = Stream::all().map(Stream::name).collect();
    json_schema!({ "type": "object", "propertyNames": { "enum": streams }, "additionalProperties": { "type": "string" } })
}

/// A vendor that is understood.
pub(super) fn vendor(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ADAPTERS.map(|adapter| adapter.vendor) })
}
