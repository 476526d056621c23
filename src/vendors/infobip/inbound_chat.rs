//! Inbound chat messages, `MO_OTT_CONTACT`: `from` or `sender` is the person, `to` the business.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report::{Conversation, Ids, Platform, Price, Profile, conversation_ids, cost, person};
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
    #[serde(borrow)]
    identity: Option<Object<Identity<'a>>>,
    #[serde(borrow)]
    platform: Option<Object<Platform<'a>>>,
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
    #[serde(borrow)]
    campaign_reference_id: Option<Text<'a>>,
    rcs_count: Option<Count>,
    #[serde(borrow)]
    conversation: Option<Object<Conversation<'a>>>,
}

/// How WhatsApp knows that the person's phone was not changed, where that feature is on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(borrow)]
    acknowledged: Option<&'a RawValue>,
    #[serde(borrow)]
    hash: Option<Text<'a>>,
    #[serde(borrow)]
    created_at: Option<Text<'a>>,
}

/// The name that a person's tap on a suggestion has where it is no message.
const SUGGESTION: &str = "SUGGESTION";

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
        conversation,
    } = inbound;
    let arena = item.arena;
    let integration_type = text(integration_type, arena);
    let read = content::read(item, said, "/message")?;
    let told = match integration_type {
        Some(word) => channels::told_by(word, "/integrationType")?,
        None if rcs_count.is_some() || conversation.is_some() => Told::Is(Channel::Rcs),
        None if interaction_type.is_some() => Told::Is(Channel::Rcs),
        None if contact.is_some() || identity.is_some() => Told::Is(Channel::Whatsapp),
        None if read.mid.is_some() => Told::Is(Channel::Messenger),
        None => Told::Nothing,
    };
    let interaction_type = text(interaction_type, arena);
    let name = name(item, told, interaction_type, read.content.kind)?;
    let (_, mut event) = super::event(item, name, told)?;
    event.recognized_by = "inbound chat message: `message` is an object";
    event.vendor_format = if name == SUGGESTION { None } else { format(item, event.channel) };
    let printed_time = text(received_at, arena);
    item.occurred(&mut event, "/receivedAt", printed_time)?;

    let from = text(from, arena).or(text(sender, arena));
    event.contact = person(item, &mut event, from, contact);
    event.business = text(to, arena).map(|to| fields::business(event.channel, to, item.hints.region, arena));
    let json = read.has_rest.then(|| json::compact(said.get(), arena));
    event.content = Some(Content { json, ..read.content });
    let (conversation_id, can_initiate) = conversation_ids(item, conversation);
    let ids = Ids::of(item, platform, entity_id, application_id);
    let message = Message {
        message_id: text(message_id, arena).or(read.mid),
        conversation_id,
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
    event.attributes.put("interactionType", interaction_type);
    event.attributes.put("conversation.canInitiate", can_initiate);
    event.attributes.put("keyword", text(keyword, arena));
    if let Some(Object(Identity { acknowledged, hash, created_at })) = identity {
        event.attributes.put("identity.acknowledged", any(acknowledged, arena));
        event.attributes.put("identity.hash", text(hash, arena));
        event.attributes.put("identity.createdAt", text(created_at, arena));
    }
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, from]);
    }
    event.message = (!message.is_empty()).then_some(message);
    Ok(event)
}
