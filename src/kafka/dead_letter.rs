//! The headers of a dead letter: what is wrong, where the item came from, and all that applied when it was read. They are
//! written here, and read again.

use rdkafka::message::{BorrowedHeaders, Header, Headers, Message, OwnedHeaders};

use super::source::Source;
use crate::reject::{Reason, Reject};
use crate::vendors::{Adapter, Hints, Zone};

/// Our headers begin with this one. What stands before it are the record's own.
const REASON: &str = "normalizer.dead-letter.reason";
const DETAIL: &str = "normalizer.dead-letter.detail";
const VENDOR: &str = "normalizer.dead-letter.vendor";
const VERSION: &str = "normalizer.dead-letter.version";
const ITEM: &str = "normalizer.dead-letter.item";
const ITEMS: &str = "normalizer.dead-letter.items";
/// `record` where the value is the raw record's whole value, else `item`.
const PART: &str = "normalizer.dead-letter.part";
/// What was repaired elsewhere in the body, which the item by itself may not show.
const REPAIRED: &str = "normalizer.dead-letter.repaired";
/// Milliseconds since 1970, as the envelope has it: the topic may write its own time into the record.
const RECEIVED_AT: &str = "normalizer.dead-letter.received_at";
const TOPIC: &str = "__streams.errors.topic";
const PARTITION: &str = "__streams.errors.partition";
const OFFSET: &str = "__streams.errors.offset";
const HINT_CHANNEL: &str = "normalizer.dead-letter.hint.channel";
const HINT_EVENT: &str = "normalizer.dead-letter.hint.event";
const HINT_FORMAT: &str = "normalizer.dead-letter.hint.format";
const HINT_ACCOUNT: &str = "normalizer.dead-letter.hint.account";
const HINT_ZONE: &str = "normalizer.dead-letter.hint.zone";
const HINT_REGION: &str = "normalizer.dead-letter.hint.region";
/// `omitted` where the value was left out.
const PAYLOAD: &str = "normalizer.dead-letter.payload";

/// Where an item stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub partition: i32,
    pub offset: i64,
    pub item: i32,
    pub items: i32,
}

/// What a dead letter tells of its item beside the reason.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub vendor: &'a str,
    pub topic: &'a str,
    pub place: Place,
    pub is_whole: bool,
    pub is_comma_repaired: bool,
    pub received_at: i64,
    pub hints: HintTexts<'a>,
}

/// Hints as texts, so that they can travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HintTexts<'a> {
    pub channel: Option<&'a str>,
    pub event: Option<&'a str>,
    pub format: Option<&'a str>,
    pub account: Option<&'a str>,
    pub zone: Option<&'a str>,
    pub region: Option<&'a str>,
}

impl<'a> HintTexts<'a> {
    pub(super) fn of(hints: &Hints<'a>, source: &'a Source) -> Self {
        Self {
            channel: hints.channel,
            event: hints.event,
            format: hints.format,
            account: hints.account,
            zone: hints.zone.map(Zone::name),
            region: source.region_text(),
        }
    }
}

/// The original headers, then ours. Headers of an earlier pass stay; readers take the last of a name.
pub(super) fn headers(original: Option<OwnedHeaders>, about: &About<'_>, reject: &Reject, has_payload: bool) -> OwnedHeaders {
    let mut headers = original.unwrap_or_else(|| OwnedHeaders::new_with_capacity(20));
    let mut put = |key: &str, value: &str| {
        let taken = std::mem::replace(&mut headers, OwnedHeaders::new_with_capacity(0));
        headers = taken.insert(Header { key, value: Some(value) });
    };
    put(REASON, reject.reason.name());
    put(DETAIL, &reject.detail);
    put(VENDOR, about.vendor);
    put(VERSION, env!("CARGO_PKG_VERSION"));
    put(ITEM, &about.place.item.to_string());
    put(ITEMS, &about.place.items.to_string());
    put(PART, if about.is_whole { "record" } else { "item" });
    put(RECEIVED_AT, &about.received_at.to_string());
    put(TOPIC, about.topic);
    put(PARTITION, &about.place.partition.to_string());
    put(OFFSET, &about.place.offset.to_string());
    for (key, value) in [
        (HINT_CHANNEL, about.hints.channel),
        (HINT_EVENT, about.hints.event),
        (HINT_FORMAT, about.hints.format),
        (HINT_ACCOUNT, about.hints.account),
        (HINT_ZONE, about.hints.zone),
        (HINT_REGION, about.hints.region),
        // A whole record shows its repairs by itself.
        (REPAIRED, (about.is_comma_repaired && !about.is_whole).then_some("trailing_comma")),
        (PAYLOAD, (!has_payload).then_some("omitted")),
    ] {
        if let Some(value) = value {
            put(key, value);
        }
    }
    headers
}

