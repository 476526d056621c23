//! Customer engagement: people and the web SDK. `{type, timestamp, payload}` with a person.

use serde::Deserialize;

use super::Told;
use crate::event::{Channel, Contact, Engagement, Event};
use crate::reject::Reject;
use crate::vendors::fields::Text;
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, fields, json};

const SPLIT: &[&str] = &["payload", "payload.person", "payload.invoker", "payload.channelData"];

pub fn normalize<'a>(item: &Item<'a>, kind: &'static str, channel: Channel) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let (_, mut event) = super::event(item, kind, Told::Is(channel))?;
    event.recognized_by = "person or web SDK event: `type` and `payload`";
    leaves.drop("type");
    leaves.take_occurred(item, &mut event, &["timestamp"])?;
    event.contact = person(item, &mut leaves);
    if channel == Channel::Web {
        let engagement = Engagement {
            url: leaves.take(item, "payload.url"),
            user_agent: leaves.take(item, "payload.browserName"),
            device_type: leaves.take(item, "payload.deviceType"),
            operating_system: leaves.take(item, "payload.browserOS"),
            country: leaves.take(item, "payload.countryCode"),
            city: leaves.take(item, "payload.city"),
            ip: None,
            is_unique: None,
        };
        event.engagement = (engagement != Engagement::default()).then_some(engagement);
    }
    leaves.rest(item, &mut event, "payload.");
    // One change of a person can give several events of one moment, and no field names them: the bytes identify each.
    Ok(event)
}

/// The first phone number, else the first mail address; all of them stay in attributes.
fn person<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> Option<Contact<'a>> {
    let profile_id = leaves.take(item, "payload.person.id");
    let (first, last) = (leaves.take(item, "payload.person.firstName"), leaves.take(item, "payload.person.lastName"));
    let display_name = fields::full_name(first, last, item.arena);
    let phone = first_of(item, leaves, "payload.person.phone");
    let address = match phone {
        Some(_) => item.contact(Channel::None, phone),
        None => item.contact(Channel::Email, first_of(item, leaves, "payload.person.email")),
    };
    let is_known = address.is_some() || profile_id.is_some() || display_name.is_some();
    is_known.then(|| Contact { profile_id, display_name, ..address.unwrap_or_default() })
}

#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Texts<'a>(#[serde(borrow)] Vec<Text<'a>>);

fn first_of<'a>(item: &Item<'a>, leaves: &Leaves<'a>, path: &str) -> Option<&'a str> {
    let Texts(texts) = json::parse_strict(leaves.peek(item, path)?)?;
    texts.into_iter().map(|text| text.keep(item.arena)).find(|text| !text.is_empty())
}
