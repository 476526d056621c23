//! `whatsapp:message:in`, `rcs:message:in`, `viber:message:in`, `vmn:message:in`: what a person wrote.
//!
//! In spite of its name `recipient` is the person who sent the message; `channels[0].to` is the rented number or agent.

use serde::Deserialize;

use super::Fields;
use crate::event::{Contact, Content, Event, Message};
use crate::reject::Reject;
use crate::vendors::fields::{Object, Text, text};
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, Row, fields, json};

#[derive(Debug, Deserialize)]
struct Via<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
}

pub fn normalize<'a>(item: &Item<'a>, row: &'static Row, body: Fields<'a>) -> Result<Event<'a>, Reject> {
    let split = ["message", "recipient", "recipient.user", "recipient.user.user_info"];
    let mut leaves = body.leaves(item, &split)?;
    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);
    let printed_time = leaves.take_occurred(item, &mut event, &["message.timestamp", "timestamp"])?;

    if let Some(channels) = leaves.take_raw("channels") {
        let channels: Vec<Object<Via<'a>>> =
            item.parse(channels.get()).map_err(|_| Reject::invalid_shape("/channels", "an array of channels"))?;
        if let Some(Object(Via { name, to })) = channels.into_iter().next() {
            event.attributes.put("channel", text(name, item.arena));
            event.business = item.business(row.channel, text(to, item.arena));
        }
    }
    let person = leaves.take(item, "recipient.from");
    event.contact = contact(item, row, &mut leaves, person);
    event.content = content(item, &mut leaves)?;
    let own_id = leaves.take(item, "message.id");
    // A body without a message id of its own has only the platform's.
    let platform_id = if own_id.is_none() { leaves.take(item, "id") } else { leaves.peek(item, "id") };
    let message_id = own_id.or(platform_id);
    leaves.rest(item, &mut event, "");
    if message_id.is_some() {
        item.identify(&mut event, &[platform_id, own_id, printed_time, person]);
    }
    event.message = message_id.map(|_| Message { message_id, ..Message::default() });
    Ok(event)
}

fn contact<'a>(item: &Item<'a>, row: &Row, leaves: &mut Leaves<'a>, person: Option<&'a str>) -> Option<Contact<'a>> {
    let contact = item.contact(row.channel, person);
    let profile_id = leaves.take(item, "recipient.user.id");
    let (first, last) = (leaves.take(item, "recipient.user.first_name"), leaves.take(item, "recipient.user.last_name"));
    let display_name = fields::full_name(first, last, item.arena).or_else(|| leaves.take(item, "recipient.user.username"));
    let is_known = contact.is_some() || profile_id.is_some() || display_name.is_some();
    is_known.then(|| Contact { profile_id, display_name, ..contact.unwrap_or_default() })
}

fn content<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> Result<Option<Content<'a>>, Reject> {
    let kind = leaves.take(item, "message.type").map(|kind| fields::small(kind, item.arena));
    let Some(payload) = leaves.take_raw("message.payload") else {
        return Ok(kind.map(|kind| Content { kind: Some(kind), ..Content::default() }));
    };
    let json = Some(json::compact(payload.get(), item.arena));
    if !payload.get().starts_with('{') {
        return Ok(Some(Content { kind, json, ..Content::default() }));
    }
    let mut said = Leaves::of_part(item, payload.get(), "/payload/message/payload", &[])?;
    let coordinate = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    let mut content = Content {
        kind,
        text: ["text", "caption", "title"].iter().find_map(|key| said.take_printed(item, key)),
        media_url: said.take(item, "url"),
        media_type: said.take_first(item, &["mime_type", "content_type"]),
        file_name: said.take_first(item, &["filename", "file_name"]),
        reply_id: said.take_first(item, &["id", "payload", "postback_data"]),
        latitude: coordinate(said.take(item, "latitude")),
        longitude: coordinate(said.take(item, "longitude")),
        json: None,
    };
    if said.has_rest() {
        content.json = json;
    }
    Ok(Some(content))
}
