//! What vendors send and what it means: one folder a vendor, and the way from a body to its events.
//!
//! # How to add a vendor
//!
//! 1. A folder beside this file: `mod.rs` with an [`Adapter`], `events.rs` with its rows of the catalogue, one file for
//!    each shape of payload, and `fixtures/` with a payload and its expected events for every row.
//! 2. Two lines here: the `mod` and its entry in [`ADAPTERS`].
//! 3. Its topic in the settings.
//!
//! An adapter reads one item of a body and says what happened. It never makes an id (it names the values that identify
//! the fact), never chooses a topic, never sees an offset, and knows no other vendor.

mod altcraft;
mod fields;
mod infobip;
pub(crate) mod json;
mod leaves;
mod mobtexting;

use std::cell::Cell;
use std::fmt::{Display, Write as _};

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
pub use fields::Zone;
pub use phonenumber::country::Id as Region;
use serde::Deserialize;

use crate::event::{Business, Channel, Contact, Event, EventType, Meaning, Stream};
use crate::reject::{Ignored, Reason, Reject};

/// Most items of a body. Vendors send up to 100; what has very many could not be published within one transaction.
const ITEMS_MAX: usize = 10_000;

/// Longer bodies are split before they are read: so many events at once would take much memory.
const USUAL_BYTES: usize = 65_536;

/// Every vendor that is understood.
pub const ADAPTERS: [&Adapter; 3] = [&infobip::ADAPTER, &mobtexting::ADAPTER, &altcraft::ADAPTER];

/// One vendor: its name, its rows of the catalogue, and how one item of its bodies becomes an event.
#[derive(Debug)]
pub struct Adapter {
    pub vendor: &'static str,
    pub rows: &'static [Row],
    pub batch: Batch,
    /// Keys of an item under which the vendor names the event, the first that is there holding.
    pub event_keys: &'static [&'static str],
    /// The vendor's own words for channels, beside our slugs, as hints may give them.
    pub channel_words: &'static [(&'static str, Channel)],
    /// Whether some bodies don't tell their channel, so that a hint is needed.
    pub has_ambiguous_channels: bool,
    /// Whether some times have no zone, so that one is assumed.
    pub has_local_times: bool,
    /// Whether an item is the vendor's probe of our address; asked before any hint.
    pub is_probe: fn(&Item<'_>) -> bool,
    /// Reads the item that stands at the beginning of a text as what the vendor sends most, so that a body need not be
    /// split first, which is a pass over it. `None`: it is something else, or something is amiss.
    pub read_usual: Option<ReadUsual>,
    pub normalize: for<'a> fn(&Item<'a>) -> Result<Event<'a>, Reject>,
}

/// See [`Adapter::read_usual`]. `Scene::item` makes the item, once its end is known.
pub type ReadUsual = for<'a> fn(&'a str, Scene<'a>) -> Option<(Item<'a>, Result<Event<'a>, Reject>)>;

/// What the items of a body have in common.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub hints: &'a Hints<'a>,
    pub arena: &'a Bump,
    is_lenient: bool,
}

impl<'a> Scene<'a> {
    pub fn item(self, text: &'a str) -> Item<'a> {
        let Self { hints, arena, is_lenient } = self;
        Item { text, hints, arena, is_lenient, has_repaired_key: Cell::new(false) }
    }
}

/// One event that a vendor sends: a row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The vendor's own name of the event.
    pub event: &'static str,
    /// The published name of the format, where the vendor has several for one event.
    pub format: Option<&'static str>,
    pub channel: Channel,
    pub event_type: EventType,
    /// What the event itself says of the message's status; `None`: the body says it, or the event has no status.
    pub status: Option<Meaning>,
    /// What the event name implies, such as `unique=true`.
    pub attributes: &'static [(&'static str, &'static str)],
}

