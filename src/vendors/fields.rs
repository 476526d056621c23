//! Field types that vendors share: text that may be a number, numbers in strings, times, phone numbers, addresses.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use arrayvec::ArrayString;
use bumpalo::Bump;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Disambiguation, TimeZone};
use phonenumber::Mode;
use phonenumber::country::Id as Region;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::event::{Business, Channel, Contact, Instant};
use crate::reject::Reject;
use crate::vendors::json;

/// Text, or a whole number taken as its digits: vendors print the same id either way. Borrows where there is no escape.
#[derive(Debug, Clone)]
pub enum Text<'a> {
    Borrowed(&'a str),
    Unescaped(String),
    Digits(ArrayString<INTEGER_DIGITS>),
}

/// Of the longest 64-bit integers: twenty digits, or nineteen and a sign.
const INTEGER_DIGITS: usize = 20;

impl<'a> Text<'a> {
    /// The text, moved into the arena where it is not borrowed.
    pub fn keep(self, arena: &'a Bump) -> &'a str {
        match self {
            Self::Borrowed(text) => text,
            Self::Unescaped(text) => arena.alloc_str(&text),
            Self::Digits(text) => arena.alloc_str(&text),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Unescaped(text) => text,
            Self::Digits(text) => text,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number of at most 19 digits")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text::Unescaped(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text<'a>, E> {
                digits(number)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text<'a>, E> {
                digits(number)
            }
        }
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

fn digits<'a, E: de::Error>(number: impl itoa::Integer) -> Result<Text<'a>, E> {
    let mut buffer = itoa::Buffer::new();
    let digits = ArrayString::from(buffer.format(number));
    digits.map(Text::Digits).map_err(|_| E::custom("expected a whole number of at most 19 digits"))
}

/// The text of an optional field; the empty text counts as absent.
pub fn text<'a>(field: Option<Text<'a>>, arena: &'a Bump) -> Option<&'a str> {
    field.map(|text| text.keep(arena)).filter(|text| !text.is_empty())
}

/// The text of an optional field as printed, the empty text included: for status words and message texts.
pub fn printed<'a>(field: Option<Text<'a>>, arena: &'a Bump) -> Option<&'a str> {
    field.map(|text| text.keep(arena))
}

/// A whole number, as a number or as its digits in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub i32);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "expected a whole number of at most 9 digits";
        let text = Text::deserialize(deserializer)?;
        text.as_str().trim().parse().map(Count).map_err(|_| de::Error::custom(EXPECTED))
    }
}

/// A boolean, or the texts "true" and "false".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Flag, E> {
                match text {
                    _ if text.eq_ignore_ascii_case("true") => Ok(Flag(true)),
                    _ if text.eq_ignore_ascii_case("false") => Ok(Flag(false)),
                    _ => Err(E::custom("expected true or false")),
                }
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// A field whose presence alone tells a shape; null counts as absent, its value is not read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present(pub bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<IgnoredAny>::deserialize(deserializer).map(|value| Self(value.is_some()))
    }
}

/// Any JSON value as printed: a text without its quotes, the rest as compact JSON. Null and the empty text are absent.
pub fn any<'a>(field: Option<&'a RawValue>, arena: &'a Bump) -> Option<&'a str> {
    let raw = field.filter(|raw| raw.get() != "null")?;
    Some(printed_any(raw, arena)).filter(|text| !text.is_empty())
}

/// Any JSON value as printed, the empty text and null included.
pub fn printed_any<'a>(raw: &'a RawValue, arena: &'a Bump) -> &'a str {
    let raw = raw.get();
    match raw.as_bytes()[0] {
        // A text of valid JSON can be unescaped, unless it holds half of a surrogate pair; then it stays as printed.
        b'"' => json::parse_strict::<Text<'a>>(raw).map_or(raw, |text| text.keep(arena)),
        b'{' | b'[' => json::compact(raw, arena),
        _ => raw,
    }
}

/// A text, a number or a boolean as printed; null and the empty text are absent.
///
/// # Errors
/// `invalid_shape`: the value at `pointer` is an object or an array.
pub fn scalar<'a>(raw: &'a RawValue, pointer: &str, arena: &'a Bump) -> Result<Option<&'a str>, Reject> {
    if raw.get().starts_with(['{', '[']) {
        return Err(Reject::invalid_shape(pointer, "a text or a number"));
    }
    Ok(any(Some(raw), arena))
}

/// A value that must be an object. A derived struct alone would read an array too, by position.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A time zone that is assumed for times without one.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    time_zone: TimeZone,
}

