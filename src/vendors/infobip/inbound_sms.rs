//! Inbound SMS, `MO_JSON_2` alias `inbound-message.sms.v1.json`: `from` is the person, `to` our number.

use super::{Told, cost, events, message_ids, person};
use crate::event::{Channel, Content, Event};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::leaves::Leaves;

/// Two published names of one format: the older one is printed only where the hint says so.
const FORMAT: &str = "inbound-message.sms.v1.json";
const OLDER_FORMAT: &str = "MO_JSON_2";

pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["price", "platform"])?;
    let (_, mut event) = super::event(item, events::INBOUND_MESSAGE, Told::Is(Channel::Sms))?;
    event.recognized_by = "inbound SMS: `text` or `cleanText` beside `from`";
    event.vendor_format = Some(super::format_name(item, FORMAT, OLDER_FORMAT));
    let printed_time = leaves.take_occurred(item, &mut event, &["receivedAt"])?;
    let from = leaves.take(item, "from");
    event.contact = person(item, event.channel, &mut leaves, from);
    let ours = leaves.take(item, "to");
    event.business = item.business(event.channel, ours);
    let text = leaves.take_printed(item, "text");
    event.content = Some(Content { kind: Some("text"), text, ..Content::default() });
    event.cost = cost(item, &mut leaves);
    let message = message_ids(item, &mut leaves)?;
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        item.identify(&mut event, &[message.message_id, printed_time, from]);
    }
    event.message = message.given();
    Ok(event)
}
