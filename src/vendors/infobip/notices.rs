//! Facts about brands, campaigns, numbers and people that are not about one channel, and the consent of Messenger.

use super::{Told, message_ids};
use crate::event::{Channel, Consent, Content, Event};
use crate::reject::Reject;
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, json};

const NONE: Told = Told::Is(Channel::None);

/// A brand, a campaign or a request for a number has another state.
pub fn registration<'a>(item: &Item<'a>, name: &'static str) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["content", "platform"])?;
    let (_, mut event) = super::event(item, name, NONE)?;
    event.recognized_by = "registration: the record names its `event`";
    leaves.drop("event");
    leaves.take_occurred(item, &mut event, &["receivedAt"])?;
    let message = message_ids(item, &mut leaves)?;
    event.message = message.given();
    leaves.rest(item, &mut event, "");
    Ok(event)
}

/// An address was put on the block list or taken off it.
pub fn blocklist<'a>(item: &Item<'a>, name: &'static str) -> Result<Event<'a>, Reject> {
    const SPLIT: &[&str] = &[
        "content",
        "content.outboundMessageReference",
        "content.inboundMessageReference",
        "content.campaignReference",
        "platform",
    ];
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let (row, mut event) = super::event(item, name, NONE)?;
    event.recognized_by = "block list: the record names its `event`";
    leaves.drop("event");
    let printed_time = leaves.take_occurred(item, &mut event, &["receivedAt"])?;
    let channel = leaves.peek(item, "content.channel").and_then(super::channels::known);
    let blocked = leaves.take(item, "content.destination");
    event.contact = item.contact(channel.unwrap_or(Channel::None), blocked);
    let sender = leaves.take(item, "content.sender");
    event.business = item.business(channel.unwrap_or(Channel::None), sender);
    event.consent = Some(Consent { scope_kind: sender.map(|_| "sender"), scope_value: sender, ..super::consent(row) });
    let mut message = message_ids(item, &mut leaves)?;
    message.campaign_id = message.campaign_id.or(leaves.take(item, "content.campaignReference.campaignId"));
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, blocked, printed_time]);
    }
    event.message = message.given();
    Ok(event)
}

/// The result of a silent verification. It has no number and no time, only the request's token.
pub fn silent_verification<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let leaves = Leaves::of_item(item, &[])?;
    let (_, mut event) = super::event(item, "SILENT_VERIFICATION", NONE)?;
    event.recognized_by = "silent verification: `token` and `result`";
    let subject = [leaves.peek(item, "token"), leaves.peek(item, "result"), leaves.peek(item, "status")];
    leaves.rest(item, &mut event, "");
    item.identify(&mut event, &subject);
    Ok(event)
}

/// What is known of a number. Its `status` is that of the look-up, not of a message.
pub fn lookup<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    const SPLIT: &[&str] = &["originalNetwork", "portedNetwork", "roamingNetwork", "status", "error"];
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let (_, mut event) = super::event(item, "NUMBER_LOOKUP", NONE)?;
    event.recognized_by = "number look-up: `originalNetwork`, `ported`, `roaming`, `servingMSC` or `imsi`";
    let number = leaves.take(item, "to");
    event.contact = item.contact(Channel::None, number);
    let message = message_ids(item, &mut leaves)?;
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, number]);
    }
    event.message = message.given();
    Ok(event)
}

/// A person allowed or forbade marketing on Messenger: `from` is the person, `sender` the page.
pub fn messenger_consent<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["channelData", "platform"])?;
    let word = leaves.take(item, "event");
    let name = match word.map(str::to_ascii_uppercase).as_deref() {
        Some("SUBSCRIBE") => "MARKETING_OPT_IN",
        Some("UNSUBSCRIBE") => "MARKETING_OPT_OUT",
        _ => {
            // Both have one published format, so without the word only a hint can tell.
            let own = ["MARKETING_OPT_IN", "MARKETING_OPT_OUT"];
            let hinted = item.hints.event.and_then(|hint| own.into_iter().find(|own| own.eq_ignore_ascii_case(hint)));
            hinted.ok_or_else(super::record::untold)?
        }
    };
    let channel = leaves.take(item, "channel");
    let told = channel.map(|word| super::channels::told_by(word, "/channel")).transpose()?;
    let (row, mut event) = super::event(item, name, told.unwrap_or(Told::Is(Channel::Messenger)))?;
    event.recognized_by = "consent of Messenger: `event` and `channelData`";
    event.vendor_format = Some("marketing.facebook.v1.json");
    event.attributes.put("event", word);
    event.attributes.put("channel", channel);
    let printed_time = leaves.take_occurred(item, &mut event, &["createdAt"])?;
    let person = leaves.take(item, "from");
    event.contact = item.contact(event.channel, person);
    let page = leaves.take(item, "sender");
    event.business = item.business(event.channel, page);
    event.consent = Some(super::consent(row));
    let message = message_ids(item, &mut leaves)?;
    event.message = message.given();
    leaves.rest(item, &mut event, "");
    if printed_time.is_some() && person.is_some() {
        item.identify(&mut event, &[person, page, printed_time]);
    }
    Ok(event)
}

/// Open Channel's DELIVERY is the message itself, on its way out: no id, no status, no time.
pub fn open_channel<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["message"])?;
    let told = Told::Is(Channel::OpenChannel);
    let (_, mut event) = super::event(item, super::events::DELIVERY, told)?;
    event.recognized_by = "Open Channel message: `destination` and `message.body`";
    event.vendor_format = Some("event.open-channel.v1.json");
    let person = leaves.take(item, "destination");
    event.contact = item.contact(event.channel, person);
    let ours = leaves.take(item, "sender");
    event.business = item.business(event.channel, ours);
    if let Some(body) = leaves.take_raw("message.body") {
        let read = super::content::read(item, body, "/message/body")?;
        let json = match read.own_json {
            Some(json) => Some(json),
            None => read.has_rest.then(|| json::compact(body.get(), item.arena)),
        };
        event.content = Some(Content { json, ..read.content });
    }
    let message = message_ids(item, &mut leaves)?;
    event.message = message.given();
    leaves.rest(item, &mut event, "");
    Ok(event)
}
