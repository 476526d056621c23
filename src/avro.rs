//! The wire format: an envelope as Avro, framed in single-object encoding.

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

/// First bytes of a value in Avro single-object encoding; the schema's fingerprint follows.
const SINGLE_OBJECT_MARKER: [u8; 2] = [0xC3, 0x01];
const FRAME_BYTES: usize = 10;

/// Encodes envelopes by position, after checking once that this gives what the schema says.
#[derive(Debug, Clone)]
pub struct Encoder {
    frame: [u8; FRAME_BYTES],
}

impl Encoder {
    /// Checks the positional encoder against apache-avro on envelopes that fill every field and none.
    ///
    /// # Errors
    /// The embedded schema and the Rust types have come apart: a fault of the build.
    pub fn verified() -> Result<Self> {
        let schema = schema()?;
        let encoder = Self { frame: frame(&schema)? };
        let arena = Bump::new();
        let mut bytes = Vec::new();
        for envelope in [samples::full(&arena), samples::empty(&arena)] {
            encoder.encode(&envelope, &mut bytes);
            check(&schema, &envelope, &bytes)?;
        }
        Ok(encoder)
    }

    /// Writes the framed envelope into `buffer`, which is cleared first.
    pub fn encode(&self, envelope: &Envelope<'_>, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(&self.frame);
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

/// Holds the encoder's framed bytes of an envelope against apache-avro: the same bytes as its own serializer, and readable.
///
/// # Errors
/// Says which of the two differs.
pub fn check(schema: &Schema, envelope: &Envelope<'_>, framed: &[u8]) -> Result<()> {
    let reference = GenericDatumWriter::builder(schema).human_readable(false).build()?.write_ser_to_vec(envelope)?;
    let datum = framed.get(FRAME_BYTES..).context("the value is shorter than its frame")?;
    ensure!(datum == reference, "the positional encoder and apache-avro write different bytes");
    decode(schema, framed).map(drop)
}

/// Reads a framed value with apache-avro.
///
/// # Errors
/// The frame is not ours, or the datum is not of this schema, or bytes are left over.
pub fn decode(schema: &Schema, framed: &[u8]) -> Result<Value> {
    let (found, mut datum) = framed.split_at_checked(FRAME_BYTES).context("the value is shorter than its frame")?;
    ensure!(found == frame(schema)?, "the value is not a single object of this schema");
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

fn frame(schema: &Schema) -> Result<[u8; FRAME_BYTES]> {
    let fingerprint = schema.fingerprint::<Rabin>().bytes;
    let mut frame = [0; FRAME_BYTES];
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
