//! Calls, conferences and dialogs: one object that names its event in `type`. Also masked calls and missed calls.

use serde::Deserialize;

use super::{Told, sender_ids};
use crate::event::{Channel, Cost, Direction, Event, Message, VoiceCall};
use crate::reject::Reject;
use crate::vendors::fields::{Object, Text};
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, json};

/// Objects whose values are told apart; the others stay whole.
const SPLIT: &[&str] = &[
    "platform",
    "retryProperties",
    "properties",
    "properties.call",
    "properties.call.endpoint",
    "properties.call.machineDetection",
    "properties.call.platform",
    "properties.call.errorCode",
    "properties.callLog",
    "properties.callLog.endpoint",
    "properties.callLog.machineDetection",
    "properties.callLog.platform",
    "properties.callLog.errorCode",
    "properties.participant",
    "properties.participant.endpoint",
    "properties.conference",
    "properties.conference.platform",
    "properties.dialog",
    "properties.dialog.platform",
    "properties.errorCode",
    "properties.playedContentProperties",
];

const SECOND_MS: i64 = 1000;

/// `kind` is the event's name, which the body prints as `type`.
pub fn normalize<'a>(item: &Item<'a>, kind: &'static str) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, SPLIT)?;
    let (_, mut event) = super::event(item, kind, Told::Is(Channel::Voice))?;
    event.recognized_by = "call event: `type` beside the id of a call, conference or dialog";
    leaves.drop("type");
    let printed_time = leaves.take_occurred(item, &mut event, &["timestamp"])?;

    let call_id =
        leaves.take_id(item, &["callId", "properties.call.id", "properties.callLog.callId", "properties.participant.callId"]);
    let conference_id = leaves.take_id(item, &["conferenceId", "properties.conference.id", "properties.call.conferenceId"]);
    let dialog_id =
        leaves.take_id(item, &["dialogId", "properties.dialog.id", "properties.call.dialogId", "properties.callLog.dialogId"]);
    set_parties(item, &mut event, &mut leaves);
    let mut first_time = |name: &str| {
        let paths = ["call", "callLog", "dialog", "conference"].map(|of| format!("properties.{of}.{name}"));
        let path = paths.into_iter().find(|path| leaves.peek(item, path).is_some());
        path.map_or(Ok(None), |path| leaves.take_time(item, &path))
    };
    let (started_at, answered_at, ended_at) = (first_time("startTime")?, first_time("answerTime")?, first_time("endTime")?);
    let mut duration_ms = leaves.take_duration(item, "properties.callLog.duration", SECOND_MS)?;
    if duration_ms.is_none() {
        duration_ms = leaves.take_duration(item, "properties.call.duration", SECOND_MS)?;
    }
    if duration_ms.is_none() {
        // What was played or said is measured in milliseconds.
        duration_ms = leaves.take_duration(item, "properties.duration", 1)?;
    }
    let voice_call = VoiceCall {
        call_id,
        conference_id,
        dialog_id,
        state: leaves.take_first(
            item,
            &["properties.call.state", "properties.callLog.state", "properties.dialog.state", "properties.participant.state"],
        ),
        started_at,
        answered_at,
        ended_at,
        duration_ms,
        hangup_cause: leaves.take_first(
            item,
            &[
                "properties.hangupSource",
                "properties.callLog.hangupSource",
                "properties.call.hangupSource",
                "properties.errorCode.name",
                "properties.callLog.errorCode.name",
            ],
        ),
        recording_url: recording_url(item, &leaves),
    };
    event.voice_call = (voice_call != VoiceCall::default()).then_some(voice_call);

    let ids = sender_ids(item, &mut leaves);
    let message = Message {
        bulk_id: leaves.take(item, "bulkId"),
        reference: reference(item, &mut leaves),
        application_id: ids.application_id,
        entity_id: ids.entity_id,
        ..Message::default()
    };
    event.message = message.given();
    leaves.rest(item, &mut event, "properties.");
    if printed_time.is_some() {
        item.identify(&mut event, &[call_id, conference_id, dialog_id, printed_time]);
    }
    Ok(event)
}

