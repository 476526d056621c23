//! Seen reports. Without a channel `from` is the person who read and `to` the business; in those of the Messages API, which
//! name their channel, `destination` is the person and `sender` the business.

use super::{Told, channels, events, message_ids, person};
use crate::event::{Channel, Event, Status};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::leaves::Leaves;

const SPLIT: &[&str] = &["contact", "platform"];

pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let leaves = Leaves::of_item(item, SPLIT)?;
    // Only WhatsApp adds the contact.
    let told = if leaves.has_under("contact") { Told::Is(Channel::Whatsapp) } else { Told::Nothing };
    finish(item, leaves, told, "seen report: `seenAt`", ["from", "to"])
}

pub fn of_messages_api<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    leaves.drop("event");
    let word = leaves.peek(item, "channel").unwrap_or_default();
    let told = channels::told_by(word, "/channel")?;
    let recognized_by = "seen report of the Messages API: `event` and `channel` say so";
    finish(item, leaves, told, recognized_by, ["destination", "sender"])
}

fn finish<'a>(
    item: &Item<'a>,
    mut leaves: Leaves<'a>,
    told: Told,
    recognized_by: &'static str,
    [reader, ours]: [&str; 2],
) -> Result<Event<'a>, Reject> {
    let (row, mut event) = super::event(item, events::SEEN, told)?;
    event.recognized_by = recognized_by;
    let printed_time = leaves.take_occurred(item, &mut event, &["seenAt"])?;
    event.status = row.status.map(Status::new);
    let reader = leaves.take(item, reader);
    event.contact = person(item, event.channel, &mut leaves, reader);
    let ours = leaves.take(item, ours);
    event.business = item.business(event.channel, ours);
    let message = message_ids(item, &mut leaves)?;
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, reader]);
    }
    event.message = message.given();
    Ok(event)
}