/// A record of the dead-letter topic, as its headers describe it.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    /// Where it stands in the dead-letter topic.
    pub partition: i32,
    pub offset: i64,
    pub reason: Reason,
    pub detail: &'a str,
    pub vendor: &'a str,
    /// Which version set it aside.
    pub version: &'a str,
    /// Where the raw record stands.
    pub source_topic: &'a str,
    pub source_partition: i32,
    pub source_offset: i64,
    pub item: i32,
    pub items: i32,
    /// Whether the value is the raw record's whole value.
    pub is_whole: bool,
    pub is_comma_repaired: bool,
    /// Milliseconds since 1970; -1 where the raw record has no timestamp.
    pub received_at: i64,
    pub hints: HintTexts<'a>,
    pub key: Option<&'a [u8]>,
    /// `None` where it was left out.
    pub payload: Option<&'a [u8]>,
    headers: &'a BorrowedHeaders,
    /// How many of the headers are the raw record's own.
    originals: usize,
}

impl<'a> Letter<'a> {
    /// `None` where the record is not one of ours, or lacks what a dead letter of ours has.
    pub(super) fn read<M: Message<Headers = BorrowedHeaders>>(message: &'a M) -> Option<Self> {
        let headers = message.headers()?;
        // Behind the last of them: a record that was put back and set aside once more has earlier ones before.
        let originals = (0..headers.count()).rev().find(|index| headers.get(*index).key == REASON)?;
        let text = |name: &str| {
            let own = (originals..headers.count()).map(|index| headers.get(index)).find(|header| header.key == name)?;
            std::str::from_utf8(own.value?).ok()
        };
        let reason = text(REASON)?;
        Some(Self {
            partition: message.partition(),
            offset: message.offset(),
            reason: Reason::ALL.into_iter().find(|known| known.name() == reason)?,
            detail: text(DETAIL)?,
            vendor: text(VENDOR)?,
            version: text(VERSION)?,
            source_topic: text(TOPIC)?,
            source_partition: text(PARTITION)?.parse().ok()?,
            source_offset: text(OFFSET)?.parse().ok()?,
            item: text(ITEM)?.parse().ok()?,
            items: text(ITEMS)?.parse().ok()?,
            is_whole: text(PART)? == "record",
            is_comma_repaired: text(REPAIRED).is_some(),
            received_at: text(RECEIVED_AT)?.parse().ok()?,
            hints: HintTexts {
                channel: text(HINT_CHANNEL),
                event: text(HINT_EVENT),
                format: text(HINT_FORMAT),
                account: text(HINT_ACCOUNT),
                zone: text(HINT_ZONE),
                region: text(HINT_REGION),
            },
            key: message.key(),
            payload: message.payload(),
            headers,
            originals,
        })
    }

    /// The headers of the raw record.
    pub fn original_headers(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        let headers = self.headers;
        (0..self.originals).map(|index| headers.get(index)).map(|header| (header.key, header.value))
    }

    /// The headers that say why and whence.
    pub fn own_headers(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        let headers = self.headers;
        (self.originals..headers.count()).map(|index| headers.get(index)).map(|header| (header.key, header.value))
    }

    /// The raw record's headers as it had them; `None` where it had none.
    pub(super) fn restored_headers(&self) -> Option<OwnedHeaders> {
        let put = |headers: OwnedHeaders, (key, value)| headers.insert(Header { key, value });
        (self.originals > 0).then(|| self.original_headers().fold(OwnedHeaders::new_with_capacity(self.originals + 16), put))
    }

    /// The raw headers, ours included, where hints are looked for by name.
    pub(super) fn all_headers(&self) -> &'a BorrowedHeaders {
        self.headers
    }

    /// What it tells of its item, for one that is made of it.
    pub(super) fn about(&self) -> About<'a> {
        About {
            vendor: self.vendor,
            topic: self.source_topic,
            place: Place { partition: self.source_partition, offset: self.source_offset, item: self.item, items: self.items },
            is_whole: self.is_whole,
            is_comma_repaired: self.is_comma_repaired,
            received_at: self.received_at,
            hints: self.hints,
        }
    }

    /// The event that it is about, as a hint or the item itself names it; never a word that could be a person's.
    pub fn event(&self, adapter: Option<&Adapter>) -> Option<String> {
        let printed = || adapter?.printed_event(self.payload?);
        let event = self.hints.event.map(str::to_owned).or_else(printed)?;
        is_event_name(&event).then_some(event)
    }
}

/// Whether a text can be the name of an event, and no number or address.
fn is_event_name(text: &str) -> bool {
    const DIGITS_MAX: usize = 3;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'-');
    (1..=48).contains(&text.len())
        && text.bytes().all(is_legal)
        && text.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_name_is_no_number_and_no_address() {
        for name in ["DELIVERY", "sms:message:status", "popup_click", "MO_OTT_CONTACT2"] {
            assert!(is_event_name(name), "{name}");
        }
        for other in ["", "4915112340001", "anna@example.org", "+49151", "Anna Muster", "id-12345"] {
            assert!(!is_event_name(other), "{other}");
        }
    }
}
