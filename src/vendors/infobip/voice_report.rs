//! Reports of voice messages. There is no `doneAt`, but for an older variant that prints the call's fields beside the rest.

use super::report::set_status;
use super::status::{Failure, Status};
use super::{Told, calls, events, sender_ids};
use crate::event::{Channel, Event, Message, VoiceCall};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::fields::Object;
use crate::vendors::leaves::Leaves;

const SPLIT: &[&str] = &["price", "platform", "voiceCall"];
const SECOND_MS: i64 = 1000;

pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let (_, mut event) = super::event(item, events::DELIVERY, Told::Is(Channel::Voice))?;
    event.recognized_by = "voice report: `status` beside `voiceCall` or `price.pricePerSecond`";
    let status = leaves.take_raw("status").map(|raw| item.parse::<Object<Status<'a>>>(raw.get())).transpose();
    let status = status.map_err(|_| Reject::invalid_shape("/status", "a status object"))?;
    let status = status.map(|Object(status)| status).filter(|status| !status.is_wordless());
    let status = status.ok_or_else(|| Reject::invalid_shape("/status", "a status with groupId, groupName, id or name"))?;
    let error = leaves.take_raw("error").map(|raw| item.parse::<Object<Failure<'a>>>(raw.get())).transpose();
    let error = error.map_err(|_| Reject::invalid_shape("/error", "an error object"))?;

    let mut call_time = |nested: &str, older: &str| {
        let path = if leaves.peek(item, nested).is_some() { nested } else { older };
        leaves.take_time(item, path)
    };
    let started_at = call_time("voiceCall.startTime", "startTime")?;
    let answered_at = call_time("voiceCall.answerTime", "answerTime")?;
    let ended = leaves.peek(item, "voiceCall.endTime");
    let printed_time = match ended {
        Some(_) if leaves.peek(item, "doneAt").is_none() => {
            item.occurred(&mut event, "/voiceCall/endTime", ended)?;
            ended
        }
        _ => {
            let printed = leaves.peek(item, "doneAt").map(|time| ("doneAt", time));
            let printed = printed.or_else(|| leaves.peek(item, "sentAt").map(|time| ("sentAt", time)));
            if let Some((name, time)) = printed {
                item.occurred(&mut event, format_args!("/{name}"), Some(time))?;
            }
            leaves.drop("doneAt");
            printed.map(|(_, time)| time)
        }
    };
    let mut call_time = |nested: &str, older: &str| {
        let path = if leaves.peek(item, nested).is_some() { nested } else { older };
        leaves.take_time(item, path)
    };
    let ended_at = call_time("voiceCall.endTime", "endTime")?;
    let nested_duration = leaves.take_duration(item, "voiceCall.duration", SECOND_MS)?;
    let voice_call = VoiceCall {
        started_at,
        answered_at,
        ended_at,
        duration_ms: nested_duration.or(leaves.take_duration(item, "duration", SECOND_MS)?),
        ..VoiceCall::default()
    };
    event.voice_call = (voice_call != VoiceCall::default()).then_some(voice_call);

    let recipient = leaves.take(item, "to");
    event.contact = item.contact(Channel::Voice, recipient);
    let sender = leaves.take_first(item, &["from", "sender"]);
    event.business = item.business(Channel::Voice, sender);
    event.cost = calls::per_second(item, &mut leaves, "price.pricePerSecond", "price.currency");
    let ids = sender_ids(item, &mut leaves);
    let message = Message {
        message_id: leaves.take(item, "messageId"),
        bulk_id: leaves.take(item, "bulkId"),
        reference: leaves.take(item, "callbackData"),
        campaign_id: leaves.take(item, "campaignReferenceId"),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        parts: leaves.take_count(item, "messageCount")?,
        network: leaves.take(item, "mccMnc"),
        ..Message::default()
    };
    set_status(item, &mut event, status, error);
    leaves.rest(item, &mut event, "");
    if message.message_id.is_some() {
        let words = event.status.as_ref().map(|status| (status.vendor_group, status.vendor_code, status.vendor_name));
        let (group, code, name) = words.unwrap_or_default();
        item.identify(&mut event, &[message.message_id, group, code, name, printed_time, recipient]);
    }
    event.message = message.given();
    Ok(event)
}
