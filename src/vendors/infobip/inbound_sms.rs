//! Inbound SMS, `MO_JSON_2` alias `inbound-message.sms.v1.json`: `from` is the person, `to` our number.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report::{Ids, Platform, Price, cost};
use super::{Told, events};
use crate::event::{Channel, Content, Event, Message};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::fields::{self, Count, Object, Text, any, printed, text};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundSms<'a> {
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow)]
    from: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    clean_text: Option<Text<'a>>,
    #[serde(borrow)]
    keyword: Option<Text<'a>>,
    #[serde(borrow)]
    received_at: Option<Text<'a>>,
    sms_count: Option<Count>,
    #[serde(borrow)]
    price: Option<Object<Price<'a>>>,
    #[serde(borrow)]
    paired_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    callback_data: Option<&'a RawValue>,
    #[serde(borrow)]
    platform: Option<Object<Platform<'a>>>,
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
    #[serde(borrow)]
    campaign_reference_id: Option<Text<'a>>,
}

/// Two published names of one format: the older one is printed only where the hint says so.
const FORMAT: &str = "inbound-message.sms.v1.json";
const OLDER_FORMAT: &str = "MO_JSON_2";

pub fn normalize<'a>(item: &Item<'a>, inbound: InboundSms<'a>) -> Result<Event<'a>, Reject> {
    let InboundSms {
        message_id,
        from,
        to,
        text: body,
        clean_text,
        keyword,
        received_at,
        sms_count,
        price,
        paired_message_id,
        callback_data,
        platform,
        entity_id,
        application_id,
        campaign_reference_id,
    } = inbound;
    let arena = item.arena;
    let (_, mut event) = super::event(item, events::INBOUND_MESSAGE, Told::Is(Channel::Sms))?;
    event.recognized_by = "inbound SMS: `text` or `cleanText` beside `from`";
    event.vendor_format = Some(super::format_name(item, FORMAT, OLDER_FORMAT));
    let printed_time = text(received_at, arena);
    item.occurred(&mut event, "/receivedAt", printed_time)?;

    let person = text(from, arena);
    event.contact = person.map(|from| fields::contact(event.channel, from, item.hints.region, arena));
    event.business = text(to, arena).map(|to| fields::business(event.channel, to, item.hints.region, arena));
    event.content = Some(Content { kind: Some("text"), text: printed(body, arena), ..Content::default() });
    let ids = Ids::of(item, platform, entity_id, application_id);
    let message = Message {
        message_id: text(message_id, arena),
        reference: any(callback_data, arena),
        paired_message_id: text(paired_message_id, arena),
        campaign_id: text(campaign_reference_id, arena),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        parts: sms_count.map(|count| count.0),
        ..Message::default()
    };
    event.cost = price.and_then(|price| cost(item, &mut event, price));
    event.attributes.put("cleanText", text(clean_text, arena));
    event.attributes.put("keyword", text(keyword, arena));
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, person]);
    }
    event.message = (!message.is_empty()).then_some(message);
    Ok(event)
}
