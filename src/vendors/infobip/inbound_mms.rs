//! Inbound MMS, `MO_MMS_2` alias `inbound-message.mms.v1.json`: `message` is an array of parts.

use serde::Deserialize;

use super::{Told, cost, events, message_ids};
use crate::event::{Channel, Content, Event};
use crate::reject::Reject;
use crate::vendors::fields::{Object, Text};
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, fields, json};

/// Two published names of one format: the older one is printed only where the hint says so.
const FORMAT: &str = "inbound-message.mms.v1.json";
const OLDER_FORMAT: &str = "MO_MMS_2";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    content_type: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
}

pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["price", "platform"])?;
    let (_, mut event) = super::event(item, events::INBOUND_MESSAGE, Told::Is(Channel::Mms))?;
    event.recognized_by = "inbound MMS: `message` is an array, or a text beside `mmsCount`";
    event.vendor_format = Some(super::format_name(item, FORMAT, OLDER_FORMAT));
    let printed_time = leaves.take_occurred(item, &mut event, &["receivedAt"])?;
    let person = leaves.take_first(item, &["from", "sender"]);
    event.contact = item.contact(Channel::Mms, person);
    let ours = leaves.take(item, "to");
    event.business = item.business(Channel::Mms, ours);
    if let Some(raw) = leaves.take_raw("message") {
        event.content = Some(match raw.get().as_bytes()[0] {
            b'[' => {
                let parts: Vec<Object<Part<'a>>> =
                    item.parse(raw.get()).map_err(|_| Reject::invalid_shape("/message", "an array of parts"))?;
                let json = (parts.len() > 1).then(|| json::compact(raw.get(), item.arena));
                Content { json, ..content(item, parts) }
            }
            _ => Content { kind: Some("text"), text: Some(fields::printed_any(raw, item.arena)), ..Content::default() },
        });
    }
    event.cost = cost(item, &mut leaves);
    let message = message_ids(item, &mut leaves)?;
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, person]);
    }
    event.message = message.given();
    Ok(event)
}

/// The first text and the first medium; the kind is the medium's.
fn content<'a>(item: &Item<'a>, parts: Vec<Object<Part<'a>>>) -> Content<'a> {
    let mut content = Content::default();
    let mut text_type = None;
    for Object(Part { content_type, value, url }) in parts {
        let content_type = fields::text(content_type, item.arena);
        if let (Some(url), None) = (fields::text(url, item.arena), content.media_url) {
            content.media_url = Some(url);
            content.media_type = content_type;
        } else if let (Some(value), None) = (fields::printed(value, item.arena), content.text) {
            content.text = Some(value);
            text_type = content_type;
        }
    }
    let major = content.media_type.and_then(|media_type| media_type.split('/').next()).map(str::to_ascii_lowercase);
    content.kind = match (content.media_url, major.as_deref()) {
        (None, _) => Some("text"),
        (Some(_), Some("image")) => Some("image"),
        (Some(_), Some("video")) => Some("video"),
        (Some(_), Some("audio")) => Some("audio"),
        (Some(_), _) => Some("file"),
    };
    content.media_type = content.media_type.or(text_type);
    content
}
