//! The vocabulary: what happened, in words common to all vendors. Nothing here knows Kafka.

use std::fmt;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// What happened, as one adapter read it from one item of a body. It borrows from the body and from the arena.
///
/// The groups are nullable; which of them a family fills is written in `schemas/README.md`.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    pub event_type: EventType,
    pub channel: Channel,
    /// The vendor's own name for the event, as in the catalogue.
    pub vendor_event: &'a str,
    /// The published name of the format that was recognized.
    pub vendor_format: Option<&'a str>,
    /// Account that the body names; the source's setting outranks it.
    pub account: Option<&'a str>,
    pub occurred_at: Option<Instant>,
    /// Name of the time zone that was assumed, where the vendor gave none.
    pub occurred_at_zone: Option<&'a str>,
    pub direction: Direction,
    pub contact: Option<Contact<'a>>,
    pub business: Option<Business<'a>>,
    pub message: Option<Message<'a>>,
    pub status: Option<Status<'a>>,
    pub content: Option<Content<'a>>,
    pub engagement: Option<Engagement<'a>>,
    pub consent: Option<Consent<'a>>,
    pub voice_call: Option<VoiceCall<'a>>,
    pub cost: Option<Cost<'a>>,
    pub attributes: Attributes<'a>,
    /// The printed values that identify the fact; empty: the item's bytes identify it.
    pub identity: &'a [&'a str],
    /// How the event was recognized, for `translate --explain`.
    pub recognized_by: &'static str,
    /// The vendor's status word is not in our tables.
    pub has_unlisted_status: bool,
    /// A hint contradicts the body; the attribute `hint_conflict` says which.
    pub has_hint_conflict: bool,
}

impl<'a> Event<'a> {
    /// An event without any group, of the direction that its type implies.
    pub fn new(event_type: EventType, channel: Channel, vendor_event: &'a str, arena: &'a Bump) -> Self {
        Self {
            event_type,
            channel,
            vendor_event,
            vendor_format: None,
            account: None,
            occurred_at: None,
            occurred_at_zone: None,
            direction: event_type.direction(),
            contact: None,
            business: None,
            message: None,
            status: None,
            content: None,
            engagement: None,
            consent: None,
            voice_call: None,
            cost: None,
            attributes: Attributes::new_in(arena),
            identity: &[],
            recognized_by: "",
            has_unlisted_status: false,
            has_hint_conflict: false,
        }
    }
}

/// `family.fact`, as in the catalogue: `message.status`, `consent.opt_out`. An open set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventType(pub &'static str);

impl EventType {
    pub const MESSAGE_STATUS: Self = Self("message.status");

