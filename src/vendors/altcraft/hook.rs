//! One action hook message.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::events;
use crate::event::{Channel, Consent, Contact, Engagement, Event, EventType, Message, Status};
use crate::reject::Reject;
use crate::vendors::fields::{self, Object, Text, any, text};
use crate::vendors::json::{self, Entries};
use crate::vendors::{Item, Row, Scene};

/// The fields of a message that have a place in the envelope; the others are attributes under the vendor's own name.
#[derive(Debug, Default)]
struct Hook<'a> {
    event_type: Option<&'a str>,
    event_date: Option<&'a str>,
    account_id: Option<&'a str>,
    profile_id: Option<&'a str>,
    event_data: Option<&'a RawValue>,
    custom_data: Option<&'a RawValue>,
    subscription: Option<&'a RawValue>,
}

/// Reads the hook at the beginning of a text.
pub fn read_usual<'a>(text: &'a str, scene: Scene<'a>) -> Option<(Item<'a>, Result<Event<'a>, Reject>)> {
    let (text, entries) = json::entries_first(text, scene.arena)?;
    let item = scene.item(text);
    let event = normalize_entries(&item, entries);
    Some((item, event))
}

pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    normalize_entries(item, item.entries(item.text)?)
}

fn normalize_entries<'a>(item: &Item<'a>, entries: Entries<'a>) -> Result<Event<'a>, Reject> {
    let hook = Hook::read(item, &entries)?;
    let name = hook.event_type.or(item.hints.event).ok_or_else(|| {
        Reject::unknown_event(
            "/event_type: expected the event's name, or the setting `event` for the source, or its hint header",
        )
    })?;
    let row = events::ROWS
        .iter()
        .find(|row| row.event == name)
        .ok_or_else(|| Reject::unknown_event("/event_type: expected an event of the catalogue"))?;

    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);
    event.recognized_by = "action hook: `event_type` names the event";
    let conflict = item.hints.event.filter(|hint| *hint != name);
    let channel =
        item.hints.channel.and_then(|word| super::ADAPTER.channel_of_hint(word)).filter(|channel| *channel != row.channel);
    item.note_conflict(&mut event, channel, conflict);
    item.occurred(&mut event, "/event_date", hook.event_date)?;
    event.account = hook.account_id;

    let data = Data::read(item, &mut event, hook.event_data)?;
    event.contact = recipient(item, row.channel, data.resource_id, &hook);
    fill_groups(&mut event, row, &data);
    put_other_fields(item, &mut event, entries);
    if data.send_message_id.is_some() {
        item.identify(&mut event, &[hook.event_date, hook.account_id, hook.profile_id, data.send_message_id]);
    }
    let message = Message {
        message_id: data.send_message_id,
        campaign_id: data.campaign_id,
        template_id: data.message_id,
        ..Message::default()
    };
    event.message = message.given();
    Ok(event)
}

impl<'a> Hook<'a> {
    fn read(item: &Item<'a>, entries: &[(&'a str, &'a RawValue)]) -> Result<Self, Reject> {
        let mut hook = Self::default();
        // How one page of the vendor abbreviates `event_type`.
        let mut abbreviated = None;
        for &(key, value) in entries {
            let (field, pointer) = match key {
                "event_type" => (&mut hook.event_type, "/event_type"),
                "event" => (&mut abbreviated, "/event"),
                "event_date" => (&mut hook.event_date, "/event_date"),
                "account_id" => (&mut hook.account_id, "/account_id"),
                "profile_id" => (&mut hook.profile_id, "/profile_id"),
                key => {
                    let given = (value.get() != "null").then_some(value);
                    match key {
                        "event_data" => hook.event_data = given,
                        "custom_data" => hook.custom_data = given,
                        "subscription" => hook.subscription = given,
                        _ => {}
                    }
                    continue;
                }
            };
            *field = fields::scalar(value, pointer, item.arena)?;
        }
        hook.event_type = hook.event_type.or(abbreviated);
        Ok(hook)
    }
}

fn put_other_fields<'a>(item: &Item<'a>, event: &mut Event<'a>, entries: Entries<'a>) {
    for (key, value) in entries {
        let has_field = match key {
            "event_type" | "event" | "event_date" | "profile_id" | "event_data" => true,
            "account_id" => item.hints.account.is_none(),
            _ => false,
        };
        if !has_field {
            event.attributes.put(key, any(Some(value), item.arena));
        }
    }
}

fn fill_groups<'a>(event: &mut Event<'a>, row: &'static Row, data: &Data<'a>) {
    event.status =
        row.status.map(|meaning| Status { vendor_name: Some(row.event), description: data.error, ..Status::new(meaning) });
    let is_unique = row.attribute("unique").map(|unique| unique == "true");
    let engagement = Engagement { is_unique, ..data.engagement };
    event.engagement = (data.has_tracking_group && engagement != Engagement::default()).then_some(engagement);
    event.consent = row.attribute("consent_state").map(|state| Consent {
        state: Some(state),
        scope_kind: data.resource_id.map(|_| "resource"),
        scope_value: data.resource_id,
    });
    for name in ["bounce", "view_class", "kind", "import_source", "segment_kind"] {
        event.attributes.put(name, row.attribute(name));
    }
}

