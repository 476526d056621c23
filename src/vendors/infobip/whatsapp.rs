//! WhatsApp notifications about an account, a person, a payment or a template: one object, no results.

use super::{Told, message_ids, sender_ids};
use crate::event::{Channel, Consent, Contact, Event, Message};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::leaves::Leaves;

const WHATSAPP: Told = Told::Is(Channel::Whatsapp);

/// Events of which nothing is published: a hint must tell them, and their content is kept as it is.
const BY_HINT_ONLY: [&str; 3] = ["ACCOUNT_REGISTRATION", "ACCOUNT_UPDATE_NOTIFICATION", "BILLING"];

/// `{from, content, createdAt}`: `from` is our number, the person stands in the content.
pub fn notification<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["content"])?;
    let has = |path: &str| leaves.peek(item, path).is_some();
    let kind = leaves.peek(item, "content.type").unwrap_or_default().to_ascii_lowercase();
    let name = match kind.as_str() {
        "user_identity_changed" => "IDENTITY_CHANGE",
        "payment" => "PAYMENT_STATUS",
        _ if has("content.notificationMessagesStatus") => "MARKETING_SUBSCRIPTION_UPDATE",
        _ => {
            let hinted = item.hints.event.and_then(|hint| BY_HINT_ONLY.into_iter().find(|own| own.eq_ignore_ascii_case(hint)));
            hinted.ok_or_else(super::record::untold)?
        }
    };
    let is_kept_whole = BY_HINT_ONLY.contains(&name);
    if is_kept_whole {
        leaves = Leaves::of_item(item, &[])?;
    }
    let (mut event, consent) = named(item, name, &leaves)?;
    event.recognized_by = "WhatsApp notification: `from`, `content` and `createdAt`";
    let printed_time = leaves.take_occurred(item, &mut event, &["createdAt"])?;
    let ours = leaves.take(item, "from");
    let (person, sender) = match name {
        "IDENTITY_CHANGE" => (leaves.take(item, "content.userNumber"), None),
        "PAYMENT_STATUS" => (leaves.take(item, "content.from"), None),
        "MARKETING_SUBSCRIPTION_UPDATE" => (leaves.take(item, "content.from"), leaves.take_id(item, &["content.sender"])),
        _ => (None, None),
    };
    let business = ours.or(sender);
    event.business = item.business(Channel::Whatsapp, business);
    let profile_id = leaves.take(item, "content.userId");
    let address = person.or(profile_id);
    let contact = item.contact(Channel::Whatsapp, address);
    event.contact = contact.map(|contact| Contact { profile_id, ..contact });
    event.consent = consent;
    let reference = leaves.take(item, "content.callbackData");
    event.message = reference.map(|_| Message { reference, ..Message::default() });
    let payment = leaves.peek(item, "content.paymentId");
    let words = ["content.paymentStatus", "content.hash", "content.notificationMessagesStatus"];
    let [status, hash, wish] = words.map(|path| leaves.peek(item, path));
    leaves.rest(item, &mut event, "");
    if printed_time.is_some() && address.is_some() {
        item.identify(&mut event, &[ours, address, payment, status, hash, wish, printed_time]);
    }
    Ok(event)
}

/// The event of a name; of marketing subscriptions the body says whether it is an opt-in or an opt-out.
fn named<'a>(item: &Item<'a>, name: &'static str, leaves: &Leaves<'a>) -> Result<(Event<'a>, Option<Consent<'a>>), Reject> {
    if name != "MARKETING_SUBSCRIPTION_UPDATE" {
        return Ok((super::event(item, name, WHATSAPP)?.1, None));
    }
    let word = leaves.peek(item, "content.notificationMessagesStatus").unwrap_or_default();
    let event_type = match word.to_ascii_lowercase().as_str() {
        "stop" => "consent.opt_out",
        "resume" => "consent.opt_in",
        _ => return Err(Reject::unknown_event("/content/notificationMessagesStatus: expected stop or resume")),
    };
    let (row, event) = super::event_of_type(item, name, WHATSAPP, Some(event_type))?;
    Ok((event, Some(super::consent(row))))
}

/// A message template was approved, refused or judged anew.
pub fn template<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &["change", "platform"])?;
    let (_, mut event) = super::event(item, "TEMPLATE_UPDATE", WHATSAPP)?;
    event.recognized_by = "WhatsApp template: `messageTemplateId` and `change`";
    let printed_time = leaves.take_occurred(item, &mut event, &["timestamp"])?;
    let ids = sender_ids(item, &mut leaves);
    let template_id = leaves.take(item, "messageTemplateId");
    let kind = leaves.peek(item, "change.type");
    let words = ["change.newStatus", "change.newCategory", "change.newQualityScore"];
    let word = words.iter().find_map(|path| leaves.peek(item, path));
    let message = Message {
        template_id,
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        ..message_ids(item, &mut leaves)?
    };
    event.message = message.given();
    leaves.rest(item, &mut event, "");
    if printed_time.is_some() {
        item.identify(&mut event, &[template_id, kind, word, printed_time]);
    }
    Ok(event)
}
