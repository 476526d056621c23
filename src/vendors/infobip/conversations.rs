//! Customer engagement: conversations, their messages, and agents. `{type, timestamp, payload}`.

use super::{Told, content};
use crate::event::{Channel, Contact, Content, Direction, Event, Message};
use crate::reject::Reject;
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, fields, json};

const SPLIT: &[&str] = &[
    "payload",
    "payload.queue",
    "payload.assignee",
    "payload.customer",
    "payload.form",
    "payload.invoker",
    "payload.interaction",
    "payload.lastMessage",
    "payload.message",
    "payload.message.socialContext",
    "payload.authentication",
    "payload.field",
    "payload.note",
    "payload.policy",
    "payload.addedTag",
    "payload.removedTag",
    // An agent has a status object, a conversation a status word.
    "payload.status",
];

/// The event of a body's `type`, where the two words differ. The subscription's own words are read too.
const WORDS: &[(&str, &str)] = &[
    ("CONVERSATION_AGENT_STATUS_CHANGED", "CONVERSATION_AGENT_STATUS_UPDATED"),
    ("INBOUND_MESSAGE_DELETED", "CONVERSATION_MESSAGE_DELETED"),
    ("INBOUND_MESSAGE", "CONVERSATION_MESSAGE_RECEIVED"),
    ("OUTBOUND_MESSAGE", "CONVERSATION_MESSAGE_SENT"),
    ("INBOUND_MESSAGE_UPDATED", "CONVERSATION_MESSAGE_UPDATED"),
];

pub fn event_of(word: &str) -> &str {
    WORDS.iter().find(|(own, _)| *own == word).map_or(word, |(_, event)| event)
}

pub fn normalize<'a>(item: &Item<'a>, kind: &'static str) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let (row, mut event) = super::event(item, kind, Told::Is(Channel::None))?;
    event.recognized_by = "conversation event: `type` and `payload`";
    let word = leaves.take(item, "type").filter(|word| *word != kind);
    event.attributes.put("event", word);
    let printed_time = leaves.take_occurred(item, &mut event, &["timestamp"])?;
    let is_agent = row.event_type.0 == "conversation.agent_status_updated";
    let subject = leaves.peek(item, "payload.id");
    let message_id = leaves.take_id(item, &["payload.message.messageId", "payload.message.id"]);
    if !is_agent {
        let conversation_id = leaves.take_id(item, &["payload.id", "payload.message.conversationId"]);
        let message = Message { message_id, conversation_id, ..Message::default() };
        event.message = message.given();
        set_parties(item, &mut event, &mut leaves);
        event.content = said(item, &mut leaves)?;
    }
    leaves.rest(item, &mut event, "payload.");
    if printed_time.is_some() && subject.is_some() {
        item.identify(&mut event, &[word, subject, message_id, printed_time]);
    }
    Ok(event)
}

/// The customer, and for messages who wrote to whom.
fn set_parties<'a>(item: &Item<'a>, event: &mut Event<'a>, leaves: &mut Leaves<'a>) {
    let profile_id = leaves.take_first(item, &["payload.customer.personId", "payload.customer.id"]);
    let display_name = leaves.take(item, "payload.customer.name");
    let is_message = leaves.peek(item, "payload.message.from").is_some() || leaves.peek(item, "payload.message.to").is_some();
    if event.direction == Direction::None && is_message {
        let printed = leaves.peek(item, "payload.message.direction").or(leaves.peek(item, "payload.direction"));
        event.direction = match printed {
            Some(word) if word.eq_ignore_ascii_case("INBOUND") => Direction::Inbound,
            Some(word) if word.eq_ignore_ascii_case("OUTBOUND") => Direction::Outbound,
            _ => Direction::None,
        };
    }
    let channel = leaves.peek(item, "payload.message.channel").or(leaves.peek(item, "payload.channel"));
    let ends = match event.direction {
        Direction::Inbound => Some(("payload.message.from", "payload.message.to")),
        Direction::Outbound => Some(("payload.message.to", "payload.message.from")),
        Direction::None => None,
    };
    let mut contact = None;
    if let Some((person, ours)) = ends {
        let channel = channel.and_then(super::channels::known);
        contact =
            leaves.take(item, person).map(|person| fields::contact_by_looks(channel, person, item.hints.region, item.arena));
        event.business =
            leaves.take(item, ours).map(|ours| fields::business_by_looks(channel, ours, item.hints.region, item.arena));
    }
    let is_known = contact.is_some() || profile_id.is_some() || display_name.is_some();
    event.contact = is_known.then(|| Contact { profile_id, display_name, ..contact.unwrap_or_default() });
}

fn said<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> Result<Option<Content<'a>>, Reject> {
    let Some(raw) = leaves.take_raw("payload.message.content") else { return Ok(None) };
    if !raw.get().starts_with('{') {
        return Ok(Some(Content { json: Some(json::compact(raw.get(), item.arena)), ..Content::default() }));
    }
    let read = content::read(item, raw, "/payload/message/content")?;
    let json = read.has_rest.then(|| json::compact(raw.get(), item.arena));
    let content = Content { json, ..read.content };
    Ok((content != Content::default()).then_some(content))
}
