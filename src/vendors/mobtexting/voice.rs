//! `voice:message:out`: a call record. Outbound dialing is a message by voice, click-to-call is a call.

use super::{Fields, events};
use crate::event::State::{Delivered, Undelivered};
use crate::event::{Event, EventType, Meaning, Message, Status, VoiceCall};
use crate::reject::Reject;
use crate::vendors::Item;

/// `source` of a call that a person started from a page or a program.
const CLICK_TO_CALL: &str = "C2C";

pub fn normalize<'a>(item: &Item<'a>, body: Fields<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = body.leaves(item, &[])?;
    let is_click_to_call = leaves.peek(item, "source").is_some_and(|source| source.eq_ignore_ascii_case(CLICK_TO_CALL));
    let wanted = if is_click_to_call { EventType("call.finished") } else { EventType::MESSAGE_STATUS };
    let row = events::rows_of(events::VOICE_OUT).find(|row| row.event_type == wanted).ok_or_else(super::unknown)?;
    let mut event = Event::new(row.event_type, row.channel, row.event, item.arena);

    let started_at = leaves.peek(item, "start_at");
    item.occurred(&mut event, "/start_at", started_at)?;
    let started = event.occurred_at;
    let ended_at = leaves.peek(item, "end_at");
    item.occurred(&mut event, "/end_at", ended_at)?;
    let ended = ended_at.and(event.occurred_at);
    leaves.drop("start_at");
    leaves.drop("end_at");

    let called = leaves.take(item, "to");
    event.contact = item.contact(row.channel, called);
    let ours = leaves.take(item, if is_click_to_call { "bridge" } else { "from" });
    event.business = item.business(row.channel, ours);
    // Of a call it is one of three words for its legs, and stays beside the other two.
    let word = if is_click_to_call { leaves.peek(item, "status") } else { body.status(item, &mut leaves)? };
    if row.event_type == EventType::MESSAGE_STATUS {
        let meaning = meaning(word.unwrap_or_default());
        event.has_unlisted_status = meaning.is_none();
        event.status = Some(Status { vendor_name: word, ..Status::new(meaning.unwrap_or(Meaning::UNLISTED)) });
    }
    let voice_call = VoiceCall {
        state: word.filter(|word| !word.is_empty()),
        started_at: started,
        ended_at: ended,
        duration_ms: leaves.take_duration(item, "duration", 1000)?,
        hangup_cause: leaves.take(item, "hangup_by"),
        recording_url: leaves.take(item, "recording_url"),
        ..VoiceCall::default()
    };
    event.voice_call = (voice_call != VoiceCall::default()).then_some(voice_call);
    // The id is the campaign's, not the call's.
    let campaign_id = leaves.take(item, "mid");
    event.message = campaign_id.map(|_| Message { campaign_id, ..Message::default() });
    leaves.rest(item, &mut event, "");
    item.identify(&mut event, &[campaign_id, called, started_at, word]);
    Ok(event)
}

fn meaning(word: &str) -> Option<Meaning> {
    WORDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
}

const fn not_reached(reason: &'static str) -> Meaning {
    Meaning::new(Undelivered, true, Some(reason))
}

const WORDS: &[(&str, Meaning)] = &[
    ("ANSWER", Meaning::new(Delivered, true, None)),
    ("COMPLETED", Meaning::new(Delivered, true, None)), // The second leg was answered.
    ("RECEIVED", Meaning::new(Delivered, true, None)),  // It reached the menu and was not forwarded.
    ("MISSED", not_reached("recipient_no_answer")),     // It reached the menu and no agent took it.
    ("BUSY", not_reached("recipient_busy")),
    ("NOANSWER", not_reached("recipient_no_answer")),
    ("CANCEL", not_reached("cancelled")),
    ("CONGESTION", not_reached("recipient_invalid")), // Mostly a number that is not recognized.
    ("CHANUNAVAIL", not_reached("network")),
    ("FAILED", not_reached("unknown")),
];
