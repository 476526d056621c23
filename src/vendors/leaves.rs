//! The values of an item by their paths, for shapes with many fields: what a shape takes goes where it belongs, and what
//! is left becomes attributes under the vendor's own words.

use std::fmt;

use bumpalo::collections::Vec as BumpVec;
use serde_json::value::RawValue;

use crate::event::{Event, Instant};
use crate::reject::Reject;
use crate::vendors::{Item, fields};

/// Room for the values of an item before it has to grow.
const LEAVES_USUAL: usize = 32;

/// The values of an object and of the objects in it that the vendor documents; other objects and all arrays stay whole.
#[derive(Debug)]
pub struct Leaves<'a> {
    /// Where the object stands in the item, as a JSON pointer.
    base: &'static str,
    leaves: BumpVec<'a, Leaf<'a>>,
}

#[derive(Debug)]
struct Leaf<'a> {
    /// Keys joined by dots.
    path: &'a str,
    value: &'a RawValue,
    is_taken: bool,
}

/// The JSON pointer of a path, written only where something is wrong.
struct Pointer<'p> {
    base: &'static str,
    path: &'p str,
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.path.replace('.', "/"))
    }
}

impl<'a> Leaves<'a> {
    /// Reads the item, and the objects at the paths of `split`.
    ///
    /// # Errors
    /// `invalid_shape`: it is no object, or a key stands twice where that is not repaired.
    pub fn of_item(item: &Item<'a>, split: &[&str]) -> Result<Self, Reject> {
        Self::of_part(item, item.text, "", split)
    }

    /// Reads a part of the item that stands at the pointer `base`.
    ///
    /// # Errors
    /// As [`Leaves::of_item`].
    pub fn of_part(item: &Item<'a>, text: &'a str, base: &'static str, split: &[&str]) -> Result<Self, Reject> {
        let mut leaves = BumpVec::with_capacity_in(LEAVES_USUAL, item.arena);
        collect(item, text, "", split, &mut leaves)?;
        Ok(Self { base, leaves })
    }

