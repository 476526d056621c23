//! Inbound messages of the Messages API. They name their event and channel; `sender` is the person.

use serde_json::value::RawValue;

use super::{channels, content, events, message_ids, person};
use crate::event::{Channel, Content, Event};
use crate::reject::Reject;
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, json};

pub fn inbound<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["platform"])?;
    let word = leaves.peek(item, "event").unwrap_or_default();
    let channel = leaves.peek(item, "channel").unwrap_or_default();
    let (_, mut event) = super::event(item, events::INBOUND_MESSAGE, channels::told_by(channel, "/channel")?)?;
    event.recognized_by = "inbound message of the Messages API: `event` and `channel` say so";
    event.vendor_format = match event.channel {
        Channel::Sms => Some("inbound-message.sms.v2.json"),
        Channel::Mms => Some("inbound-message.mms.v2.json"),
        Channel::AppleMessages => Some("inbound-message.apple-messages-for-business.v2.json"),
        Channel::Messenger => Some("inbound-message.facebook.v2.json"),
        _ => None,
    };
    let printed_time = leaves.take_occurred(item, &mut event, &["receivedAt"])?;
    let from = leaves.take(item, "sender");
    event.contact = person(item, event.channel, &mut leaves, from);
    let ours = leaves.take(item, "destination");
    event.business = item.business(event.channel, ours);
    event.content = match word.to_ascii_uppercase().as_str() {
        "TYPING_STARTED" => Some(Content { kind: Some("typing_started"), ..Content::default() }),
        "TYPING_STOPPED" => Some(Content { kind: Some("typing_stopped"), ..Content::default() }),
        _ => {
            let said = leaves.take_raw("content").and_then(|raw| json::parse_strict::<Vec<&'a RawValue>>(raw.get()));
            let said = said.ok_or_else(|| Reject::invalid_shape("/content", "an array of content objects"))?;
            said_in(item, &mut event, &said)?
        }
    };
    let message = message_ids(item, &mut leaves)?;
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, from]);
    }
    event.message = message.given();
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