impl Zone {
    /// The zone of an IANA name such as `Asia/Kolkata`.
    ///
    /// # Errors
    /// There is no such zone in the built-in database.
    pub fn named(name: &str) -> Result<Self, jiff::Error> {
        let time_zone = TimeZone::get(name)?;
        Ok(Self { name: time_zone.iana_name().unwrap_or(name).to_owned(), time_zone })
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What is assumed where neither the vendor nor the settings give a zone.
pub const DEFAULT_ZONE: &str = "UTC";

/// A vendor's time, and whether its zone had to be assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    pub instant: Instant,
    pub is_zone_assumed: bool,
}

static PARSER: DateTimeParser = DateTimeParser::new();

/// Reads every form that the vendors print: RFC 3339 with any offset form, with and without fraction; a local time without
/// zone, with `T` or a space; seconds or milliseconds since 1970 in digits.
///
/// Fractions of a millisecond are cut. A local time that occurs twice takes the earlier, one that does not exist moves
/// forward by the gap.
pub fn time(text: &str, zone: Option<&Zone>) -> Option<Time> {
    let text = text.trim_ascii();
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        // Seconds have 10 digits until the year 2286, milliseconds have had 12 or more since 1973.
        let milliseconds = if text.len() >= 12 { number } else { number.checked_mul(1000)? };
        return known_zone(Timestamp::from_millisecond(milliseconds).ok()?);
    }
    let text = cut_fraction(text);
    // A parse that fails costs more than one that doesn't.
    if names_offset(&text)
        && let Ok(timestamp) = PARSER.parse_timestamp(&*text)
    {
        return known_zone(timestamp);
    }
    let local = PARSER.parse_datetime(&*text).ok()?;
    // A date alone is no time of an event.
    if !text.contains(':') {
        return None;
    }
    let utc = TimeZone::UTC;
    let time_zone = zone.map_or(&utc, |zone| &zone.time_zone);
    let timestamp = time_zone.to_ambiguous_zoned(local).disambiguate(Disambiguation::Compatible).ok()?.timestamp();
    Some(Time { instant: instant(timestamp), is_zone_assumed: true })
}

/// Whether a `Z` or a sign stands behind the date.
fn names_offset(text: &str) -> bool {
    const DATE: usize = "2026-03-03".len();
    text.bytes().skip(DATE).any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'))
}

fn known_zone(timestamp: Timestamp) -> Option<Time> {
    Some(Time { instant: instant(timestamp), is_zone_assumed: false })
}

fn instant(timestamp: Timestamp) -> Instant {
    // Rounds down also before 1970, where `as_millisecond` would round towards 1970.
    let cut = i64::from(timestamp.subsec_nanosecond() % 1_000_000 < 0);
    Instant(timestamp.as_millisecond() - cut)
}

/// Leaves out digits of a fraction beyond the ninth, which no clock has but some printers write.
fn cut_fraction(text: &str) -> Cow<'_, str> {
    let Some(dot) = text.find('.') else { return Cow::Borrowed(text) };
    let digits = text[dot + 1..].bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 9 {
        return Cow::Borrowed(text);
    }
    Cow::Owned([&text[..dot + 10], &text[dot + 1 + digits..]].concat())
}

