//! Reading JSON bodies: strictly, then with the two repairs; split into items; errors as rejects without any value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment, Track};

use crate::reject::{Reason, Reject};
use crate::vendors::Batch;

/// Room for the keys of an object before it has to grow.
const KEYS_USUAL: usize = 24;
/// So many keys are compared each with each; beyond that it would take the square of their number.
const KEYS_FEW: usize = 48;

/// More repairs than this in one item are not a slip of the vendor.
const REPAIRS_MAX: usize = 16;

/// The items of a body, as slices of its text.
#[derive(Debug)]
pub enum Items<'a> {
    /// The body is one item.
    One(&'a str),
    /// The elements of a batch, in order.
    Many(BumpVec<'a, &'a RawValue>),
}

/// Splits a valid JSON text into its items.
///
/// # Errors
/// The text is not JSON.
pub fn split<'a>(text: &'a str, batch: Batch, arena: &'a Bump) -> Result<Items<'a>, NotJson> {
    let splitter = match batch {
        Batch::Never => Splitter { key: None, takes_arrays: false, arena },
        Batch::Array => Splitter { key: None, takes_arrays: true, arena },
        Batch::Key(key) => Splitter { key: Some(key), takes_arrays: false, arena },
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let many = deserializer.deserialize_any(splitter).map_err(|_| NotJson)?;
    deserializer.end().map_err(|_| NotJson)?;
    Ok(many.map_or_else(|| Items::One(text.trim_ascii()), Items::Many))
}

#[derive(Debug)]
pub struct NotJson;

/// Collects the elements of an array, or of the array under `key` of an object. An empty array is an empty batch for
/// every vendor.
struct Splitter<'a> {
    key: Option<&'static str>,
    takes_arrays: bool,
    arena: &'a Bump,
}

impl<'de: 'a, 'a> Visitor<'de> for Splitter<'a> {
    type Value = Option<BumpVec<'a, &'a RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = BumpVec::new_in(self.arena);
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok((self.takes_arrays || items.is_empty()).then_some(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut items = None;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if Some(&*key.0) == self.key {
                // The last one holds where the key stands twice.
                items = map.next_value_seed(Elements(self.arena))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(items)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// The elements of an array; `None` for any other value.
struct Elements<'a>(&'a Bump);

impl<'de: 'a, 'a> DeserializeSeed<'de> for Elements<'a> {
    type Value = Option<BumpVec<'a, &'a RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(Splitter { key: None, takes_arrays: true, arena: self.0 })
    }
}

/// An object key, borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The entries of an object in their order, each key once.
pub type Entries<'a> = BumpVec<'a, (&'a str, &'a RawValue)>;

/// Reads [`Entries`].
#[derive(Clone, Copy)]
struct EntriesSeed<'a>(&'a Bump);

impl<'de: 'a, 'a> DeserializeSeed<'de> for EntriesSeed<'a> {
    type Value = Entries<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for EntriesSeed<'a> {
    type Value = Entries<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BumpVec::with_capacity_in(KEYS_USUAL, self.0);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let key = match key {
                Cow::Borrowed(key) => key,
                Cow::Owned(key) => &*self.0.alloc_str(&key),
            };
            entries.push((key, map.next_value()?));
        }
        if has_twice(&entries) { Err(de::Error::custom("expected every key once")) } else { Ok(entries) }
    }
}

fn has_twice(entries: &[(&str, &RawValue)]) -> bool {
    if entries.len() > KEYS_FEW {
        return last_positions(entries.iter().map(|(key, _)| *key)).len() < entries.len();
    }
    (1..entries.len()).any(|position| entries[..position].iter().any(|(key, _)| *key == entries[position].0))
}

/// Where each key stands last. A map, since an object can have very many keys.
fn last_positions<'k>(keys: impl Iterator<Item = &'k str>) -> HashMap<&'k str, usize> {
    keys.enumerate().map(|(position, key)| (key, position)).collect()
}

