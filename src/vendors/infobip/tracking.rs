//! Clicks, and what trackers of e-mail tell: one object that names its event in `notificationType`.

use super::{Told, events, message_ids};
use crate::event::{Channel, Consent, Engagement, Event, Status};
use crate::reject::Reject;
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, fields};

/// Infobip prints the place under two names, and the country under two.
const SPLIT: &[&str] = &["recipientInfo", "geoLocation", "geoLocationInfo"];

pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let word = leaves.take(item, "notificationType").unwrap_or_default();
    let (name, told) = match word.to_ascii_uppercase().as_str() {
        "OPENED" => ("OPEN", Told::Is(Channel::Email)),
        "COMPLAINED" => ("COMPLAINT", Told::Is(Channel::Email)),
        "LATE_BOUNCE" => ("LATE_BOUNCE", Told::Is(Channel::Email)),
        "UNSUBSCRIBED" => ("UNSUBSCRIBE", Told::Is(Channel::Email)),
        "CLICKED" => (events::CLICK, told_of_click(item, &leaves)),
        _ => return Err(Reject::unknown_event("/notificationType: expected an event of the catalogue")),
    };
    let (row, mut event) = super::event(item, name, told)?;
    event.recognized_by = "tracking: `notificationType`";
    event.vendor_format = match (name, event.channel) {
        (events::CLICK, Channel::Sms) => Some("tracking.sms.v1.json"),
        (events::CLICK, Channel::Mms) => Some("tracking.mms.v1.json"),
        _ => None,
    };
    event.attributes.put("event", Some(word).filter(|word| *word != name));
    // Of an e-mail it is the moment of sending, and the event's own is not printed.
    let sent_at = leaves.peek(item, "sendDateTime");
    if event.channel != Channel::Email {
        leaves.take_occurred(item, &mut event, &["sendDateTime"])?;
    }
    let person = leaves.take(item, "recipient");
    event.contact = item.contact(event.channel, person);
    let sender = leaves.take(item, "sender");
    event.business = item.business(event.channel, sender);
    let url = leaves.take(item, "url");
    let engagement = Engagement {
        url,
        device_type: leaves.take(item, "recipientInfo.deviceType"),
        operating_system: leaves.take(item, "recipientInfo.os"),
        country: leaves.take_first(
            item,
            &[
                "geoLocation.countryName",
                "geoLocation.country_name",
                "geoLocationInfo.countryName",
                "geoLocationInfo.country_name",
            ],
        ),
        city: leaves.take_first(item, &["geoLocation.city", "geoLocationInfo.city"]),
        ..Engagement::default()
    };
    event.engagement = (engagement != Engagement::default()).then_some(engagement);
    event.status = row.status.map(Status::new);
    let consent_state = row.attribute("consent_state");
    event.consent = consent_state.map(|_| Consent { state: consent_state, ..Consent::default() });
    event.attributes.put("bounce", row.attribute("bounce"));
    let message = message_ids(item, &mut leaves)?;
    let event_id = leaves.peek(item, "eventId");
    leaves.rest(item, &mut event, "");
    if event_id.is_some() {
        item.identify(&mut event, &[event_id]);
    } else if event.channel != Channel::Email && message.message_id.is_some() {
        // Without an id of its own an e-mail's event has no moment either: its bytes identify it.
        item.identify(&mut event, &[message.message_id, Some(word), sent_at, person, url]);
    }
    event.message = message.given();
    Ok(event)
}

fn told_of_click<'a>(item: &Item<'a>, leaves: &Leaves<'a>) -> Told {
    let has = |path: &str| leaves.peek(item, path).is_some();
    let is_mail = has("domain") || has("eventId") || leaves.peek(item, "recipient").is_some_and(fields::is_mail);
    if is_mail { Told::Is(Channel::Email) } else { Told::Nothing }
}
