//! Writes a value as an Avro datum by the order of its fields, without a schema at run time.
//!
//! That is right as long as the fields stand in the schema's order and every union is `["null", T]`;
//! `Encoder::verified` checks it at start-up. What has no such form (floats of 32 bits, tuples, enums with data) is
//! not written by any type of the envelope and fails that check.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Impossible};

/// Appends the datum of `value` to `buffer`.
///
/// # Panics
/// A type of the envelope has no positional form; the check at start-up finds that before any record is read.
pub fn append<T: Serialize>(value: &T, buffer: &mut Vec<u8>) {
    value.serialize(&mut Positional { buffer }).expect("the envelope's types have a positional form");
}

struct Positional<'b> {
    buffer: &'b mut Vec<u8>,
}

impl Positional<'_> {
    /// An Avro int or long: zigzag, then 7 bits a byte, least significant first.
    #[inline]
    fn long(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.buffer.push((rest as u8) | 0x80);
            rest >>= 7;
        }
        self.buffer.push(rest as u8);
    }

    #[inline]
    fn bytes(&mut self, value: &[u8]) {
        self.long(value.len() as i64);
        self.buffer.extend_from_slice(value);
    }
}

#[derive(Debug)]
struct NoForm(String);

impl fmt::Display for NoForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no positional Avro form", self.0)
    }
}

impl std::error::Error for NoForm {}

impl ser::Error for NoForm {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

fn no_form<T>(what: &str) -> Result<T, NoForm> {
    Err(NoForm(what.to_owned()))
}

impl<'p, 'b> ser::Serializer for &'p mut Positional<'b> {
    type Ok = ();
    type Error = NoForm;
    type SerializeSeq = Impossible<(), NoForm>;
    type SerializeTuple = Impossible<(), NoForm>;
    type SerializeTupleStruct = Impossible<(), NoForm>;
    type SerializeTupleVariant = Impossible<(), NoForm>;
    type SerializeMap = Block<'p, 'b>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), NoForm>;

    fn serialize_bool(self, value: bool) -> Result<(), NoForm> {
        self.buffer.push(u8::from(value));
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), NoForm> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), NoForm> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Result<(), NoForm> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), NoForm> {
        self.long(value);
        Ok(())
    }

    fn serialize_u8(self, _: u8) -> Result<(), NoForm> {
        no_form("u8")
    }

    fn serialize_u16(self, _: u16) -> Result<(), NoForm> {
        no_form("u16")
    }

    fn serialize_u32(self, _: u32) -> Result<(), NoForm> {
        no_form("u32")
    }

    fn serialize_u64(self, _: u64) -> Result<(), NoForm> {
        no_form("u64")
    }

    fn serialize_f32(self, _: f32) -> Result<(), NoForm> {
        no_form("f32")
    }

    fn serialize_f64(self, value: f64) -> Result<(), NoForm> {
        self.buffer.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, _: char) -> Result<(), NoForm> {
        no_form("char")
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), NoForm> {
        self.bytes(value.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), NoForm> {
        self.bytes(value);
        Ok(())
    }

    /// Branch 0 of `["null", T]`.
    #[inline]
    fn serialize_none(self) -> Result<(), NoForm> {
        self.buffer.push(0);
        Ok(())
    }

    /// Branch 1 of `["null", T]`.
    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NoForm> {
        self.buffer.push(2);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NoForm> {
        no_form("unit")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), NoForm> {
        no_form(name)
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, _: &'static str) -> Result<(), NoForm> {
        no_form(name)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NoForm> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NoForm> {
        no_form(name)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, NoForm> {
        no_form("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, NoForm> {
        no_form("a tuple")
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, NoForm> {
        no_form(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NoForm> {
        no_form(name)
    }

    /// One block with all entries, then the empty block that ends the map.
    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Block<'p, 'b>, NoForm> {
        let Some(length) = length else { return no_form("a map of unknown length") };
        if length > 0 {
            self.long(length as i64);
        }
        Ok(Block { positional: self })
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoForm> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NoForm> {
        no_form(name)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl ser::SerializeStruct for &mut Positional<'_> {
    type Ok = ();
    type Error = NoForm;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), NoForm> {
        value.serialize(&mut **self)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), NoForm> {
        no_form(name)
    }

    #[inline]
    fn end(self) -> Result<(), NoForm> {
        Ok(())
    }
}

struct Block<'p, 'b> {
    positional: &'p mut Positional<'b>,
}

impl ser::SerializeMap for Block<'_, '_> {
    type Ok = ();
    type Error = NoForm;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoForm> {
        key.serialize(&mut *self.positional)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoForm> {
        value.serialize(&mut *self.positional)
    }

    #[inline]
    fn end(self) -> Result<(), NoForm> {
        self.positional.long(0);
        Ok(())
    }
}