/// A phone number as E.164 with a plus sign; `None` for what is masked, too short, too long or no number.
///
/// Without a region only international numbers can be read: 7 to 15 digits that don't begin with 0.
pub fn e164<'a>(raw: &str, region: Option<Region>, arena: &'a Bump) -> Option<&'a str> {
    let is_international = raw.trim_ascii_start().starts_with('+');
    if let (Some(region), false) = (region, is_international) {
        let number = phonenumber::parse(Some(region), raw).ok().filter(phonenumber::is_valid);
        if let Some(number) = number {
            return Some(arena.alloc_str(&number.format().mode(Mode::E164).to_string()));
        }
    }
    let mut number = bumpalo::collections::String::with_capacity_in(raw.len() + 1, arena);
    number.push('+');
    for (position, character) in raw.trim_ascii().chars().enumerate() {
        match character {
            '0'..='9' => number.push(character),
            '+' if position == 0 => {}
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    let digits = number.len() - 1;
    ((7..=15).contains(&digits) && !number.starts_with("+0")).then(|| number.into_bump_str())
}

/// The person behind an address on a channel, as the vendor printed it.
pub fn contact<'a>(channel: Channel, raw: &'a str, region: Option<Region>, arena: &'a Bump) -> Contact<'a> {
    let (address, kind) = match channel {
        Channel::Email => (lower(raw, arena), "email"),
        Channel::Push => (raw, "device"),
        Channel::Messenger | Channel::AppleMessages | Channel::TelegramBot | Channel::TelegramGroup | Channel::OpenChannel => {
            (raw, "user_id")
        }
        _ => match e164(raw, region, arena) {
            Some(number) => (number, "phone"),
            None if channel == Channel::None && is_mail(raw) => (lower(raw, arena), "email"),
            None if has_opaque_ids(channel) && !looks_like_number(raw) => (raw, "user_id"),
            None => (raw, "other"),
        },
    };
    Contact { address: Some(address), address_kind: Some(kind), raw_address: Some(raw), ..Contact::default() }
}

/// Our side behind an address on a channel, as the vendor printed it.
pub fn business<'a>(channel: Channel, raw: &'a str, region: Option<Region>, arena: &'a Bump) -> Business<'a> {
    let digits = raw.bytes().filter(u8::is_ascii_digit).count();
    let (address, kind) = if is_mail(raw) {
        (lower(raw, arena), "email")
    } else if has_agents(channel) {
        (raw, "agent_id")
    } else if digits == raw.len() && (3..=6).contains(&digits) {
        (raw, "short_code")
    } else if let Some(number) = e164(raw, region, arena) {
        (number, "phone")
    } else if raw.chars().any(char::is_alphabetic) && raw.chars().count() <= ALPHANUMERIC_SENDER_MAX {
        (raw, "alphanumeric")
    } else if channel == Channel::Viber {
        // A bot or an agent; other senders of Viber are short names and numbers.
        (raw, "agent_id")
    } else {
        (raw, "other")
    };
    Business { address: Some(address), address_kind: Some(kind), raw_address: Some(raw) }
}

/// A person on a channel that may not be one of ours: then what the address looks like tells its kind.
pub fn contact_by_looks<'a>(channel: Option<Channel>, raw: &'a str, region: Option<Region>, arena: &'a Bump) -> Contact<'a> {
    let contact = contact(channel.unwrap_or(Channel::None), raw, region, arena);
    let is_opaque = channel.is_none() && contact.address_kind == Some("other") && !looks_like_number(raw);
    if is_opaque { Contact { address_kind: Some("user_id"), ..contact } } else { contact }
}

/// Our side on a channel that may not be one of ours.
pub fn business_by_looks<'a>(channel: Option<Channel>, raw: &'a str, region: Option<Region>, arena: &'a Bump) -> Business<'a> {
    let business = business(channel.unwrap_or(Channel::None), raw, region, arena);
    let is_agent = channel.is_none() && matches!(business.address_kind, Some("other" | "alphanumeric"));
    if is_agent { Business { address_kind: Some("agent_id"), ..business } } else { business }
}

/// First and last name in one, where one of them is there.
pub fn full_name<'a>(first: Option<&'a str>, last: Option<&'a str>, arena: &'a Bump) -> Option<&'a str> {
    match (first, last) {
        (Some(first), Some(last)) => Some(bumpalo::format!(in arena, "{} {}", first, last).into_bump_str()),
        (first, last) => first.or(last),
    }
}

/// GSM 03.40 leaves room for 11 characters of an alphanumeric sender.
const ALPHANUMERIC_SENDER_MAX: usize = 11;

/// Channels that know people by a number or by an id of their own.
fn has_opaque_ids(channel: Channel) -> bool {
    matches!(channel, Channel::Whatsapp | Channel::Viber | Channel::Zalo | Channel::Line | Channel::Rcs)
}

/// Channels on which a business is a page, an account or an agent, not a number.
fn has_agents(channel: Channel) -> bool {
    matches!(
        channel,
        Channel::Rcs
            | Channel::Messenger
            | Channel::AppleMessages
            | Channel::Line
            | Channel::KakaoAlim
            | Channel::KakaoChingu
            | Channel::Zalo
            | Channel::Push
            | Channel::OpenChannel
            | Channel::TelegramBot
            | Channel::TelegramGroup
    )
}

fn looks_like_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '+' || first.is_ascii_digit())
}

pub fn is_mail(raw: &str) -> bool {
    raw.split_once('@').is_some_and(|(user, domain)| !user.is_empty() && domain.contains('.'))
}

/// A vendor's word in small letters.
pub fn small<'a>(word: &str, arena: &'a Bump) -> &'a str {
    let word = arena.alloc_str(word);
    word.make_ascii_lowercase();
    word
}