    pub fn family(self) -> &'static str {
        self.0.split_once('.').map_or(self.0, |(family, _)| family)
    }

    /// The direction that the event type implies; where the body decides (calls, edited messages) it is `None` here.
    pub fn direction(self) -> Direction {
        match self.0 {
            "message.status" | "message.click" | "message.open" | "message.outbound" | "conversation.message_sent" => {
                Direction::Outbound
            }
            "message.inbound" | "message.suggestion" | "message.typing" | "conversation.message_received" => Direction::Inbound,
            _ => Direction::None,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The closed list of channels over which a person is reached, and `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Channel {
    Sms,
    Mms,
    Email,
    Whatsapp,
    Viber,
    Rcs,
    Line,
    KakaoAlim,
    KakaoChingu,
    Messenger,
    AppleMessages,
    Zalo,
    TelegramBot,
    TelegramGroup,
    Push,
    Notify,
    Voice,
    Popup,
    Web,
    OpenChannel,
    None,
}

impl Channel {
    pub const ALL: [Self; 21] = [
        Self::Sms,
        Self::Mms,
        Self::Email,
        Self::Whatsapp,
        Self::Viber,
        Self::Rcs,
        Self::Line,
        Self::KakaoAlim,
        Self::KakaoChingu,
        Self::Messenger,
        Self::AppleMessages,
        Self::Zalo,
        Self::TelegramBot,
        Self::TelegramGroup,
        Self::Push,
        Self::Notify,
        Self::Voice,
        Self::Popup,
        Self::Web,
        Self::OpenChannel,
        Self::None,
    ];

    pub fn slug(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Mms => "mms",
            Self::Email => "email",
            Self::Whatsapp => "whatsapp",
            Self::Viber => "viber",
            Self::Rcs => "rcs",
            Self::Line => "line",
            Self::KakaoAlim => "kakao-alim",
            Self::KakaoChingu => "kakao-chingu",
            Self::Messenger => "messenger",
            Self::AppleMessages => "apple-messages",
            Self::Zalo => "zalo",
            Self::TelegramBot => "telegram-bot",
            Self::TelegramGroup => "telegram-group",
            Self::Push => "push",
            Self::Notify => "notify",
            Self::Voice => "voice",
            Self::Popup => "popup",
            Self::Web => "web",
            Self::OpenChannel => "open-channel",
            Self::None => "none",
        }
    }

    /// The channel of a slug, without regard to case.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.slug().eq_ignore_ascii_case(slug))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

/// Where an event is published: the channel, or for channel `none` the family. A closed set, so topics can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream(u8);

/// Families of facts that are not about one channel, as stream names.
const FAMILY_STREAMS: [&str; 11] = [
    "campaign",
    "consent",
    "control-group",
    "conversation",
    "identity",
    "lookup",
    "loyalty",
    "profile",
    "promocode",
    "registration",
    "segment",
];
const CHANNEL_STREAMS: usize = Channel::ALL.len() - 1;

impl Stream {
    pub const COUNT: usize = CHANNEL_STREAMS + FAMILY_STREAMS.len();

    /// The stream of an event; `None` for a family that has neither a channel nor a stream, which no catalogue row has.
    pub fn of(channel: Channel, event_type: EventType) -> Option<Self> {
        if channel != Channel::None {
            return Some(Self(channel as u8));
        }
        let family = event_type.family();
        let position = FAMILY_STREAMS.iter().position(|name| {
            name.len() == family.len() && name.bytes().zip(family.bytes()).all(|(n, f)| n == f || (n == b'-' && f == b'_'))
        })?;
        u8::try_from(CHANNEL_STREAMS + position).ok().map(Self)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(Self::COUNT).map(Self)
    }

    /// Position in [`Stream::all`], for tables by stream.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    pub fn name(self) -> &'static str {
        match Channel::ALL.get(self.index()) {
            Some(channel) if *channel != Channel::None => channel.slug(),
            _ => FAMILY_STREAMS[self.index() - CHANNEL_STREAMS],
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|stream| stream.name() == name)
    }
}

/// Whether the message or call went out to the person or came in from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Outbound,
    Inbound,
    None,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::None => "none",
        }
    }
}

impl Serialize for Direction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Milliseconds since 1970-01-01 UTC. A number in Avro, RFC 3339 in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i64);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_i64(self.0);
        }
        match Timestamp::from_millisecond(self.0) {
            Ok(_) => serializer.collect_str(self),
            Err(_) => serializer.serialize_i64(self.0),
        }
    }
}

/// RFC 3339 in UTC with milliseconds; the bare number where a calendar ends before it.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// The person. `raw_address` is always set together with `address`.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Contact<'a> {
    pub address: Option<&'a str>,
    pub address_kind: Option<&'static str>,
    pub raw_address: Option<&'a str>,
    pub profile_id: Option<&'a str>,
    pub display_name: Option<&'a str>,
}

/// Our side: sender id, page, agent, rented number.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Business<'a> {
    pub address: Option<&'a str>,
    pub address_kind: Option<&'static str>,
    pub raw_address: Option<&'a str>,
}

/// Ids that tie an event to a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Message<'a> {
    pub message_id: Option<&'a str>,
    pub bulk_id: Option<&'a str>,
    pub reference: Option<&'a str>,
    pub paired_message_id: Option<&'a str>,
    pub conversation_id: Option<&'a str>,
    pub campaign_id: Option<&'a str>,
    pub template_id: Option<&'a str>,
    pub application_id: Option<&'a str>,
    pub entity_id: Option<&'a str>,
    pub parts: Option<i32>,
    pub network: Option<&'a str>,
}

impl Message<'_> {
    /// `None` where nothing is known of the message.
    pub fn given(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// How far an outbound message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Accepted,
    Sent,
    Deferred,
    Delivered,
    Read,
    Undelivered,
    Rejected,
    Expired,
    Deleted,
    Unknown,
}

impl State {
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Sent,
        Self::Deferred,
        Self::Delivered,
        Self::Read,
        Self::Undelivered,
        Self::Rejected,
        Self::Expired,
        Self::Deleted,
        Self::Unknown,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Sent => "SENT",
            Self::Deferred => "DEFERRED",
            Self::Delivered => "DELIVERED",
            Self::Read => "READ",
            Self::Undelivered => "UNDELIVERED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// For readers that keep one state per message: take the higher rank, on a tie the later time.
    pub fn rank(self) -> i32 {
        match self {
            Self::Unknown => 0,
            Self::Accepted => 10,
            Self::Sent => 20,
            Self::Deferred => 25,
            Self::Delivered | Self::Undelivered | Self::Rejected | Self::Expired | Self::Deleted => 40,
            Self::Read => 50,
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What a vendor's status word means: one row of a status table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    pub state: State,
    pub is_final: bool,
    pub reason: Option<&'static str>,
}

impl Meaning {
    /// A word that is in no table: data, not an error.
    pub const UNLISTED: Self = Self { state: State::Unknown, is_final: false, reason: Some("unknown") };

    pub const fn new(state: State, is_final: bool, reason: Option<&'static str>) -> Self {
        Self { state, is_final, reason }
    }
}

/// The status of a message, with the vendor's own words as printed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Status<'a> {
    pub state: State,
    pub state_rank: i32,
    pub is_final: bool,
    pub reason: Option<&'static str>,
    pub is_permanent: Option<bool>,
    pub vendor_code: Option<&'a str>,
    pub vendor_name: Option<&'a str>,
    pub vendor_group: Option<&'a str>,
    pub description: Option<&'a str>,
    pub error_code: Option<&'a str>,
    pub error_name: Option<&'a str>,
}

impl Status<'_> {
    /// A status with a meaning and without the vendor's words.
    pub fn new(meaning: Meaning) -> Self {
        Self {
            state: meaning.state,
            state_rank: meaning.state.rank(),
            is_final: meaning.is_final,
            reason: meaning.reason,
            is_permanent: None,
            vendor_code: None,
            vendor_name: None,
            vendor_group: None,
            description: None,
            error_code: None,
            error_name: None,
        }
    }
}

/// What an inbound (or echoed outbound) message says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Content<'a> {
    pub kind: Option<&'a str>,
    pub text: Option<&'a str>,
    pub media_url: Option<&'a str>,
    pub media_type: Option<&'a str>,
    pub file_name: Option<&'a str>,
    pub reply_id: Option<&'a str>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub json: Option<&'a str>,
}

/// Opens, clicks, web and popup facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Engagement<'a> {
    pub url: Option<&'a str>,
    pub is_unique: Option<bool>,
    pub user_agent: Option<&'a str>,
    pub device_type: Option<&'a str>,
    pub operating_system: Option<&'a str>,
    pub ip: Option<&'a str>,
    pub country: Option<&'a str>,
    pub city: Option<&'a str>,
}

/// A change of consent.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Consent<'a> {
    /// `OPTED_IN` or `OPTED_OUT`.
    pub state: Option<&'static str>,
    pub scope_kind: Option<&'a str>,
    pub scope_value: Option<&'a str>,
}

/// A voice or video call, conference or dialog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct VoiceCall<'a> {
    pub call_id: Option<&'a str>,
    pub conference_id: Option<&'a str>,
    pub dialog_id: Option<&'a str>,
    pub state: Option<&'a str>,
    pub started_at: Option<Instant>,
    pub answered_at: Option<Instant>,
    pub ended_at: Option<Instant>,
    pub duration_ms: Option<i64>,
    pub hangup_cause: Option<&'a str>,
    pub recording_url: Option<&'a str>,
}

/// What the vendor charges for one message or call.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Cost<'a> {
    /// The vendor's digits as text: never through a float.
    pub amount: Option<&'a str>,
    pub currency: Option<&'a str>,
    /// What is counted where it is not money, such as `credits`.
    pub units: Option<&'static str>,
}

/// Vendor fields that have no field in the envelope, in the order they were added. A name stands once.
///
/// There are at most [`Attributes::MAX`] of them: a body with very many fields keeps the rest in `payload` alone.
#[derive(Debug, Clone)]
pub struct Attributes<'a>(ArenaVec<'a, (&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    pub const MAX: usize = 256;

    pub fn new_in(arena: &'a Bump) -> Self {
        Self(ArenaVec::new_in(arena))
    }

    /// Adds an attribute where the vendor gave a value. The first value of a name holds.
    pub fn put(&mut self, name: &'a str, value: impl Into<Option<&'a str>>) {
        if let Some(value) = value.into()
            && self.0.len() < Self::MAX
            && self.get(name).is_none()
        {
            self.0.push((name, value));
        }
    }

    /// Adds one of our own marks, also where the vendor's fields have filled the list.
    pub fn mark(&mut self, name: &'static str, value: &'a str) {
        self.0.retain(|(key, _)| *key != name);
        self.0.push((name, value));
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_and_family_is_a_stream_of_its_own() {
        let names: Vec<_> = Stream::all().map(Stream::name).collect();
        assert_eq!(names.len(), 31);
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), 31);
        assert!(!names.contains(&"none"));
        assert_eq!(Stream::of(Channel::Sms, EventType::MESSAGE_STATUS).map(Stream::name), Some("sms"));
        assert_eq!(Stream::of(Channel::None, EventType("control_group.entered")).map(Stream::name), Some("control-group"));
        assert_eq!(Stream::of(Channel::None, EventType("message.status")), None);
    }

    #[test]
    fn an_instant_is_rfc_3339_with_milliseconds_in_text() {
        let text = serde_json::to_string(&Instant(1_772_547_750_000)).unwrap();
        assert_eq!(text, "\"2026-03-03T14:22:30.000Z\"");
    }
}
