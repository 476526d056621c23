//! RCS: senders, test numbers and templates of an account, and live events of a chat.

use super::{Told, message_ids, sender_ids};
use crate::event::{Channel, Event, Message};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::leaves::Leaves;

const RCS: Told = Told::Is(Channel::Rcs);

/// A sender or a test number changed its state. `updatedAt` is its time, `completedAt` only of the last step.
pub fn account<'a>(item: &Item<'a>, name: &'static str) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["platform"])?;
    let (_, mut event) = super::event(item, name, RCS)?;
    event.recognized_by = "RCS account event: `event` begins with RCS_";
    event.attributes.put("event", leaves.take(item, "event"));
    let printed_time = leaves.take_occurred(item, &mut event, &["updatedAt"])?;
    let sender = leaves.take(item, "senderName");
    event.business = item.business(Channel::Rcs, sender);
    let number = leaves.take(item, "testNumber");
    event.contact = item.contact(Channel::Rcs, number);
    // An update of a test number prints the sender's state too, which stays while the number's changes.
    let states = [leaves.peek(item, "senderStatus"), leaves.peek(item, "testNumberStatus")];
    let message = message_ids(item, &mut leaves)?;
    event.message = message.given();
    leaves.rest(item, &mut event, "");
    if printed_time.is_some() {
        item.identify(&mut event, &[sender, number, states[0], states[1], printed_time]);
    }
    Ok(event)
}

/// A template was judged.
pub fn template<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["platform"])?;
    let (_, mut event) = super::event(item, "TEMPLATE_UPDATE", RCS)?;
    event.recognized_by = "RCS template: `templateStatus` and `name`";
    let printed_time = leaves.take_occurred(item, &mut event, &["updatedAt"])?;
    let subject = [leaves.peek(item, "name"), leaves.peek(item, "templateStatus")];
    let message = message_ids(item, &mut leaves)?;
    event.message = message.given();
    leaves.rest(item, &mut event, "");
    if printed_time.is_some() {
        item.identify(&mut event, &[subject[0], subject[1], printed_time]);
    }
    Ok(event)
}

/// A person is typing.
pub fn typing<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["event", "platform"])?;
    let (_, mut event) = super::event(item, "TYPING_INDICATOR", RCS)?;
    event.recognized_by = "RCS live event: `event` is an object";
    leaves.drop("event.type");
    let printed_time = leaves.take_occurred(item, &mut event, &["receivedAt"])?;
    let person = leaves.take_first(item, &["sender", "from"]);
    event.contact = item.contact(Channel::Rcs, person);
    let ours = leaves.take(item, "to");
    event.business = item.business(Channel::Rcs, ours);
    let ids = sender_ids(item, &mut leaves);
    let message = Message { application_id: ids.application_id, entity_id: ids.entity_id, ..Message::default() };
    event.message = message.given();
    leaves.rest(item, &mut event, "");
    if printed_time.is_some() {
        item.identify(&mut event, &[person, ours, printed_time]);
    }
    Ok(event)
}