    /// The value at a path as printed: a text without quotes, the rest as compact JSON. Null and the empty text are absent.
    pub fn take(&mut self, item: &Item<'a>, path: &str) -> Option<&'a str> {
        fields::any(self.take_raw(path), item.arena)
    }

    /// The value at a path as printed, also the empty text; null is absent. For status words and message texts.
    pub fn take_printed(&mut self, item: &Item<'a>, path: &str) -> Option<&'a str> {
        self.take_raw(path).map(|raw| fields::printed_any(raw, item.arena))
    }

    /// A word or a number that gives the event its meaning, as printed.
    ///
    /// # Errors
    /// `invalid_shape`: it is missing, an object or an array.
    pub fn take_word(&mut self, item: &Item<'a>, path: &str) -> Result<&'a str, Reject> {
        let raw = self.take_raw(path).filter(|raw| !raw.get().starts_with(['{', '[']));
        let word = raw.map(|raw| fields::printed_any(raw, item.arena));
        word.ok_or_else(|| Reject::invalid_shape(&self.pointer(path).to_string(), "a word or a number"))
    }

    /// The first value that is there; the others stay.
    pub fn take_first(&mut self, item: &Item<'a>, paths: &[&str]) -> Option<&'a str> {
        paths.iter().find_map(|path| self.take(item, path))
    }

    /// The value at a path; null is absent.
    pub fn take_raw(&mut self, path: &str) -> Option<&'a RawValue> {
        let leaf = self.leaves.iter_mut().find(|leaf| leaf.path == path && !leaf.is_taken)?;
        if leaf.value.get() == "null" {
            return None;
        }
        leaf.is_taken = true;
        Some(leaf.value)
    }

    /// Whether a value is there; null is not.
    pub fn has(&self, path: &str) -> bool {
        self.peek_raw(path).is_some()
    }

    /// Whether an object that is told apart is there, empty ones too.
    pub fn has_under(&self, path: &str) -> bool {
        self.leaves.iter().any(|leaf| {
            let below = leaf.path.strip_prefix(path);
            below.is_some_and(|below| below.starts_with('.') || (below.is_empty() && leaf.value.get() != "null"))
        })
    }

    /// An id that stands in several places: the first; the same id elsewhere says nothing more.
    pub fn take_id(&mut self, item: &Item<'a>, paths: &[&str]) -> Option<&'a str> {
        let id = self.take_first(item, paths)?;
        for path in paths {
            if self.peek(item, path) == Some(id) {
                self.drop(path);
            }
        }
        Some(id)
    }

    /// Degrees; what is no number stays.
    pub fn take_coordinate(&mut self, item: &Item<'a>, path: &str) -> Option<f64> {
        let degrees = self.peek(item, path)?.parse().ok()?;
        self.drop(path);
        Some(degrees)
    }

    /// The value at a path, which stays; null is absent.
    pub fn peek_raw(&self, path: &str) -> Option<&'a RawValue> {
        let leaf = self.leaves.iter().find(|leaf| leaf.path == path)?;
        (leaf.value.get() != "null").then_some(leaf.value)
    }

    /// The value at a path as printed, which stays.
    pub fn peek(&self, item: &Item<'a>, path: &str) -> Option<&'a str> {
        let leaf = self.leaves.iter().find(|leaf| leaf.path == path)?;
        fields::any(Some(leaf.value), item.arena)
    }

    /// A whole number.
    ///
    /// # Errors
    /// `invalid_shape`: it is none.
    pub fn take_count(&mut self, item: &Item<'a>, path: &str) -> Result<Option<i32>, Reject> {
        let Some(text) = self.take(item, path) else { return Ok(None) };
        let count = text
            .trim()
            .parse()
            .map_err(|_| Reject::invalid_shape(&self.pointer(path).to_string(), "a whole number of at most 9 digits"))?;
        Ok(Some(count))
    }

    /// A number of seconds or milliseconds, as milliseconds; `unit_ms` is what one of it is. Fractions are cut.
    ///
    /// # Errors
    /// `invalid_shape`: it is no number.
    pub fn take_duration(&mut self, item: &Item<'a>, path: &str, unit_ms: i64) -> Result<Option<i64>, Reject> {
        let Some(text) = self.take(item, path) else { return Ok(None) };
        let number: f64 =
            text.trim().parse().map_err(|_| Reject::invalid_shape(&self.pointer(path).to_string(), "a number"))?;
        Ok(Some((number * unit_ms as f64) as i64))
    }

    /// A time.
    ///
    /// # Errors
    /// `invalid_timestamp`.
    pub fn take_time(&mut self, item: &Item<'a>, path: &str) -> Result<Option<Instant>, Reject> {
        let Some(text) = self.take(item, path) else { return Ok(None) };
        let time =
            fields::time(text, item.hints.zone).ok_or_else(|| Reject::invalid_timestamp(&self.pointer(path).to_string()))?;
        Ok(Some(time.instant))
    }

    /// The event's own time: the first of the paths that has one. Returns it as printed.
    ///
    /// # Errors
    /// `invalid_timestamp`.
    pub fn take_occurred(&mut self, item: &Item<'a>, event: &mut Event<'a>, paths: &[&str]) -> Result<Option<&'a str>, Reject> {
        for path in paths {
            if let Some(printed) = self.take(item, path) {
                item.occurred(event, self.pointer(path), Some(printed))?;
                return Ok(Some(printed));
            }
        }
        Ok(None)
    }

    fn pointer<'p>(&self, path: &'p str) -> Pointer<'p> {
        Pointer { base: self.base, path }
    }

    /// Leaves out a field that says nothing more.
    pub fn drop(&mut self, path: &str) {
        for leaf in self.leaves.iter_mut().filter(|leaf| leaf.path == path) {
            leaf.is_taken = true;
        }
    }

    /// Whether anything was not taken, nulls apart.
    pub fn has_rest(&self) -> bool {
        self.leaves.iter().any(|leaf| !leaf.is_taken && leaf.value.get() != "null")
    }

    /// What was not taken becomes attributes, named by its path without `prefix`.
    pub fn rest(self, item: &Item<'a>, event: &mut Event<'a>, prefix: &str) {
        for leaf in self.leaves.into_iter().filter(|leaf| !leaf.is_taken) {
            let name = leaf.path.strip_prefix(prefix).unwrap_or(leaf.path);
            event.attributes.put(name, fields::any(Some(leaf.value), item.arena));
        }
    }
}

fn collect<'a>(
    item: &Item<'a>,
    text: &'a str,
    parent: &str,
    split: &[&str],
    leaves: &mut BumpVec<'a, Leaf<'a>>,
) -> Result<(), Reject> {
    for (key, value) in item.entries(text)? {
        let path: &'a str = match parent {
            "" => key,
            parent => bumpalo::format!(in item.arena, "{}.{}", parent, key).into_bump_str(),
        };
        if value.get().starts_with('{') && split.contains(&path) {
            let count = leaves.len();
            collect(item, value.get(), path, split, leaves)?;
            if leaves.len() == count {
                leaves.push(Leaf { path, value, is_taken: true }); // An empty object is there, and says nothing.
            }
        } else {
            leaves.push(Leaf { path, value, is_taken: false });
        }
    }
    Ok(())
}