impl Row {
    /// A row without format, fixed status and attributes.
    pub const fn new(event: &'static str, channel: Channel, event_type: &'static str) -> Self {
        Self { event, format: None, channel, event_type: EventType(event_type), status: None, attributes: &[] }
    }

    /// The same event in a published format.
    pub const fn format(self, format: &'static str) -> Self {
        Self { format: Some(format), ..self }
    }

    pub const fn status(self, meaning: Meaning) -> Self {
        Self { status: Some(meaning), ..self }
    }

    pub const fn attributes(self, attributes: &'static [(&'static str, &'static str)]) -> Self {
        Self { attributes, ..self }
    }

    pub fn attribute(&self, name: &str) -> Option<&'static str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// How a vendor puts several items into one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// A body is one item.
    Never,
    /// A top-level array; an object is one item.
    Array,
    /// An object with an array under this key; an object without it is one item.
    Key(&'static str),
}

/// What settings and record headers say of a body; where both speak, the record's headers hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    pub channel: Option<&'a str>,
    pub event: Option<&'a str>,
    pub format: Option<&'a str>,
    pub account: Option<&'a str>,
    pub zone: Option<&'a Zone>,
    pub region: Option<Region>,
}

/// How bodies are read: the settings that the core needs.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Longest body in bytes.
    pub body_bytes: usize,
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
    /// Whether trailing commas and repeated keys are repaired.
    pub is_lenient: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { body_bytes: 4_194_304, depth: 64, is_lenient: true }
    }
}

/// One item of a body, as an adapter sees it.
#[derive(Debug)]
pub struct Item<'a> {
    pub text: &'a str,
    pub hints: &'a Hints<'a>,
    pub arena: &'a Bump,
    is_lenient: bool,
    has_repaired_key: Cell<bool>,
}

impl<'a> Item<'a> {
    /// Reads the item, or a part of it, as a payload struct, with the repair of repeated keys where it is needed.
    ///
    /// # Errors
    /// `invalid_shape`, with the place in the item and what was expected there.
    pub fn parse<T: Deserialize<'a>>(&self, text: &'a str) -> Result<T, Reject> {
        let (value, is_repaired) = json::parse(text, self.is_lenient, self.arena)?;
        if is_repaired {
            self.has_repaired_key.set(true);
        }
        Ok(value)
    }

    /// As [`Item::parse`], the entries of an object.
    ///
    /// # Errors
    /// As [`Item::parse`].
    pub fn entries(&self, text: &'a str) -> Result<json::Entries<'a>, Reject> {
        let (entries, is_repaired) = json::entries(text, self.is_lenient, self.arena)?;
        if is_repaired {
            self.has_repaired_key.set(true);
        }
        Ok(entries)
    }

    /// Sets the event's time from what the vendor printed at `pointer`.
    ///
    /// # Errors
    /// `invalid_timestamp`: an unreadable time is never replaced by another.
    pub fn occurred(&self, event: &mut Event<'a>, pointer: impl Display, printed: Option<&str>) -> Result<(), Reject> {
        let Some(printed) = printed else { return Ok(()) };
        let time = fields::time(printed, self.hints.zone).ok_or_else(|| Reject::invalid_timestamp(&pointer.to_string()))?;
        event.occurred_at = Some(time.instant);
        if time.is_zone_assumed {
            event.occurred_at_zone = Some(self.hints.zone.map_or(fields::DEFAULT_ZONE, Zone::name));
        }
        Ok(())
    }

    /// The person behind an address on a channel, where the vendor printed one.
    pub fn contact(&self, channel: Channel, printed: Option<&'a str>) -> Option<Contact<'a>> {
        printed.map(|printed| fields::contact(channel, printed, self.hints.region, self.arena))
    }

    /// Our side behind an address on a channel, where the vendor printed one.
    pub fn business(&self, channel: Channel, printed: Option<&'a str>) -> Option<Business<'a>> {
        printed.map(|printed| fields::business(channel, printed, self.hints.region, self.arena))
    }

    /// Names the printed values that identify the fact. Where all are missing, the item's bytes identify it.
    pub fn identify(&self, event: &mut Event<'a>, values: &[Option<&'a str>]) {
        if values.iter().any(Option::is_some) {
            event.identity = self.arena.alloc_slice_fill_iter(values.iter().map(|value| value.unwrap_or_default()));
        }
    }

    /// Marks that a hint contradicts the body, which holds: attribute `hint_conflict`, as `channel=sms` or `event=SEEN`.
    pub fn note_conflict(&self, event: &mut Event<'a>, channel: Option<Channel>, event_hint: Option<&str>) {
        let mut note = bumpalo::collections::String::new_in(self.arena);
        if let Some(channel) = channel {
            let _ = write!(note, "channel={channel}");
        }
        if let Some(hint) = event_hint {
            let comma = if note.is_empty() { "" } else { "," };
            let _ = write!(note, "{comma}event={hint}");
        }
        if !note.is_empty() {
            event.attributes.mark("hint_conflict", note.into_bump_str());
            event.has_hint_conflict = true;
        }
    }
}

/// What became of one item.
#[derive(Debug)]
pub struct Normalized<'a> {
    /// Position in the body, from 0.
    pub index: i32,
    pub count: i32,
    /// The item's bytes as they arrived; the whole body where it can't be split.
    pub bytes: &'a [u8],
    /// Whether `bytes` are the whole body, and not one of the items that it was split into.
    pub is_whole: bool,
    /// Whether a trailing comma somewhere in the body was repaired, which the item by itself may not show.
    pub is_comma_repaired: bool,
    pub outcome: Outcome<'a>,
}

