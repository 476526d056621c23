//! `contacts:subscriber:subscription`: a contact was created or changed.

use super::{Fields, events};
use crate::event::{Channel, Contact, Event};
use crate::reject::Reject;
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, fields};

pub fn normalize<'a>(item: &Item<'a>, body: Fields<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = body.leaves(item, &[])?;
    let wanted = if is_created(item, &leaves) { "profile.created" } else { "profile.updated" };
    let row = events::rows_of(events::CONTACT).find(|row| row.event_type.0 == wanted).ok_or_else(super::unknown)?;
    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);
    let printed_time = leaves.take_occurred(item, &mut event, &["updated_at"])?;

    let profile_id = leaves.take(item, "id");
    let address = leaves.take(item, "identity");
    // The identity is the number or the mail address that the contact is known by.
    let channel = if address.is_some_and(fields::is_mail) { Channel::Email } else { Channel::None };
    let contact = item.contact(channel, address);
    let (first, last) = (leaves.take(item, "first_name"), leaves.take(item, "last_name"));
    let display_name = fields::full_name(first, last, item.arena);
    let is_known = contact.is_some() || profile_id.is_some() || display_name.is_some();
    event.contact = is_known.then(|| Contact { profile_id, display_name, ..contact.unwrap_or_default() });
    let sentence = leaves.peek(item, "status");
    leaves.rest(item, &mut event, "");
    if profile_id.is_some() {
        item.identify(&mut event, &[profile_id, printed_time, sentence]);
    }
    Ok(event)
}

/// The sentence in `status` says it; another sentence leaves the two times.
fn is_created<'a>(item: &Item<'a>, leaves: &Leaves<'a>) -> bool {
    let sentence = leaves.peek(item, "status").unwrap_or_default();
    match () {
        () if sentence.starts_with("Subscriber created") => true,
        () if sentence.starts_with("Subscriber updated") => false,
        () => leaves.peek(item, "created_at") == leaves.peek(item, "updated_at"),
    }
}