/// The entries of an object as they stand, keys that stand twice included.
struct AllEntries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for AllEntries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = AllEntries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    entries.push((key.0, map.next_value()?));
                }
                Ok(AllEntries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// Reads one item as `T`. Where the strict parse fails and `lenient` is set, keys that stand twice in an object that is
/// read are repaired: the last one holds. Also says whether that was done.
///
/// # Errors
/// `invalid_shape` with the JSON pointer and what was expected there, never a value.
pub fn parse<'a, T: Deserialize<'a>>(item: &'a str, lenient: bool, arena: &'a Bump) -> Result<(T, bool), Reject> {
    parse_seed(item, PhantomData, lenient, arena)
}

/// As [`parse`], the entries of an object.
///
/// # Errors
/// As [`parse`].
pub fn entries<'a>(item: &'a str, lenient: bool, arena: &'a Bump) -> Result<(Entries<'a>, bool), Reject> {
    parse_seed(item, EntriesSeed(arena), lenient, arena)
}

fn parse_seed<'a, S: DeserializeSeed<'a> + Copy>(
    item: &'a str,
    seed: S,
    lenient: bool,
    arena: &'a Bump,
) -> Result<(S::Value, bool), Reject> {
    // To know the place of an error costs memory and time, and there nearly never is one.
    if let Ok(value) = seed.deserialize(&mut serde_json::Deserializer::from_str(item)) {
        return Ok((value, false));
    }
    let mut text = item;
    for _ in 0..REPAIRS_MAX {
        let (mut deserializer, mut track) = (serde_json::Deserializer::from_str(text), Track::new());
        let error = match seed.deserialize(serde_path_to_error::Deserializer::new(&mut deserializer, &mut track)) {
            Ok(value) => return Ok((value, text.as_ptr() != item.as_ptr())),
            Err(error) => serde_path_to_error::Error::new(track.path(), error),
        };
        if !lenient {
            return Err(shape_error(&error));
        }
        match without_duplicate_keys(text, error.path()) {
            Some(repaired) => text = arena.alloc_str(&repaired),
            None => return Err(shape_error(&error)),
        }
    }
    Err(Reject::invalid_shape("", "an object without repeated keys"))
}

/// Reads the value at the beginning of a text, and gives the text of it too.
pub fn parse_first<'a, T: Deserialize<'a>>(text: &'a str) -> Option<(&'a str, T)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let value = values.next()?.ok()?;
    Some((&text[..values.byte_offset()], value))
}

/// The text behind the further members of an object; `None` where one of them is called `key`, or is none.
pub fn skip_members<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let mut rest = text;
    while let Some(member) = after(rest, ",") {
        let member = skip_space(member);
        let (name, Key(own)) = parse_first::<Key<'_>>(member)?;
        if own == key {
            return None;
        }
        let value = skip_space(after(&member[name.len()..], ":")?);
        let (printed, IgnoredAny) = parse_first(value)?;
        rest = &value[printed.len()..];
    }
    Some(rest)
}

/// As [`parse_first`], the entries of an object that has any.
pub fn entries_first<'a>(text: &'a str, arena: &'a Bump) -> Option<(&'a str, Entries<'a>)> {
    let entries = EntriesSeed(arena).deserialize(&mut serde_json::Deserializer::from_str(text)).ok()?;
    let (_, last) = entries.last()?;
    let end = last.get().as_ptr() as usize - text.as_ptr() as usize + last.get().len();
    let rest = after(&text[end..], "}")?;
    Some((&text[..text.len() - rest.len()], entries))
}

/// Reads the entries of an object without saying what is wrong.
pub fn entries_strict<'a>(text: &'a str, arena: &'a Bump) -> Option<Entries<'a>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let entries = EntriesSeed(arena).deserialize(&mut deserializer).ok()?;
    deserializer.end().is_ok().then_some(entries)
}

/// Reads one item as `T` without saying what is wrong: for the parse that nearly always succeeds.
pub fn parse_strict<'a, T: Deserialize<'a>>(item: &'a str) -> Option<T> {
    serde_json::from_str(item).ok()
}