/// One item of a body that was split before, to be read without its neighbors.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub bytes: &'a [u8],
    pub index: i32,
    pub count: i32,
    /// As of the body, see [`Normalized::is_comma_repaired`].
    pub is_comma_repaired: bool,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "an outcome lives on the stack for one item")]
pub enum Outcome<'a> {
    Event(Event<'a>),
    Ignored(Ignored),
    Rejected(Reject),
}

/// The adapter of a vendor's name.
pub fn find(vendor: &str) -> Option<&'static Adapter> {
    ADAPTERS.into_iter().find(|adapter| adapter.vendor == vendor)
}

impl Adapter {
    /// The channel of a hint: our slug, `none`, or the vendor's own word, without regard to case.
    pub fn channel_of_hint(&self, word: &str) -> Option<Channel> {
        let own = self.channel_words.iter().find(|(own, _)| own.eq_ignore_ascii_case(word));
        Channel::from_slug(word).or(own.map(|(_, channel)| *channel))
    }

    /// Whether the vendor has an event of this name, without regard to case.
    pub fn has_event(&self, event: &str) -> bool {
        self.rows.iter().any(|row| row.event.eq_ignore_ascii_case(event))
    }

    /// The streams that the vendor's events can go to.
    pub fn streams(&self) -> impl Iterator<Item = Stream> {
        self.rows.iter().filter_map(|row| Stream::of(row.channel, row.event_type))
    }