/// `event_data`: what has a field in the envelope; the rest has gone to the attributes.
#[derive(Debug, Default)]
struct Data<'a> {
    /// The template.
    message_id: Option<&'a str>,
    /// The message sent.
    send_message_id: Option<&'a str>,
    campaign_id: Option<&'a str>,
    resource_id: Option<&'a str>,
    error: Option<&'a str>,
    engagement: Engagement<'a>,
    /// Opens and clicks have the tracking fields as a group; elsewhere they are attributes.
    has_tracking_group: bool,
}

impl<'a> Data<'a> {
    fn read(item: &Item<'a>, event: &mut Event<'a>, event_data: Option<&'a RawValue>) -> Result<Self, Reject> {
        let is_engagement = matches!(event.event_type.0, "message.open" | "message.click");
        let has_tracking_group = is_engagement || matches!(event.event_type.family(), "web" | "popup");
        let mut data = Self { has_tracking_group, ..Self::default() };
        let Some(event_data) = event_data else { return Ok(data) };
        let entries =
            item.entries(event_data.get()).map_err(|_| Reject::invalid_shape("/event_data", "an object with each key once"))?;
        for (key, value) in entries {
            let printed = any(Some(value), item.arena);
            let field = match key {
                "message_id" => &mut data.message_id,
                "send_message_id" => &mut data.send_message_id,
                "campaign_id" => &mut data.campaign_id,
                "error" if event.event_type == EventType::MESSAGE_STATUS => &mut data.error,
                "link_url" | "url" if has_tracking_group => &mut data.engagement.url,
                "ip" if has_tracking_group => &mut data.engagement.ip,
                "country" if has_tracking_group => &mut data.engagement.country,
                "city" if has_tracking_group => &mut data.engagement.city,
                "user_agent" if has_tracking_group => &mut data.engagement.user_agent,
                "os" if has_tracking_group => &mut data.engagement.operating_system,
                "device" if has_tracking_group => &mut data.engagement.device_type,
                key => {
                    if key == "resource_id" {
                        data.resource_id = printed;
                    }
                    event.attributes.put(key, printed);
                    continue;
                }
            };
            *field = printed;
        }
        Ok(data)
    }
}

/// The person: the subscription that fits the channel and the resource, else the profile's address, else only the id.
fn recipient<'a>(item: &Item<'a>, channel: Channel, resource_id: Option<&str>, hook: &Hook<'a>) -> Option<Contact<'a>> {
    let printed = subscribed_address(item, channel, resource_id, hook.subscription)
        .or_else(|| profile_address(item, channel, hook.custom_data));
    let contact = item.contact(channel, printed);
    match (contact, hook.profile_id) {
        (None, None) => None,
        (contact, profile_id) => Some(Contact { profile_id, ..contact.unwrap_or_default() }),
    }
}

#[derive(Debug, Deserialize)]
struct Subscription<'a> {
    #[serde(borrow)]
    channel: Option<Text<'a>>,
    #[serde(borrow)]
    resource_id: Option<Text<'a>>,
    #[serde(borrow)]
    email: Option<Text<'a>>,
    #[serde(borrow)]
    phone: Option<Text<'a>>,
    /// The device, of push.
    #[serde(borrow)]
    subscription_id: Option<Text<'a>>,
    #[serde(borrow)]
    cc_data: Option<Object<ChatAddress<'a>>>,
}

/// Where chat channels keep the address.
#[derive(Debug, Deserialize)]
struct ChatAddress<'a> {
    #[serde(borrow)]
    phone: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

fn subscribed_address<'a>(
    item: &Item<'a>,
    channel: Channel,
    resource_id: Option<&str>,
    subscriptions: Option<&'a RawValue>,
) -> Option<&'a str> {
    // Elements of a shape that we don't know are the customer's business: they are in the attribute as they are.
    let subscriptions: Vec<Object<Subscription<'a>>> = json::parse_strict(subscriptions?.get())?;
    let is_of_channel = |word: &str| word.bytes().map(|byte| if byte == b'_' { b'-' } else { byte }).eq(channel.slug().bytes());
    let mut fitting: Vec<_> = subscriptions
        .into_iter()
        .map(|Object(subscription)| subscription)
        .filter(|subscription| subscription.channel.as_ref().is_some_and(|own| is_of_channel(own.as_str())))
        .collect();
    let is_of_resource = |subscription: &Subscription<'_>| {
        resource_id.is_some() && subscription.resource_id.as_ref().map(Text::as_str) == resource_id
    };
    let position = fitting.iter().position(is_of_resource).unwrap_or(0);
    if position >= fitting.len() {
        return None;
    }
    let Subscription { email, phone, subscription_id, cc_data, channel: _, resource_id: _ } = fitting.swap_remove(position);
    let (chat_phone, chat_id) = cc_data.map_or((None, None), |Object(address)| (address.phone, address.id));
    [email, phone, subscription_id, chat_phone, chat_id].into_iter().find_map(|address| text(address, item.arena))
}

fn profile_address<'a>(item: &Item<'a>, channel: Channel, custom_data: Option<&'a RawValue>) -> Option<&'a str> {
    let name = match channel {
        Channel::Email => "email",
        Channel::Sms | Channel::Whatsapp | Channel::Viber | Channel::Notify => "phone",
        _ => return None,
    };
    let entries = json::entries_strict(custom_data?.get(), item.arena)?;
    let (_, value) = entries.into_iter().find(|(key, _)| *key == name)?;
    any(Some(value), item.arena)
}
