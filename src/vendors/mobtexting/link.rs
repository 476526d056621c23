//! A smart link was visited. The webhook has no published name.

use super::Fields;
use crate::event::{Engagement, Event, Message};
use crate::reject::Reject;
use crate::vendors::{Item, Row};

pub fn normalize<'a>(item: &Item<'a>, row: &'static Row, body: Fields<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = body.leaves(item, &[])?;
    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);
    let printed_time = leaves.take_occurred(item, &mut event, &["created_at"])?;
    let visitor = leaves.take(item, "mobile");
    event.contact = item.contact(row.channel, visitor);
    let engagement = Engagement {
        url: leaves.take(item, "url"),
        user_agent: leaves.take(item, "user_agent"),
        device_type: leaves.take(item, "device_type"),
        operating_system: leaves.take(item, "platform"),
        ip: leaves.take_first(item, &["ip", "ip_address"]),
        country: leaves.take(item, "country"),
        city: leaves.take(item, "city"),
        is_unique: None,
    };
    event.engagement = (engagement != Engagement::default()).then_some(engagement);
    let message_id = leaves.take(item, "id");
    let link_id = leaves.peek(item, "link_id");
    event.message = message_id.map(|_| Message { message_id, ..Message::default() });
    leaves.rest(item, &mut event, "");
    if message_id.is_some() {
        item.identify(&mut event, &[message_id, link_id, printed_time, visitor]);
    }
    Ok(event)
}