/// serde's own text quotes the value. Kept of it is only what was expected, which is our own words.
fn shape_error(error: &serde_path_to_error::Error<serde_json::Error>) -> Reject {
    let pointer = pointer(error.path());
    let text = error.inner().to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    if error.inner().classify() != Category::Data {
        return Reject::new(Reason::InvalidJson, "expected JSON");
    }
    if let Some(field) = text.strip_prefix("missing field ") {
        return Reject::invalid_shape(&pointer, &format!("a field {field}"));
    }
    let expected = text.rsplit_once("expected ").map_or("every key once", |(_, expected)| expected);
    Reject::invalid_shape(&pointer, expected)
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// Blanks the keys that stand twice in the first object on the way to `path` that has such, except their last.
/// Offsets stay as they are. `None` where there is nothing to blank.
fn without_duplicate_keys(text: &str, path: &Path) -> Option<String> {
    let mut current = text;
    let mut segments = path.iter();
    loop {
        if current.trim_ascii_start().starts_with('{') {
            let entries = serde_json::from_str::<AllEntries<'_>>(current).ok()?.0;
            let stale = stale_ranges(text, current, &entries);
            if !stale.is_empty() {
                let mut bytes = text.as_bytes().to_vec();
                for range in stale {
                    bytes[range].fill(b' ');
                }
                return String::from_utf8(bytes).ok();
            }
            let Some(Segment::Map { key }) = segments.next() else { return None };
            current = entries.iter().find(|(name, _)| name == key)?.1.get();
        } else {
            let Some(Segment::Seq { index }) = segments.next() else { return None };
            current = serde_json::from_str::<Vec<&RawValue>>(current).ok()?.get(*index)?.get();
        }
    }
}

/// Byte ranges in `text` of the entries of `object` whose key comes again later, each with the comma that it needs no more.
fn stale_ranges(text: &str, object: &str, entries: &[(Cow<'_, str>, &RawValue)]) -> Vec<std::ops::Range<usize>> {
    let start_of = |value: &str| value.as_ptr() as usize - text.as_ptr() as usize;
    let end_of = |value: &RawValue| start_of(value.get()) + value.get().len();
    let last = last_positions(entries.iter().map(|(key, _)| &**key));
    let is_stale = |position: usize| last.get(&*entries[position].0) != Some(&position);
    let Some(first_kept) = (0..entries.len()).find(|position| !is_stale(*position)) else { return Vec::new() };

    let mut ranges = Vec::new();
    if first_kept > 0 {
        let object_start = start_of(object.trim_ascii_start());
        let before = end_of(entries[first_kept - 1].1);
        let comma = text[before..].find(',').map_or(before, |position| before + position);
        ranges.push(object_start + 1..comma + 1);
    }
    for position in first_kept + 1..entries.len() {
        if is_stale(position) {
            ranges.push(end_of(entries[position - 1].1)..end_of(entries[position].1));
        }
    }
    ranges
}

/// Blanks each comma that stands before `}` or `]`, outside strings. Offsets stay as they are. `None` where there is none.
pub fn without_trailing_commas(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let mut is_string = false;
    let mut is_escape = false;
    // The last byte that is no white space, and the last comma that followed a value.
    let mut previous = b' ';
    let mut comma = None;
    let mut is_changed = false;
    for position in 0..bytes.len() {
        let byte = bytes[position];
        if is_string {
            match byte {
                _ if is_escape => is_escape = false,
                b'\\' => is_escape = true,
                b'"' => is_string = false,
                _ => {}
            }
        } else if !byte.is_ascii_whitespace() {
            match byte {
                b'"' => is_string = true,
                b'}' | b']' if previous == b',' => {
                    if let Some(comma) = comma {
                        bytes[comma] = b' ';
                        is_changed = true;
                    }
                }
                _ => {}
            }
            comma = (byte == b',' && !matches!(previous, b',' | b'{' | b'[')).then_some(position);
            previous = byte;
        }
    }
    if is_changed { String::from_utf8(bytes).ok() } else { None }
}

/// The text behind the white space at its beginning.
pub fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\r', '\t'])
}

/// The text behind a token and the white space before it; `None` where another one stands there.
pub fn after<'t>(text: &'t str, token: &str) -> Option<&'t str> {
    skip_space(text).strip_prefix(token)
}

