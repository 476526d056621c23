//! The envelope: an event with its identity and where it came from. Field order is the schema's order.

use bumpalo::Bump;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::event::{
    Attributes, Business, Channel, Consent, Contact, Content, Cost, Direction, Engagement, Event, EventType, Instant, Message,
    Status, Stream, VoiceCall,
};
use crate::vendors::json;

/// The public contract, as `schemas/envelope.avsc` has it. Made only by [`Envelope::wrap`].
///
/// The fields stand in the schema's order: the Avro encoder writes them by position.
#[derive(Debug, Clone, Serialize)]
pub struct Envelope<'a> {
    pub event_id: &'a str,
    pub event_type: EventType,
    pub channel: Channel,
    pub vendor: &'a str,
    pub vendor_event: &'a str,
    pub vendor_format: Option<&'a str>,
    pub account: Option<&'a str>,
    pub occurred_at: Option<Instant>,
    pub occurred_at_zone: Option<&'a str>,
    pub received_at: Instant,
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
    pub source: Source<'a>,
    pub payload: Option<Payload<'a>>,
}

/// Where an item stands in the raw topic. Offsets count from 0, items from 0.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Source<'a> {
    pub kafka_topic: &'a str,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
    pub item_index: i32,
    pub item_count: i32,
}

/// The item's JSON as it arrived. Bytes in Avro, a JSON value in text.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a>(pub &'a [u8]);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(self.0);
        }
        let text = String::from_utf8_lossy(self.0);
        let arena = Bump::new();
        match serde_json::from_str::<&RawValue>(json::compact(&text, &arena)) {
            Ok(value) => value.serialize(serializer),
            // A body that was repaired is no JSON as it arrived.
            Err(_) => serializer.serialize_str(&text),
        }
    }
}

/// What an envelope needs to know of the raw record beside the event.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub vendor: &'a str,
    /// The source's `account` setting; it outranks the body's.
    pub account: Option<&'a str>,
    pub received_at: Instant,
    pub source: Source<'a>,
}

impl<'a> Envelope<'a> {
    /// Gives an event its identity and its origin. `item` is the item's bytes as they arrived; `keep_payload` puts them
    /// into the envelope.
    pub fn wrap(event: Event<'a>, origin: Origin<'a>, item: &'a [u8], keep_payload: bool, arena: &'a Bump) -> Self {
        let account = origin.account.or(event.account);
        Self {
            event_id: event_id(&event, origin.vendor, account, item, arena),
            event_type: event.event_type,
            channel: event.channel,
            vendor: origin.vendor,
            vendor_event: event.vendor_event,
            vendor_format: event.vendor_format,
            account,
            occurred_at: event.occurred_at,
            occurred_at_zone: event.occurred_at_zone,
            received_at: origin.received_at,
            direction: event.direction,
            contact: event.contact,
            business: event.business,
            message: event.message,
            status: event.status,
            content: event.content,
            engagement: event.engagement,
            consent: event.consent,
            voice_call: event.voice_call,
            cost: event.cost,
            attributes: event.attributes,
            source: origin.source,
            payload: keep_payload.then_some(Payload(item)),
        }
    }

    /// The record key, so that one message's life stays in order in one partition: message, call or conversation id,
    /// else the contact's address, else the event id.
    pub fn key(&self) -> &'a str {
        let message = self.message.as_ref();
        let call = self.voice_call.as_ref();
        message
            .and_then(|m| m.message_id)
            .or_else(|| call.and_then(|c| c.call_id.or(c.conference_id).or(c.dialog_id)))
            .or_else(|| message.and_then(|m| m.conversation_id))
            .or_else(|| self.contact.as_ref().and_then(|c| c.address))
            .unwrap_or(self.event_id)
    }

    /// The stream that the event goes to; every catalogue row has one.
    pub fn stream(&self) -> Option<Stream> {
        Stream::of(self.channel, self.event_type)
    }
}

/// 128 bits of SHA-256 as 32 hexadecimal digits. Every field is preceded by its length, so no two lists run together.
fn event_id<'a>(event: &Event<'a>, vendor: &str, account: Option<&str>, item: &[u8], arena: &'a Bump) -> &'a str {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(vendor.as_bytes());
    field(account.unwrap_or_default().as_bytes());
    field(event.vendor_event.as_bytes());
    if event.identity.is_empty() {
        field(item);
    } else {
        for value in event.identity {
            field(value.as_bytes());
        }
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = hash.finalize().into_iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
    let mut id = bumpalo::collections::String::with_capacity_in(32, arena);
    id.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
    id.into_bump_str()
}