fn lower<'a>(raw: &'a str, arena: &'a Bump) -> &'a str {
    if raw.chars().any(char::is_uppercase) { arena.alloc_str(&raw.to_lowercase()) } else { raw }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str, zone: Option<&str>) -> Option<(i64, bool)> {
        let zone = zone.map(|name| Zone::named(name).unwrap());
        time(text, zone.as_ref()).map(|time| (time.instant.0, time.is_zone_assumed))
    }

    #[test]
    fn every_form_of_a_time_is_the_same_instant() {
        for text in [
            "2026-03-03T14:22:30.123+0000",
            "2026-03-03T11:22:30.123-0300",
            "2026-03-03T14:22:30.123+00:00",
            "2026-03-03T19:52:30.123+05:30",
            "2026-03-03T14:22:30.123Z",
            "2026-03-03T14:22:30.123999999Z",
            "2026-03-03T14:22:30.123999999999Z",
            "1772547750123",
        ] {
            assert_eq!(millis(text, Some("Asia/Tokyo")), Some((1_772_547_750_123, false)), "{text}");
        }
        assert_eq!(millis("1772547750", None), Some((1_772_547_750_000, false)));
        assert_eq!(millis("2026-03-03T14:22:30Z", None), Some((1_772_547_750_000, false)));
    }

    #[test]
    fn a_time_without_zone_takes_the_sources_or_utc_and_says_so() {
        assert_eq!(millis("2026-03-03 14:22:30", None), Some((1_772_547_750_000, true)));
        assert_eq!(millis("2026-03-03T19:52:30", Some("Asia/Kolkata")), Some((1_772_547_750_000, true)));
    }

    #[test]
    fn a_local_time_in_a_gap_moves_forward_and_in_a_fold_takes_the_earlier() {
        let utc = |text| millis(text, None).unwrap().0;
        assert_eq!(millis("2026-03-29 02:30:00", Some("Europe/Madrid")), Some((utc("2026-03-29 01:30:00"), true)));
        assert_eq!(millis("2026-10-25 02:30:00", Some("Europe/Madrid")), Some((utc("2026-10-25 00:30:00"), true)));
    }

    #[test]
    fn fractions_are_cut_before_1970_too() {
        assert_eq!(millis("1969-12-31T23:59:59.9995Z", None), Some((-1, false)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "soon", "2026-03-03", "2026-13-01T00:00:00Z", "12", "99999999999999999999"] {
            assert_eq!(millis(text, None), None, "{text}");
        }
    }

    #[test]
    fn international_numbers_are_read_and_masked_ones_are_not() {
        let arena = Bump::new();
        let number = |raw, region| e164(raw, region, &arena);
        assert_eq!(number("4915112340001", None), Some("+4915112340001"));
        assert_eq!(number("+49 151 1234-0001", None), Some("+4915112340001"));
        for raw in ["491511234xxxx", "015112340001", "123456", "1234567890123456", "", "+", "4915+112340001"] {
            assert_eq!(number(raw, None), None, "{raw}");
        }
        assert_eq!(number("015112340001", Some(Region::DE)), Some("+4915112340001"));
        assert_eq!(number("919876543210", Some(Region::IN)), Some("+919876543210"));
        assert_eq!(number("9876543210", Some(Region::IN)), Some("+919876543210"));
    }

    #[test]
    fn numbers_in_texts_and_texts_in_numbers_are_read() {
        assert_eq!(serde_json::from_str::<Count>("\"2\"").unwrap(), Count(2));
        assert_eq!(serde_json::from_str::<Count>("2").unwrap(), Count(2));
        assert_eq!(serde_json::from_str::<Text<'_>>("18446744073709551615").unwrap().as_str(), "18446744073709551615");
        assert!(serde_json::from_str::<Text<'_>>("18446744073709551616").is_err());
        assert_eq!(serde_json::from_str::<Flag>("\"True\"").unwrap(), Flag(true));
        assert_eq!(serde_json::from_str::<Flag>("\"FALSE\"").unwrap(), Flag(false));
    }

    #[test]
    fn a_value_of_a_wrong_type_says_what_was_expected() {
        fn error<'de, T: Deserialize<'de> + fmt::Debug>(text: &'de str) -> String {
            serde_json::from_str::<T>(text).unwrap_err().to_string()
        }
        assert!(error::<Text<'_>>("[]").contains("expected a text or a whole number of at most 19 digits"));
        assert!(error::<Count>("\"two\"").contains("expected a whole number of at most 9 digits"));
        assert!(error::<Flag>("[]").contains("expected true or false"));
        assert!(error::<Flag>("\"yes\"").contains("expected true or false"));
        assert!(error::<Object<Flag>>("[]").contains("expected an object"));
    }
}
