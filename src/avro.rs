//! The wire format: an envelope as Avro, framed in single-object encoding or with the id that a schema registry gave.

mod positional;
mod samples;

use anyhow::{Context, Result, ensure};
pub use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use bumpalo::Bump;

use crate::envelope::Envelope;

/// The schema of the envelope, as it is published.
pub const SCHEMA_TEXT: &str = include_str!("../schemas/envelope.avsc");

/// The schema's full name.
pub const RECORD_NAME: &str = "event_normalizer.Envelope";

/// First bytes of a value in Avro single-object encoding; the schema's fingerprint follows.
const SINGLE_OBJECT_MARKER: [u8; 2] = [0xC3, 0x01];
const SINGLE_OBJECT_BYTES: usize = 10;
/// First byte of a value in Confluent's wire format; the schema's id follows, as four bytes, big-endian.
const REGISTRY_MARKER: u8 = 0;

/// What stands before the datum, so that a reader knows the schema.
#[derive(Debug, Clone, Copy)]
enum Frame {
    SingleObject([u8; SINGLE_OBJECT_BYTES]),
    Registry([u8; 5]),
}

/// Encodes envelopes by position, after checking once that this gives what the schema says.
#[derive(Debug, Clone, Copy)]
pub struct Encoder {
    frame: Frame,
}

impl Encoder {
    /// Checks the positional encoder against apache-avro on envelopes that fill every field and none.
    ///
    /// # Errors
    /// The embedded schema and the Rust types have come apart: a fault of the build.
    pub fn verified() -> Result<Self> {
        let schema = schema()?;
        ensure!(
            schema.name().is_some_and(|name| name.fullname(None) == RECORD_NAME),
            "schemas/envelope.avsc has another name than {RECORD_NAME}"
        );
        let encoder = Self { frame: Frame::SingleObject(single_object(&schema)?) };
        let arena = Bump::new();
        let mut bytes = Vec::new();
        for envelope in [samples::full(&arena), samples::empty(&arena)] {
            encoder.encode(&envelope, &mut bytes);
            check(&schema, &envelope, &bytes)?;
        }
        Ok(encoder)
    }

    /// Frames with a registry's id, in Confluent's wire format.
    #[must_use]
    pub fn with_schema_id(self, id: u32) -> Self {
        let [a, b, c, d] = id.to_be_bytes();
        Self { frame: Frame::Registry([REGISTRY_MARKER, a, b, c, d]) }
    }

    /// The registry's id in the frame, where it has one.
    pub fn schema_id(&self) -> Option<u32> {
        match self.frame {
            Frame::SingleObject(_) => None,
            Frame::Registry([_, id @ ..]) => Some(u32::from_be_bytes(id)),
        }
    }

    /// Writes the framed envelope into `buffer`, which is cleared first.
    pub fn encode(&self, envelope: &Envelope<'_>, buffer: &mut Vec<u8>) {
        buffer.clear();
        match &self.frame {
            Frame::SingleObject(frame) => buffer.extend_from_slice(frame),
            Frame::Registry(frame) => buffer.extend_from_slice(frame),
        }
        positional::append(envelope, buffer);
    }
}

/// The parsed schema.
///
/// # Errors
/// The embedded text is not an Avro schema: a fault of the build.
pub fn schema() -> Result<Schema> {
    Schema::parse_str(SCHEMA_TEXT).context("schemas/envelope.avsc is not a valid Avro schema")
}

