//! Messages API events that are no reports: seen reports and inbound messages. They name their event and channel.
//!
//! In a seen report `destination` is the person, in an inbound message `sender` is.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report::{Ids, Platform};
use super::{channels, content, events};
use crate::event::{Channel, Content, Event, Message, Status};
use crate::reject::Reject;
use crate::vendors::fields::{self, Count, Object, Text, any, text};
use crate::vendors::{Item, json};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    sender: Option<Text<'a>>,
    #[serde(borrow)]
    destination: Option<Text<'a>>,
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow)]
    bulk_id: Option<Text<'a>>,
    #[serde(borrow)]
    sent_at: Option<Text<'a>>,
    #[serde(borrow)]
    seen_at: Option<Text<'a>>,
    #[serde(borrow)]
    callback_data: Option<&'a RawValue>,
    #[serde(borrow)]
    platform: Option<Object<Platform<'a>>>,
    #[serde(borrow)]
    campaign_reference_id: Option<Text<'a>>,
}

pub fn seen<'a>(item: &Item<'a>, seen: Seen<'a>) -> Result<Event<'a>, Reject> {
    let Seen {
        channel,
        sender,
        destination,
        message_id,
        bulk_id,
        sent_at,
        seen_at,
        callback_data,
        platform,
        campaign_reference_id,
    } = seen;
    let arena = item.arena;
    let channel = channel.keep(arena);
    let (row, mut event) = super::event(item, events::SEEN, channels::told_by(channel, "/channel")?)?;
    event.recognized_by = "seen report of the Messages API: `event` and `channel` say so";
    let printed_time = text(seen_at, arena);
    item.occurred(&mut event, "/seenAt", printed_time)?;
    event.status = row.status.map(Status::new);

    let reader = text(destination, arena);
    event.contact = reader.map(|reader| fields::contact(event.channel, reader, item.hints.region, arena));
    event.business = text(sender, arena).map(|sender| fields::business(event.channel, sender, item.hints.region, arena));
    let ids = Ids::of(item, platform, None, None);
    let message = Message {
        message_id: text(message_id, arena),
        bulk_id: text(bulk_id, arena),
        reference: any(callback_data, arena),
        campaign_id: text(campaign_reference_id, arena),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        ..Message::default()
    };
    event.attributes.put("channel", channel);
    event.attributes.put("sentAt", text(sent_at, arena));
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, reader]);
    }
    event.message = (!message.is_empty()).then_some(message);
    Ok(event)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inbound<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    sender: Option<Text<'a>>,
    #[serde(borrow)]
    destination: Option<Text<'a>>,
    /// Typing has none.
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    received_at: Option<Text<'a>>,
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow)]
    paired_message_id: Option<Text<'a>>,
    message_count: Option<Count>,
    #[serde(borrow)]
    callback_data: Option<&'a RawValue>,
    #[serde(borrow)]
    platform: Option<Object<Platform<'a>>>,
    #[serde(borrow)]
    campaign_reference_id: Option<Text<'a>>,
}

pub fn inbound<'a>(item: &Item<'a>, inbound: Inbound<'a>) -> Result<Event<'a>, Reject> {
    let Inbound {
        event: word,
        channel,
        sender,
        destination,
        content: said,
        received_at,
        message_id,
        paired_message_id,
        message_count,
        callback_data,
        platform,
        campaign_reference_id,
    } = inbound;
    let arena = item.arena;
    let channel = channel.keep(arena);
    let (_, mut event) = super::event(item, events::INBOUND_MESSAGE, channels::told_by(channel, "/channel")?)?;
    event.recognized_by = "inbound message of the Messages API: `event` and `channel` say so";
    event.vendor_format = match event.channel {
        Channel::Sms => Some("inbound-message.sms.v2.json"),
        Channel::Mms => Some("inbound-message.mms.v2.json"),
        Channel::AppleMessages => Some("inbound-message.apple-messages-for-business.v2.json"),
        Channel::Messenger => Some("inbound-message.facebook.v2.json"),
        _ => None,
    };
    let printed_time = text(received_at, arena);
    item.occurred(&mut event, "/receivedAt", printed_time)?;

    let person = text(sender, arena);
    event.contact = person.map(|person| fields::contact(event.channel, person, item.hints.region, arena));
    event.business = text(destination, arena).map(|to| fields::business(event.channel, to, item.hints.region, arena));
    let word = word.keep(arena);
    event.attributes.put("event", word);
    event.attributes.put("channel", channel);
    event.content = match word.to_ascii_uppercase().as_str() {
        "TYPING_STARTED" => Some(Content { kind: Some("typing_started"), ..Content::default() }),
        "TYPING_STOPPED" => Some(Content { kind: Some("typing_stopped"), ..Content::default() }),
        _ => {
            let said = said.ok_or_else(|| Reject::invalid_shape("/content", "an array of content objects"))?;
            said_in(item, &mut event, &said)?
        }
    };
    let ids = Ids::of(item, platform, None, None);
    let message = Message {
        message_id: text(message_id, arena),
        reference: any(callback_data, arena),
        paired_message_id: text(paired_message_id, arena),
        campaign_id: text(campaign_reference_id, arena),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        parts: message_count.map(|count| count.0),
        ..Message::default()
    };
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, person]);
    }
    event.message = (!message.is_empty()).then_some(message);
    Ok(event)
}

/// The first entry with a text or an address stands in the fields; all of them in `json` where there is more to say.
fn said_in<'a>(item: &Item<'a>, event: &mut Event<'a>, said: &[&'a RawValue]) -> Result<Option<Content<'a>>, Reject> {
    let mut entries = Vec::with_capacity(said.len());
    for entry in said {
        entries.push(content::read(item, entry, "/content")?);
    }
    let speaks = |read: &&content::Read<'_>| read.content.text.is_some() || read.content.media_url.is_some();
    let Some(first) = entries.iter().find(speaks).or(entries.first()) else { return Ok(None) };
    event.attributes.put("cleanText", first.clean_text);
    event.attributes.put("keyword", first.keyword);
    let has_rest = entries.len() > 1 || first.has_rest;
    Ok(Some(Content { json: has_rest.then(|| array_text(item, said)), ..first.content }))
}

fn array_text<'a>(item: &Item<'a>, elements: &[&'a RawValue]) -> &'a str {
    let mut text = bumpalo::collections::String::new_in(item.arena);
    for (index, element) in elements.iter().enumerate() {
        text.push(if index == 0 { '[' } else { ',' });
        text.push_str(json::compact(element.get(), item.arena));
    }
    text.push(']');
    text.into_bump_str()
}