    /// Turns one body into its events, one call of `each` an item, in order. Items don't touch one another.
    ///
    /// The events borrow from `payload`, `hints` and `arena`.
    pub fn normalize<'a>(
        &self,
        payload: &'a [u8],
        hints: &'a Hints<'a>,
        reading: &Reading,
        arena: &'a Bump,
        mut each: impl FnMut(Normalized<'a>),
    ) {
        let scene = Scene { hints, arena, is_lenient: reading.is_lenient };
        if let Some(usual) = self.read_usual_body(payload, scene, reading) {
            let count = i32::try_from(usual.items.len()).unwrap_or(i32::MAX);
            let Usual { is_whole, items } = usual;
            for (index, (text, outcome)) in (0..).zip(items) {
                each(Normalized { index, count, bytes: text.as_bytes(), is_whole, is_comma_repaired: false, outcome });
            }
            return;
        }
        let mut whole = |outcome, is_comma_repaired| {
            each(Normalized { index: 0, count: 1, bytes: payload, is_whole: true, is_comma_repaired, outcome });
        };
        let body = match Body::read(payload, self.batch, reading, arena) {
            Ok(body) => body,
            Err(reject) => return whole(Outcome::Rejected(reject), false),
        };
        let is_comma_repaired = body.is_comma_repaired;
        match body.items {
            json::Items::One(text) => {
                whole(self.outcome(&scene.item(text), is_comma_repaired, reading.depth), is_comma_repaired);
            }
            json::Items::Many(elements) if elements.is_empty() => {
                whole(Outcome::Ignored(Ignored::EmptyBatch), is_comma_repaired);
            }
            json::Items::Many(elements) if elements.len() > ITEMS_MAX => {
                let detail = format!("a batch of at most {ITEMS_MAX} items is expected");
                whole(Outcome::Rejected(Reject::new(Reason::TooLarge, detail)), is_comma_repaired);
            }
            json::Items::Many(ref elements) => {
                let count = i32::try_from(elements.len()).unwrap_or(i32::MAX);
                let depth = self.depth_of_items(reading);
                for (index, element) in (0..).zip(elements.iter()) {
                    let text = element.get();
                    let start = text.as_ptr() as usize - body.text.as_ptr() as usize;
                    let outcome = self.outcome(&scene.item(text), is_comma_repaired, depth);
                    let bytes = &payload[start..start + text.len()];
                    each(Normalized { index, count, bytes, is_whole: false, is_comma_repaired, outcome });
                }
            }
        }
    }

