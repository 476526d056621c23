//! Infobip, CPaaS X subscriptions.
//!
//! - A body is `{"results":[record, …]}`; reports are grouped, up to 100 in a call. A record without the wrapper is read too.
//! - Most bodies don't say which channel, event or format they are: [`record`] tells them apart by the keys they have, and
//!   hints fill what is missing.
//! - A report's time is `doneAt`, a seen report's `seenAt`, an inbound message's `receivedAt`. Offsets come with and
//!   without colon, in the account's zone.
//! - There is no event id. Infobip calls again where our answer was lost, so the same report can arrive twice.
//! - Who is who turns round: reports print the person as `to` or `destination`, seen reports and inbound messages as
//!   `from` or `sender`; the Messages API turns seen reports back.

mod calls;
mod channels;
mod content;
mod conversations;
mod events;
mod inbound_chat;
mod inbound_mms;
mod inbound_sms;
mod messages_api;
mod notices;
mod people;
mod rcs;
mod record;
mod report;
mod seen;
mod status;
mod tracking;
mod voice_report;
mod whatsapp;

use crate::event::{Channel, Consent, Contact, Cost, Event, Message};
use crate::reject::{Reason, Reject};
use crate::vendors::leaves::Leaves;
use crate::vendors::{Adapter, Batch, Item, Row};

pub const ADAPTER: Adapter = Adapter {
    vendor: "infobip",
    rows: events::ROWS,
    batch: Batch::Key("results"),
    event_keys: &["event", "type", "notificationType"],
    channel_words: channels::SUBSCRIPTION_WORDS,
    has_ambiguous_channels: true,
    has_local_times: false,
    is_probe: |_| false,
    read_usual: Some(record::read_usual),
    normalize: record::normalize,
};

/// What a body or its shape tells of its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing: only a hint can say.
    Nothing,
    /// This channel.
    Is(Channel),
    /// One of these.
    OneOf(&'static [Channel]),
}

/// The channel of an event from what the body tells and the hints say; the second is a hint that the body contradicts.
fn channel(item: &Item<'_>, event: &str, told: Told) -> Result<(Channel, Option<Channel>), Reject> {
    let hinted = match item.hints.channel {
        Some(word) => {
            let hinted = ADAPTER.channel_of_hint(word);
            Some(hinted.ok_or_else(|| Reject::unknown_event("the channel hint: expected a channel slug or Infobip's word"))?)
        }
        None => item.hints.format.and_then(|format| channel_of_format(event, format)),
    };
    match (told, hinted) {
        (Told::Is(Channel::Web), Some(Channel::None)) => Ok((Channel::Web, None)), // One subscription has both.
        (Told::Is(channel), Some(hinted)) => Ok((channel, (channel != hinted).then_some(hinted))),
        (Told::Is(channel), None) => Ok((channel, None)),
        (Told::Nothing, Some(hinted)) => Ok((hinted, None)),
        (Told::OneOf(channels), Some(hinted)) if channels.contains(&hinted) => Ok((hinted, None)),
        (Told::Nothing | Told::OneOf(_), _) => Err(Reject::new(
            Reason::AmbiguousChannel,
            "the body does not tell the channel: set `channel` for the source, or its hint header",
        )),
    }
}

/// The channel of a published format, where the format has only one.
fn channel_of_format(event: &str, format: &str) -> Option<Channel> {
    let mut channels = events::ROWS
        .iter()
        .filter(|row| row.event == event && row.format.is_some_and(|own| own.eq_ignore_ascii_case(format)))
        .map(|row| row.channel);
    let first = channels.next()?;
    channels.all(|channel| channel == first).then_some(first)
}

/// An event of the catalogue on the channel that body and hints give, with the conflict marked where they differ.
///
/// # Errors
/// `ambiguous_channel`, or `unknown_event` where the catalogue has no such event on that channel.
fn event<'a>(item: &Item<'a>, name: &'static str, told: Told) -> Result<(&'static Row, Event<'a>), Reject> {
    event_of_type(item, name, told, None)
}

/// The same where one event has two rows and the body decides between their types.
fn event_of_type<'a>(
    item: &Item<'a>,
    name: &'static str,
    told: Told,
    event_type: Option<&str>,
) -> Result<(&'static Row, Event<'a>), Reject> {
    let (channel, conflict) = channel(item, name, told)?;
    let is_wanted = |row: &&Row| {
        row.event == name
            && row.channel == channel
            && row.format.is_none()
            && event_type.is_none_or(|event_type| row.event_type.0 == event_type)
    };
    let row = events::ROWS
        .iter()
        .find(is_wanted)
        .ok_or_else(|| Reject::unknown_event("the catalogue has no such event on this channel"))?;
    let mut event = Event::new(row.event_type, channel, row.event, item.arena);
    let event_conflict = item.hints.event.filter(|hint| !hint.eq_ignore_ascii_case(name));
    item.note_conflict(&mut event, conflict, event_conflict);
    Ok((row, event))
}

/// What a consent event's name says of the consent.
fn consent(row: &'static Row) -> Consent<'static> {
    Consent { state: row.attribute("consent_state"), scope_kind: row.attribute("scope"), scope_value: None }
}

/// One of two published names of a format: the older one only where the hint says so.
fn format_name(item: &Item<'_>, name: &'static str, older: &'static str) -> &'static str {
    let is_older = item.hints.format.is_some_and(|format| format.eq_ignore_ascii_case(older));
    if is_older { older } else { name }
}

/// The person, from the record's own field and from what WhatsApp adds. Who hides the number has only an id.
fn person<'a>(item: &Item<'a>, channel: Channel, leaves: &mut Leaves<'a>, printed: Option<&'a str>) -> Option<Contact<'a>> {
    let profile_id = leaves.take(item, "contact.userId");
    let display_name = leaves.take(item, "contact.name");
    let address = printed.or_else(|| leaves.take(item, "contact.phoneNumber")).or(profile_id);
    let contact = item.contact(channel, address);
    let is_known = contact.is_some() || display_name.is_some();
    is_known.then(|| Contact { profile_id, display_name, ..contact.unwrap_or_default() })
}

/// What one message costs; the digits stay as printed.
fn cost<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> Option<Cost<'a>> {
    let amount = leaves.take(item, "price.pricePerMessage")?;
    Some(Cost { amount: Some(amount), currency: leaves.take(item, "price.currency"), units: None })
}

/// Sender's application and entity, nested in newer bodies and beside the rest in older ones.
struct SenderIds<'a> {
    application_id: Option<&'a str>,
    entity_id: Option<&'a str>,
}

fn sender_ids<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> SenderIds<'a> {
    SenderIds {
        application_id: leaves.take_first(item, &["platform.applicationId", "applicationId"]),
        entity_id: leaves.take_first(item, &["platform.entityId", "entityId"]),
    }
}

/// The ids of a message under the names that most shapes use.
fn message_ids<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> Result<Message<'a>, Reject> {
    let ids = sender_ids(item, leaves);
    let mut parts = None;
    for name in ["messageCount", "smsCount", "mmsCount", "rcsCount"] {
        if parts.is_none() {
            parts = leaves.take_count(item, name)?;
        }
    }
    Ok(Message {
        message_id: leaves.take(item, "messageId"),
        bulk_id: leaves.take(item, "bulkId"),
        reference: leaves.take(item, "callbackData"),
        paired_message_id: leaves.take(item, "pairedMessageId"),
        campaign_id: leaves.take(item, "campaignReferenceId"),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        parts,
        network: leaves.take(item, "mccMnc"),
        ..Message::default()
    })
}