/// Whether arrays and objects are nested deeper than `limit`.
pub fn is_deeper_than(text: &str, limit: usize) -> bool {
    // Nothing is nested deeper than it has opening brackets, and counting those is much cheaper.
    let openings = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if openings <= limit {
        return false;
    }
    let mut depth = 0_usize;
    let mut is_string = false;
    let mut is_escape = false;
    for byte in text.bytes() {
        match byte {
            _ if is_escape => is_escape = false,
            b'\\' if is_string => is_escape = true,
            b'"' => is_string = !is_string,
            b'{' | b'[' if !is_string => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// JSON text without the white space between its tokens; every digit and every escape stays as printed.
pub fn compact<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    let mut is_string = false;
    let mut is_escape = false;
    let mut keep = |character: char| {
        match character {
            _ if is_escape => is_escape = false,
            '\\' if is_string => is_escape = true,
            '"' => is_string = !is_string,
            _ => return is_string || !character.is_ascii_whitespace(),
        }
        true
    };
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), arena);
    out.extend(text.chars().filter(|character| keep(*character)));
    out.into_bump_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair(text: &str) -> Option<String> {
        without_trailing_commas(text)
    }

    #[test]
    fn a_trailing_comma_is_blanked_in_place() {
        assert_eq!(repair(r#"{"a":[1, ] ,}"#).as_deref(), Some(r#"{"a":[1  ]  }"#));
        assert_eq!(repair(r#"{"a":",}"}"#), None);
        assert_eq!(repair(r#"{"a":"\",}"}"#), None);
    }

    #[test]
    fn a_comma_after_nothing_is_not_repaired() {
        for text in ["{,}", "[,]", "[1,,]"] {
            let repaired = repair(text).unwrap_or_else(|| text.to_owned());
            assert!(serde_json::from_str::<IgnoredAny>(&repaired).is_err(), "{text}");
        }
    }

    #[derive(Debug, Deserialize)]
    struct Outer {
        id: u8,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        name: u8,
    }

    #[test]
    fn the_last_of_two_equal_keys_holds() {
        let arena = Bump::new();
        for text in [
            r#"{"id":1,"id":2}"#,
            r#"{ "id" : 1 , "x": 3, "id" : 2 }"#,
            r#"{"id":0,"id":1,"id":2,"x":[]}"#,
            r#"{"x":1,"id":"wrong","x":2,"id":2}"#,
            r#"{"\u0069d":1,"id":2}"#,
        ] {
            let (outer, is_repaired) = parse::<Outer>(text, true, &arena).unwrap();
            assert_eq!((outer.id, is_repaired), (2, true), "{text}");
        }
        let (outer, _) =
            parse::<Outer>(r#"{"inner":{"name":1,"name":2},"id":1,"inner":{"name":3,"name":4}}"#, true, &arena).unwrap();
        assert_eq!(outer.inner.unwrap().name, 4);
    }

    /// What takes the square of the number of keys would not end.
    #[test]
    fn very_many_keys_are_no_hindrance() {
        let arena = Bump::new();
        let keys: Vec<_> = (0..300_000).map(|number| format!("\"k{number}\":1")).collect();
        let text = format!("{{{},\"id\":1,\"id\":2}}", keys.join(","));
        assert_eq!(parse::<Outer>(arena.alloc_str(&text), true, &arena).unwrap().0.id, 2);
        let (entries, is_repaired) = super::entries(arena.alloc_str(&text), true, &arena).unwrap();
        assert_eq!((entries.len(), is_repaired), (300_001, true));
    }

    #[test]
    fn keys_that_nobody_reads_are_no_fault() {
        let arena = Bump::new();
        let (outer, is_repaired) = parse::<Outer>(r#"{"id":1,"other":1,"other":2}"#, true, &arena).unwrap();
        assert_eq!((outer.id, is_repaired), (1, false));
    }

    #[test]
    fn without_leniency_nothing_is_repaired() {
        let arena = Bump::new();
        let reject = parse::<Outer>(r#"{"id":1,"id":2}"#, false, &arena).unwrap_err();
        assert_eq!(reject.reason, Reason::InvalidShape);
    }

    #[test]
    fn an_error_names_the_place_and_never_the_value() {
        let arena = Bump::new();
        let detail = |text: &'static str| parse::<Outer>(text, true, &arena).unwrap_err().detail.into_owned();
        assert_eq!(detail(r#"{"id":1,"inner":{"name":"4915112340001, expected secret"}}"#), "/inner/name: expected u8");
        assert_eq!(detail(r#"{"id":"4915112340001 at line 3"}"#), "/id: expected u8");
        assert_eq!(detail(r#"{"inner":null}"#), ": expected a field `id`");
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert!(!is_deeper_than(r#"{"a":["[[[["]}"#, 2));
        assert!(is_deeper_than(r#"{"a":[[1]]}"#, 2));
        assert!(!is_deeper_than(r"[[],[],[],[]]", 2));
    }

    #[test]
    fn compact_text_keeps_strings_and_digits() {
        let arena = Bump::new();
        assert_eq!(compact("{ \"a b\" : [ 1.50 ,\n \"\\\" x\" ] }", &arena), "{\"a b\":[1.50,\"\\\" x\"]}");
    }
}