    /// Reads one item of a body by itself: the same event as when the body was read.
    pub fn normalize_part<'a>(
        &self,
        part: Part<'a>,
        hints: &'a Hints<'a>,
        reading: &Reading,
        arena: &'a Bump,
    ) -> Normalized<'a> {
        let Part { bytes, index, count, is_comma_repaired } = part;
        // An item is never split, whatever is in it.
        let (outcome, is_comma_repaired) = match Body::read(bytes, Batch::Never, reading, arena) {
            Ok(body) => {
                let is_comma_repaired = is_comma_repaired || body.is_comma_repaired;
                let item = Scene { hints, arena, is_lenient: reading.is_lenient }.item(body.text.trim_ascii());
                (self.outcome(&item, is_comma_repaired, self.depth_of_items(reading)), is_comma_repaired)
            }
            Err(reject) => (Outcome::Rejected(reject), is_comma_repaired),
        };
        Normalized { index, count, bytes, is_whole: false, is_comma_repaired, outcome }
    }

    /// The event that an item names itself, as printed; for people, who want to know what was set aside.
    pub fn printed_event(&self, bytes: &[u8]) -> Option<String> {
        let item: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).ok()?;
        self.event_keys.iter().find_map(|key| item.get(*key)?.as_str()).map(str::to_owned)
    }

    /// The batch itself takes one level of nesting, or two where it stands under a key.
    fn depth_of_items(&self, reading: &Reading) -> usize {
        reading.depth.saturating_sub(if self.batch == Batch::Array { 1 } else { 2 })
    }

    /// The items of a body of the usual kind, read one after the other. `None`: the body is another one, or anything is
    /// amiss with it; then nothing was decided.
    fn read_usual_body<'a>(&self, payload: &'a [u8], scene: Scene<'a>, reading: &Reading) -> Option<Usual<'a>> {
        let read = self.read_usual.filter(|_| payload.len() <= USUAL_BYTES.min(reading.body_bytes))?;
        let text = simdutf8::basic::from_utf8(payload).ok()?;
        let (mut rest, end) = match self.batch {
            Batch::Never => (text, ""),
            Batch::Array => json::after(text, "[").map_or((text, ""), |rest| (rest, "]")),
            Batch::Key(key) => {
                let key = json::after(json::after(text, "{")?, "\"")?.strip_prefix(key)?.strip_prefix('"')?;
                (json::after(json::after(key, ":")?, "[")?, "]")
            }
        };
        let is_batch = !end.is_empty();
        let depth = if is_batch { self.depth_of_items(reading) } else { reading.depth };
        let mut items = BumpVec::new_in(scene.arena);
        loop {
            // A struct would be read from an array too, by position.
            let first = Some(json::skip_space(rest)).filter(|first| first.starts_with('{'))?;
            let (item, event) = read(first, scene)?;
            rest = &first[item.text.len()..];
            let is_deep = json::is_deeper_than(item.text, depth);
            let outcome = if is_deep { Self::too_deep() } else { Self::finish(&item, event, false) };
            if items.len() == ITEMS_MAX {
                return None;
            }
            items.push((if is_batch { item.text } else { text }, outcome));
            match json::after(rest, ",") {
                Some(next) if is_batch => rest = next,
                _ => break,
            }
        }
        rest = json::after(rest, end)?;
        if let Batch::Key(key) = self.batch {
            rest = json::after(json::skip_members(rest, key)?, "}")?;
        }
        json::skip_space(rest).is_empty().then_some(Usual { is_whole: !is_batch, items })
    }

    fn outcome<'a>(&self, item: &Item<'a>, is_comma_repaired: bool, depth: usize) -> Outcome<'a> {
        if json::is_deeper_than(item.text, depth) {
            return Self::too_deep();
        }
        if !item.text.starts_with('{') {
            return Outcome::Rejected(Reject::invalid_shape("", "an object"));
        }
        if (self.is_probe)(item) {
            return Outcome::Ignored(Ignored::Verification);
        }
        Self::finish(item, (self.normalize)(item), is_comma_repaired)
    }

    fn too_deep<'a>() -> Outcome<'a> {
        Outcome::Rejected(Reject::new(Reason::TooDeep, "the body is nested deeper than the setting `limits.depth` allows"))
    }

    /// What holds for the events of all vendors.
    fn finish<'a>(item: &Item<'a>, event: Result<Event<'a>, Reject>, is_comma_repaired: bool) -> Outcome<'a> {
        let mut event = match event {
            Ok(event) => event,
            Err(reject) => return Outcome::Rejected(reject),
        };
        // The streams are a closed set, so that every topic is checked before the first record.
        if Stream::of(event.channel, event.event_type).is_none() {
            return Outcome::Rejected(Reject::unknown_event("the catalogue has no stream for this event"));
        }
        let repairs = match (is_comma_repaired, item.has_repaired_key.get()) {
            (true, true) => Some("trailing_comma,duplicate_key"),
            (true, false) => Some("trailing_comma"),
            (false, true) => Some("duplicate_key"),
            (false, false) => None,
        };
        if let Some(repairs) = repairs {
            event.attributes.mark("repaired_json", repairs);
        }
        Outcome::Event(event)
    }
}

/// A body that was read without being split first.
struct Usual<'a> {
    is_whole: bool,
    items: BumpVec<'a, (&'a str, Outcome<'a>)>,
}

/// A body that was read and split. A repair keeps every offset, so items are slices of the original too.
struct Body<'a> {
    text: &'a str,
    items: json::Items<'a>,
    is_comma_repaired: bool,
}