/// Inbound calls come from the person, outbound calls go to the person; without a direction nobody is told apart.
fn set_parties<'a>(item: &Item<'a>, event: &mut Event<'a>, leaves: &mut Leaves<'a>) {
    for of in ["properties.call", "properties.callLog"] {
        let path = |name: &str| format!("{of}.{name}");
        let Some(direction) = leaves.peek(item, &path("direction")).and_then(direction) else { continue };
        leaves.drop(&path("direction"));
        event.direction = direction;
        let (person, ours) = if direction == Direction::Inbound { ("from", "to") } else { ("to", "from") };
        let person = leaves.take(item, &path(person));
        event.contact = item.contact(Channel::Voice, person);
        let ours = leaves.take(item, &path(ours));
        event.business = item.business(Channel::Voice, ours);
        return;
    }
    let recorded = leaves.peek(item, "properties.recording");
    let recorded =
        recorded.and_then(json::parse_strict::<Object<Recording<'_>>>).and_then(|Object(recording)| recording.direction);
    if let Some(direction) = recorded.and_then(|word| direction(word.as_str())) {
        event.direction = direction;
    }
}

fn direction(word: &str) -> Option<Direction> {
    match word {
        _ if word.eq_ignore_ascii_case("INBOUND") => Some(Direction::Inbound),
        _ if word.eq_ignore_ascii_case("OUTBOUND") => Some(Direction::Outbound),
        _ => None,
    }
}

/// The sender's own data is a text or any object; only a text is an id.
fn reference<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> Option<&'a str> {
    for of in ["properties.call", "properties.callLog"] {
        let custom = format!("{of}.customData");
        if leaves.peek_raw(&custom).is_some_and(|raw| raw.get().starts_with('"')) {
            return leaves.take(item, &custom);
        }
        if let Some(external) = leaves.take(item, &format!("{of}.externalId")) {
            return Some(external);
        }
    }
    None
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording<'a> {
    #[serde(borrow)]
    direction: Option<Text<'a>>,
    #[serde(borrow)]
    files: Option<Vec<Object<File<'a>>>>,
    #[serde(borrow)]
    composed_files: Option<Vec<Object<File<'a>>>>,
}

/// `location` is an address or only a word for where the file is.
#[derive(Debug, Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    location: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
}

fn recording_url<'a>(item: &Item<'a>, leaves: &Leaves<'a>) -> Option<&'a str> {
    let text = leaves.peek(item, "properties.recording")?;
    let Object(Recording { direction: _, files, composed_files }) = json::parse_strict(text)?;
    let Object(File { location, url }) = composed_files.into_iter().chain(files).flatten().next()?;
    let is_address = |text: &Text<'_>| text.as_str().contains("://");
    location.filter(is_address).or(url.filter(is_address)).map(|text| text.keep(item.arena))
}

/// A masked call: two people who don't see each other's number, so there is no business side.
pub fn masked<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &[])?;
    let (_, mut event) = super::event(item, "NUMBER_MASKING", Told::Is(Channel::Voice))?;
    event.recognized_by = "masked call: `nmCorrelationId`";
    let answered = leaves.take_occurred(item, &mut event, &["answeredTime"])?;
    let call_id = leaves.take(item, "nmCorrelationId");
    let status = leaves.take(item, "status");
    let voice_call = VoiceCall {
        call_id,
        state: status,
        started_at: leaves.take_time(item, "ringingTime")?,
        answered_at: event.occurred_at,
        duration_ms: leaves.take_duration(item, "duration", SECOND_MS)?,
        recording_url: leaves.take(item, "fileUrl"),
        ..VoiceCall::default()
    };
    event.voice_call = (voice_call != VoiceCall::default()).then_some(voice_call);
    event.cost = per_second(item, &mut leaves, "pricePerSecond", "currency");
    let reference = leaves.take(item, "clientReferenceId");
    event.message = reference.map(|_| Message { reference, ..Message::default() });
    let action = leaves.peek(item, "action");
    leaves.rest(item, &mut event, "");
    if call_id.is_some() && status.is_some() {
        item.identify(&mut event, &[call_id, status, answered, action]);
    }
    Ok(event)
}

/// A price by the second: told by its unit, so that nobody adds it to prices of messages.
pub fn per_second<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>, amount: &str, currency: &str) -> Option<Cost<'a>> {
    let amount = leaves.take(item, amount)?;
    Some(Cost { amount: Some(amount), currency: leaves.take(item, currency), units: Some("per_second") })
}

/// A call that nobody took: it came from the person.
pub fn missed<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let mut leaves = Leaves::of_item(item, &[])?;
    let (_, mut event) = super::event(item, "MISSED_CALL", Told::Is(Channel::Voice))?;
    event.recognized_by = "missed call: `calledNumber` and `callingNumber`";
    event.direction = Direction::Inbound;
    let printed_time = leaves.take_occurred(item, &mut event, &["timeOfCall"])?;
    let caller = leaves.take(item, "callingNumber");
    event.contact = item.contact(Channel::Voice, caller);
    let called = leaves.take(item, "calledNumber");
    event.business = item.business(Channel::Voice, called);
    leaves.rest(item, &mut event, "");
    if printed_time.is_some() {
        item.identify(&mut event, &[caller, called, printed_time]);
    }
    Ok(event)
}
