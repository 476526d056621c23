//! Seen reports without a channel: `from` is the person who read, `to` is the business.

use serde::Deserialize;

use super::report::{Ids, Profile, person};
use super::{Told, events};
use crate::event::{Channel, Event, Message, Status};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::fields::{self, Object, Text, text};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen<'a> {
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow)]
    bulk_id: Option<Text<'a>>,
    #[serde(borrow)]
    from: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    sent_at: Option<Text<'a>>,
    /// How the failover variant spells `sentAt`.
    #[serde(borrow)]
    send_at: Option<Text<'a>>,
    #[serde(borrow)]
    seen_at: Option<Text<'a>>,
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
    #[serde(borrow)]
    campaign_reference_id: Option<Text<'a>>,
    #[serde(borrow)]
    contact: Option<Object<Profile<'a>>>,
}

pub fn normalize<'a>(item: &Item<'a>, seen: Seen<'a>) -> Result<Event<'a>, Reject> {
    let Seen {
        message_id,
        bulk_id,
        from,
        to,
        sent_at,
        send_at,
        seen_at,
        entity_id,
        application_id,
        campaign_reference_id,
        contact,
    } = seen;
    let arena = item.arena;
    // Only WhatsApp adds the contact.
    let told = if contact.is_some() { Told::Is(Channel::Whatsapp) } else { Told::Nothing };
    let (row, mut event) = super::event(item, events::SEEN, told)?;
    event.recognized_by = "seen report: `seenAt`";
    let printed_time = text(seen_at, arena);
    item.occurred(&mut event, "/seenAt", printed_time)?;
    event.status = row.status.map(Status::new);

    let reader = text(from, arena);
    event.contact = person(item, &mut event, reader, contact);
    event.business = text(to, arena).map(|to| fields::business(event.channel, to, item.hints.region, arena));
    let ids = Ids::of(item, None, entity_id, application_id);
    let message = Message {
        message_id: text(message_id, arena),
        bulk_id: text(bulk_id, arena),
        campaign_id: text(campaign_reference_id, arena),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        ..Message::default()
    };
    event.attributes.put("sentAt", text(sent_at, arena));
    event.attributes.put("sendAt", text(send_at, arena));
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, reader]);
    }
    event.message = (!message.is_empty()).then_some(message);
    Ok(event)
}
