//! Inbound chat messages, `MO_OTT_CONTACT`: `from` or `sender` is the person, `to` the business.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report::{Ids, Platform, Price, Profile, cost, person};
use super::{Told, channels, content, events};
use crate::event::{Channel, Content, Event, Message};
use crate::reject::Reject;
use crate::vendors::fields::{self, Count, Object, Text, any, text};
use crate::vendors::{Item, json};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundChat<'a> {
    #[serde(borrow)]
    integration_type: Option<Text<'a>>,
    #[serde(borrow)]
    interaction_type: Option<Text<'a>>,
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow)]
    paired_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    from: Option<Text<'a>>,
    #[serde(borrow)]
    sender: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    received_at: Option<Text<'a>>,
    #[serde(borrow)]
    keyword: Option<Text<'a>>,
    #[serde(borrow)]
    callback_data: Option<&'a RawValue>,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow)]
    price: Option<Object<Price<'a>>>,
    #[serde(borrow)]
    contact: Option<Object<Profile<'a>>>,
    /// How WhatsApp knows that the phone was not changed, where that feature is on.
    #[serde(borrow)]
    identity: Option<&'a RawValue>,
    #[serde(borrow)]
    platform: Option<Object<Platform<'a>>>,
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
    #[serde(borrow)]
    campaign_reference_id: Option<Text<'a>>,
    rcs_count: Option<Count>,
}

const FORMAT: &str = "MO_OTT_CONTACT";

pub fn normalize<'a>(item: &Item<'a>, inbound: InboundChat<'a>) -> Result<Event<'a>, Reject> {
    let InboundChat {
        integration_type,
        interaction_type,
        message_id,
        paired_message_id,
        from,
        sender,
        to,
        received_at,
        keyword,
        callback_data,
        message: said,
        price,
        contact,
        identity,
        platform,
        entity_id,
        application_id,
        campaign_reference_id,
        rcs_count,
    } = inbound;
    let arena = item.arena;
    let integration_type = text(integration_type, arena);
    let told = match integration_type {
        Some(word) => channels::told_by(word, "/integrationType")?,
        None if rcs_count.is_some() => Told::Is(Channel::Rcs),
        None if contact.is_some() || identity.is_some() => Told::Is(Channel::Whatsapp),
        None => Told::Nothing,
    };
    if interaction_type.as_ref().is_some_and(|kind| kind.as_str().eq_ignore_ascii_case("EVENT")) {
        return Err(Reject::unknown_event("the catalogue has no suggestion of this channel"));
    }
    let (_, mut event) = super::event(item, events::INBOUND_MESSAGE, told)?;
    event.recognized_by = "inbound chat message: `message` is an object";
    event.vendor_format = (event.channel == Channel::Whatsapp).then_some(FORMAT);
    let printed_time = text(received_at, arena);
    item.occurred(&mut event, "/receivedAt", printed_time)?;

    let from = text(from, arena).or(text(sender, arena));
    event.contact = person(item, &mut event, from, contact);
    event.business = text(to, arena).map(|to| fields::business(event.channel, to, item.hints.region, arena));
    let read = content::read(item, said, "/message")?;
    let json = read.has_rest.then(|| json::compact(said.get(), arena));
    event.content = Some(Content { json, ..read.content });
    let ids = Ids::of(item, platform, entity_id, application_id);
    let message = Message {
        message_id: text(message_id, arena),
        reference: any(callback_data, arena),
        paired_message_id: text(paired_message_id, arena),
        campaign_id: text(campaign_reference_id, arena),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        parts: rcs_count.map(|count| count.0),
        ..Message::default()
    };
    event.cost = price.and_then(|price| cost(item, &mut event, price));
    event.attributes.put("integrationType", integration_type);
    event.attributes.put("interactionType", text(interaction_type, arena));
    event.attributes.put("keyword", text(keyword, arena));
    event.attributes.put("identity", any(identity, arena));
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, from]);
    }
    event.message = (!message.is_empty()).then_some(message);
    Ok(event)
}
