//! `*:unsubscription`: somebody opted out. The id is that of the suppression entry, not of a message.

use super::Fields;
use crate::event::{Consent, Event};
use crate::reject::Reject;
use crate::vendors::{Item, Row};

pub fn normalize<'a>(item: &Item<'a>, row: &'static Row, body: Fields<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = body.leaves(item, &[])?;
    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);
    leaves.take_occurred(item, &mut event, &["created_at"])?;
    let receiver = leaves.take(item, "receiver");
    event.contact = item.contact(row.channel, receiver);
    let (scope_kind, scope_value) = (leaves.take(item, "type"), leaves.take(item, "value"));
    event.consent = Some(Consent { state: row.attribute("consent_state"), scope_kind, scope_value });
    let id = leaves.peek(item, "id");
    leaves.rest(item, &mut event, "");
    if id.is_some() {
        item.identify(&mut event, &[id, receiver, scope_kind, scope_value]);
    }
    Ok(event)
}