/// The fingerprint by which a value in single-object encoding names its schema: CRC-64-AVRO of its canonical form, as the
/// eight bytes stand in the frame.
///
/// # Errors
/// As [`schema`].
pub fn fingerprint() -> Result<String> {
    let fingerprint = plain(&schema()?)?.fingerprint::<Rabin>();
    Ok(fingerprint.bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a text is a schema that reads and writes the same bytes as this build's.
pub fn is_same_schema(text: &str) -> bool {
    let canonical = |schema: Schema| Some(plain(&schema).ok()?.canonical_form());
    let [own, other] = [schema().ok(), Schema::parse_str(text).ok()].map(|schema| schema.and_then(canonical));
    own.is_some() && own == other
}

/// Holds the encoder's framed bytes of an envelope against apache-avro: the same bytes as its own serializer, and readable.
///
/// # Errors
/// Says which of the two differs.
pub fn check(schema: &Schema, envelope: &Envelope<'_>, framed: &[u8]) -> Result<()> {
    let reference = GenericDatumWriter::builder(schema).human_readable(false).build()?.write_ser_to_vec(envelope)?;
    let datum = framed.get(SINGLE_OBJECT_BYTES..).context("the value is shorter than its frame")?;
    ensure!(datum == reference, "the positional encoder and apache-avro write different bytes");
    decode(schema, framed).map(drop)
}

/// Reads a framed value with apache-avro.
///
/// # Errors
/// The frame is not ours, or the datum is not of this schema, or bytes are left over.
pub fn decode(schema: &Schema, framed: &[u8]) -> Result<Value> {
    let (found, mut datum) = framed.split_at_checked(SINGLE_OBJECT_BYTES).context("the value is shorter than its frame")?;
    ensure!(found == single_object(schema)?, "the value is not a single object of this schema");
    let value = GenericDatumReader::builder(schema).build()?.read_value(&mut datum)?;
    ensure!(datum.is_empty(), "bytes are left over after the datum");
    Ok(value)
}

/// Reads a framed value as JSON, for people.
///
/// # Errors
/// As [`decode`].
pub fn decode_json(schema: &Schema, framed: &[u8]) -> Result<serde_json::Value> {
    serde_json::Value::try_from(decode(schema, framed)?).context("the value has no JSON form")
}

/// The schema without what doesn't change its bytes. Its canonical form is that of Avro's specification only from here on:
/// apache-avro leaves `{"type":"long"}` where a logical type was taken away (apache/avro-rs#61).
fn plain(schema: &Schema) -> Result<Schema> {
    Ok(Schema::parse_str(&schema.canonical_form())?)
}

fn single_object(schema: &Schema) -> Result<[u8; SINGLE_OBJECT_BYTES]> {
    let fingerprint = plain(schema)?.fingerprint::<Rabin>().bytes;
    let mut frame = [0; SINGLE_OBJECT_BYTES];
    frame[..2].copy_from_slice(&SINGLE_OBJECT_MARKER);
    ensure!(fingerprint.len() == 8, "a CRC-64-AVRO fingerprint has 8 bytes");
    frame[2..].copy_from_slice(&fingerprint);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_writes_what_the_schema_says() {
        Encoder::verified().unwrap();
    }

    /// As Avro for Java and fastavro compute it from `schemas/envelope.avsc`.
    #[test]
    fn the_fingerprint_is_the_one_that_other_libraries_compute() {
        assert_eq!(fingerprint().unwrap(), "e959c8ecea52b808");
    }

    #[test]
    fn a_registrys_id_stands_before_the_same_datum() {
        let arena = Bump::new();
        let encoder = Encoder::verified().unwrap();
        let (mut single, mut framed) = (Vec::new(), Vec::new());
        encoder.encode(&samples::full(&arena), &mut single);
        encoder.with_schema_id(0x0102_0304).encode(&samples::full(&arena), &mut framed);
        assert_eq!(framed[..5], [0, 1, 2, 3, 4]);
        assert_eq!(framed[5..], single[SINGLE_OBJECT_BYTES..]);
    }

    #[test]
    fn a_value_of_another_schema_is_refused() {
        let arena = Bump::new();
        let mut bytes = Vec::new();
        Encoder::verified().unwrap().encode(&samples::empty(&arena), &mut bytes);
        bytes[3] ^= 1;
        let error = decode(&schema().unwrap(), &bytes).unwrap_err();
        assert_eq!(error.to_string(), "the value is not a single object of this schema");
    }
}