impl<'a> Body<'a> {
    fn read(payload: &'a [u8], batch: Batch, reading: &Reading, arena: &'a Bump) -> Result<Self, Reject> {
        if payload.len() > reading.body_bytes {
            return Err(Reject::new(Reason::TooLarge, "the body is longer than the setting `limits.body_bytes` allows"));
        }
        let Ok(text) = simdutf8::basic::from_utf8(payload) else {
            return Err(Reject::new(Reason::InvalidJson, "expected UTF-8"));
        };
        if let Ok(items) = json::split(text, batch, arena) {
            return Ok(Self { text, items, is_comma_repaired: false });
        }
        let repaired = if reading.is_lenient { json::without_trailing_commas(text) } else { None };
        if let Some(repaired) = repaired {
            let text = arena.alloc_str(&repaired);
            if let Ok(items) = json::split(text, batch, arena) {
                return Ok(Self { text, items, is_comma_repaired: true });
            }
        }
        Err(Reject::new(Reason::InvalidJson, "expected JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const ALTCRAFT: Adapter = altcraft::ADAPTER;
    const INFOBIP: Adapter = infobip::ADAPTER;

    /// The reason of each item's rejection; `None` for what is read.
    fn reasons(adapter: &Adapter, body: &str, reading: &Reading) -> Vec<Option<Reason>> {
        let arena = Bump::new();
        let mut reasons = Vec::new();
        adapter.normalize(body.as_bytes(), &Hints::default(), reading, &arena, |normalized| {
            assert_eq!(normalized.index, i32::try_from(reasons.len()).unwrap());
            reasons.push(match normalized.outcome {
                Outcome::Rejected(reject) => Some(reject.reason),
                Outcome::Event(_) | Outcome::Ignored(_) => None,
            });
        });
        reasons
    }

    /// A hook with `levels` levels of nesting in it, its own included.
    fn hook(levels: usize) -> String {
        let (open, close) = ("[".repeat(levels - 2), "]".repeat(levels - 2));
        format!(
            r#"{{"event_type":"open","event_date":"2026-03-03T14:22:30.5Z","profile_id":"p-1","event_data":{{"send_message_id":"s-1"}},"new":[{open}{close}]}}"#
        )
    }

    /// A report with `levels` levels of nesting in it, its own included.
    fn report(levels: usize) -> String {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"messageId":"m-1","smsCount":1,"mmsCount":1,"status":{{"id":5}},"new":{open}{close}}}"#)
    }

    #[test]
    fn the_longest_body_is_read_and_a_byte_more_is_refused() {
        let body = hook(3);
        let reading = |body_bytes| Reading { body_bytes, ..Reading::default() };
        assert_eq!(reasons(&ALTCRAFT, &body, &reading(body.len())), [None]);
        assert_eq!(reasons(&ALTCRAFT, &body, &reading(body.len() - 1)), [Some(Reason::TooLarge)]);
    }

    #[test]
    fn the_largest_batch_is_read_and_an_item_more_is_refused() {
        for (item, reason) in [("1", Reason::InvalidShape), ("{}", Reason::UnknownEvent)] {
            let batch = |items: usize| format!(r#"{{"results":[{}]}}"#, vec![item; items].join(","));
            let largest = reasons(&INFOBIP, &batch(ITEMS_MAX), &Reading::default());
            assert_eq!(largest, vec![Some(reason); ITEMS_MAX]);
            assert_eq!(reasons(&INFOBIP, &batch(ITEMS_MAX + 1), &Reading::default()), [Some(Reason::TooLarge)]);
        }
    }

    #[test]
    fn the_limit_of_nesting_counts_the_whole_body() {
        let reading = Reading { depth: 8, ..Reading::default() };
        for (adapter, around, body) in [
            (&ALTCRAFT, ["", ""], hook as fn(usize) -> String),
            (&ALTCRAFT, ["[", "]"], hook),
            (&INFOBIP, [r#"{"results":["#, "]}"], report),
        ] {
            let [before, after] = around;
            let outer = before.matches(['{', '[']).count();
            let whole = |levels| format!("{before}{}{after}", body(levels - outer));
            assert_ne!(reasons(adapter, &whole(8), &reading), [Some(Reason::TooDeep)], "{before}");
            assert_eq!(reasons(adapter, &whole(9), &reading), [Some(Reason::TooDeep)], "{before}");
        }
    }

    #[test]
    fn a_strict_reader_repairs_nothing() {
        let body = hook(3).replace(r#""s-1"}"#, r#""s-1",}"#);
        assert_eq!(reasons(&ALTCRAFT, &body, &Reading::default()), [None]);
        assert_eq!(
            reasons(&ALTCRAFT, &body, &Reading { is_lenient: false, ..Reading::default() }),
            [Some(Reason::InvalidJson)]
        );
    }

    /// What each item of a body gives, and what it gives when it is read again by itself.
    fn by_itself(adapter: &Adapter, body: &str) -> Vec<(String, String)> {
        let (arena, hints, reading) = (Bump::new(), Hints::default(), Reading::default());
        let mut items = Vec::new();
        adapter.normalize(body.as_bytes(), &hints, &reading, &arena, |item| items.push(item));
        let again = |item: &Normalized<'_>| {
            let Normalized { bytes, index, count, is_whole, is_comma_repaired, .. } = *item;
            assert!(!is_whole);
            let part = Part { bytes, index, count, is_comma_repaired };
            format!("{:?}", adapter.normalize_part(part, &hints, &reading, &arena))
        };
        items.iter().map(|item| (format!("{item:?}"), again(item))).collect()
    }

    #[test]
    fn an_item_by_itself_gives_what_it_gave_in_its_body() {
        let hook = hook(3);
        let deep = hook.replace("[[", "[").replace("]]", "]").replace("\"new\":[", &format!("\"new\":[{}", "[".repeat(70)));
        let deep = deep.replace("]}", &format!("{}]}}", "]".repeat(70)));
        let own_comma = hook.replace("\"p-1\"", "\"p-1\",\"more\":[1,]");
        for body in [
            format!("[{hook}, {hook}]"),
            // A comma behind the last item marks all of them, one in an item too.
            format!("[{hook},{hook},]"),
            format!("[{own_comma},{hook}]"),
            // Neither a batch in a batch nor an empty one is split or ignored.
            format!("[[{hook}],[],7,\"text\"]"),
            format!("[{deep}]"),
            r#"[{"event_type":"carrier_pigeon"}]"#.to_owned(),
        ] {
            for (first, again) in by_itself(&ALTCRAFT, &body) {
                assert_eq!(first, again, "{body}");
            }
        }
        let nested = r#"{"results":[{"results":[{"messageId":"m"}]},{"results":[]}]}"#;
        for (first, again) in by_itself(&INFOBIP, nested) {
            assert_eq!(first, again);
        }
    }

    #[test]
    fn an_item_names_its_event_as_the_vendor_prints_it() {
        assert_eq!(ALTCRAFT.printed_event(br#"{"event_type":"carrier_pigeon"}"#).as_deref(), Some("carrier_pigeon"));
        assert_eq!(INFOBIP.printed_event(br#"{"type":"CALL_X","event":"SEEN"}"#).as_deref(), Some("SEEN"));
        assert_eq!(INFOBIP.printed_event(br#"{"event":7}"#), None);
        assert_eq!(INFOBIP.printed_event(b"[1"), None);
    }

    #[test]
    fn an_adapter_knows_its_names() {
        assert_eq!(find("altcraft").map(|adapter| adapter.vendor), Some("altcraft"));
        assert!(find("Altcraft").is_none());
        assert!(INFOBIP.has_event("seen") && !INFOBIP.has_event("uopen"));
        assert_eq!(INFOBIP.channel_of_hint("VOICE_VIDEO"), Some(Channel::Voice));
        assert_eq!(INFOBIP.channel_of_hint("sms"), Some(Channel::Sms));
        assert_eq!(INFOBIP.channel_of_hint("pigeon"), None);
        assert!(ADAPTERS.iter().all(|adapter| adapter.streams().count() == adapter.rows.len()));
    }
}
