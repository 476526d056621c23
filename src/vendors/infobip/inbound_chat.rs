//! Inbound chat messages, and taps on RCS suggestions: `from` or `sender` is the person, `to` the business.

use super::{Told, channels, content, cost, events, message_ids, person};
use crate::event::{Channel, Content, Event};
use crate::reject::Reject;
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, json};

const SPLIT: &[&str] = &["price", "contact", "identity", "platform", "conversation"];

/// The name that a person's tap on a suggestion has where it is no message.
const SUGGESTION: &str = "SUGGESTION";

pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let said = leaves.take_raw("message").ok_or_else(|| Reject::invalid_shape("/message", "a message object"))?;
    let read = content::read(item, said, "/message")?;
    let told = match leaves.peek(item, "integrationType") {
        Some(word) => channels::told_by(word, "/integrationType")?,
        None if leaves.has("rcsCount") || leaves.has("interactionType") || leaves.has_under("conversation") => {
            Told::Is(Channel::Rcs)
        }
        None if leaves.has_under("contact") || leaves.has_under("identity") => Told::Is(Channel::Whatsapp),
        None if read.mid.is_some() => Told::Is(Channel::Messenger),
        None => Told::Nothing,
    };
    let name = name(item, told, leaves.peek(item, "interactionType"), read.content.kind)?;
    let (_, mut event) = super::event(item, name, told)?;
    event.recognized_by = "inbound chat message: `message` is an object";
    event.vendor_format = if name == SUGGESTION { None } else { format(item, event.channel) };
    let printed_time = leaves.take_occurred(item, &mut event, &["receivedAt"])?;
    let from = leaves.take_first(item, &["from", "sender"]);
    event.contact = person(item, event.channel, &mut leaves, from);
    let ours = leaves.take(item, "to");
    event.business = item.business(event.channel, ours);
    let json = read.has_rest.then(|| json::compact(said.get(), item.arena));
    event.content = Some(Content { json, ..read.content });
    event.cost = cost(item, &mut leaves);
    let mut message = message_ids(item, &mut leaves)?;
    message.message_id = message.message_id.or(read.mid);
    message.conversation_id = leaves.take(item, "conversation.id");
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, from]);
    }
    event.message = message.given();
    Ok(event)
}

/// Message or suggestion: RCS marks a suggestion, older bodies don't, and then only the hint tells.
fn name(item: &Item<'_>, told: Told, interaction_type: Option<&str>, kind: Option<&str>) -> Result<&'static str, Reject> {
    match interaction_type {
        Some(kind) if kind.eq_ignore_ascii_case("EVENT") => return Ok(SUGGESTION),
        Some(_) => return Ok(events::INBOUND_MESSAGE),
        None => {}
    }
    let is_of_rcs = told == Told::Is(Channel::Rcs);
    if !(is_of_rcs && kind == Some("suggestion")) {
        return Ok(events::INBOUND_MESSAGE);
    }
    let own = [SUGGESTION, events::INBOUND_MESSAGE];
    let hinted = item.hints.event.and_then(|hint| own.into_iter().find(|own| own.eq_ignore_ascii_case(hint)));
    hinted.ok_or_else(super::record::untold)
}

/// The published name of the shape on a channel; where there are two, the older only by its hint.
fn format(item: &Item<'_>, channel: Channel) -> Option<&'static str> {
    Some(match channel {
        Channel::Whatsapp => "MO_OTT_CONTACT",
        Channel::AppleMessages => {
            super::format_name(item, "inbound-message.apple-messages-for-business.v1.json", "MO_OTT_CONTACT")
        }
        Channel::Messenger => super::format_name(item, "inbound-message.facebook.v1.json", "MO_OTT_MSISDN"),
        Channel::Rcs | Channel::Viber | Channel::Zalo | Channel::Line => "MO_OTT_MSISDN",
        _ => return None,
    })
}
