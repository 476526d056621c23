//! `whatsapp:message:status`, `rcs:message:status`, `viber:message:status`: what became of a chat message.

use super::Fields;
use crate::event::State::{Accepted, Deferred, Deleted, Delivered, Expired, Read, Rejected, Sent, Undelivered};
use crate::event::{Event, Meaning, Message, Status};
use crate::reject::Reject;
use crate::vendors::{Item, Row};

pub fn normalize<'a>(item: &Item<'a>, row: &'static Row, body: Fields<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = body.leaves(item, &[])?;
    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);
    let word = body.status(item, &mut leaves)?;
    let meaning = meaning(word.unwrap_or_default());
    event.has_unlisted_status = meaning.is_none();
    event.status = Some(Status { vendor_name: word, ..Status::new(meaning.unwrap_or(Meaning::UNLISTED)) });

    // Each state has a time of its own; the event's is that of the state, else the body's.
    let own_time = match meaning.map(|meaning| meaning.state) {
        Some(Read) => "read_at",
        Some(Delivered) => "delivered_at",
        Some(Sent) => "processed_at",
        _ => "timestamp",
    };
    let printed_time = leaves.peek(item, own_time).map(|time| (own_time, time));
    let printed_time = printed_time.or_else(|| leaves.peek(item, "timestamp").map(|time| ("timestamp", time)));
    if let Some((name, time)) = printed_time {
        item.occurred(&mut event, format_args!("/{name}"), Some(time))?;
    }
    let recipient = leaves.take(item, "to");
    event.contact = item.contact(row.channel, recipient);
    event.business = item.business(row.channel, leaves.take(item, "from"));
    let message =
        Message { message_id: leaves.take(item, "id"), reference: leaves.take(item, "foreign_id"), ..Message::default() };
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, word, printed_time.map(|(_, time)| time), recipient]);
    }
    event.message = message.given();
    Ok(event)
}

fn meaning(word: &str) -> Option<Meaning> {
    WORDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
}

const WORDS: &[(&str, Meaning)] = &[
    ("queued", Meaning::new(Accepted, false, None)),
    ("dispatched", Meaning::new(Sent, false, None)), // Handed to the channel.
    ("sent", Meaning::new(Sent, false, None)),
    ("delivered", Meaning::new(Delivered, true, None)),
    ("read", Meaning::new(Read, true, None)),
    ("failed", Meaning::new(Undelivered, true, Some("unknown"))),
    ("deleted", Meaning::new(Deleted, true, Some("cancelled"))), // Deleted or expired in the app.
    ("expired", Meaning::new(Expired, true, Some("expired"))),
    ("blacklist", Meaning::new(Rejected, true, Some("sender"))), // The sender is on a block list.
    ("offline", Meaning::new(Deferred, false, Some("recipient_unreachable"))),
    ("rejected", Meaning::new(Undelivered, true, Some("recipient_refused"))), // The device refused it.
];
