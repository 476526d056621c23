//! MOBtexting, also sold as BICS CPaaS and under other names.
//!
//! - One event a body, never a batch. Most bodies don't name their event: the keys tell it, and a hint outranks them where
//!   the shape fits.
//! - A customer can compose a body from a template; it names its event only if the customer put the name there.
//! - Times of SMS are local without zone, beside them sometimes seconds since 1970, which are preferred.
//! - SMS reports are sent up to four times where our answer was lost.
//! - When a webhook is created the platform posts a probe, which is no event.

mod events;
mod message_status;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::Event;
use crate::reject::Reject;
use crate::vendors::fields::{Present, Text};
use crate::vendors::{Adapter, Batch, Item, json};

pub const ADAPTER: Adapter = Adapter {
    vendor: "mobtexting",
    rows: events::ROWS,
    batch: Batch::Never,
    channel_words: &[],
    has_ambiguous_channels: false,
    has_local_times: true,
    is_probe,
    normalize,
};

/// Keys whose presence tells a shape.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Marks<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    validation_key: Present,
    challenge: Present,
    mobile: Present,
    status: Present,
    deliv_time: Present,
    sent_time: Present,
    submit_time: Present,
    deliv_at: Present,
    credits: Present,
    units: Present,
    bridge: Present,
    start_at: Present,
    receiver: Present,
    value: Present,
    identity: Present,
    created_at: Present,
    link_id: Present,
    user_agent: Present,
}

impl Marks<'_> {
    fn is_sms_status(&self) -> bool {
        let mark = [self.deliv_time, self.sent_time, self.submit_time, self.deliv_at, self.credits, self.units];
        self.mobile.0 && self.status.0 && mark.contains(&Present(true))
    }

    /// Shapes of events that are not read here: call records, unsubscriptions, contacts, link visits.
    fn is_other_shape(&self) -> bool {
        (self.bridge.0 && self.start_at.0)
            || (self.receiver.0 && self.value.0)
            || (self.identity.0 && self.created_at.0)
            || (self.link_id.0 && self.user_agent.0)
    }
}

fn is_probe(item: &Item<'_>) -> bool {
    // The search is much cheaper than a parse, and nearly always says no.
    item.text.contains("\"validation_key\"")
        && json::parse_strict::<Marks<'_>>(item.text).is_some_and(|marks| marks.validation_key.0 && marks.challenge.0)
}

fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    let marks: Marks<'a> = item.parse(item.text)?;
    let named = marks.event.and_then(|event| json::parse_strict::<Text<'a>>(event.get())).map(|event| event.keep(item.arena));
    let hinted = item.hints.event;
    let (event, text, recognized_by) = match (named, marks.payload) {
        (Some(event), Some(payload)) if payload.get().starts_with('{') => {
            (event, payload.get(), "names its `event`, body in `payload`")
        }
        (Some(event), _) => (event, item.text, "names its `event`"),
        (None, _) if marks.is_sms_status() => {
            (events::SMS_STATUS, item.text, "SMS status: `mobile` and `status` beside times, credits or units")
        }
        (None, _) if marks.is_other_shape() => return Err(unknown()),
        (None, _) => match hinted {
            Some(hint) => (hint, item.text, "the hint names the event, and the body has no shape of its own"),
            None => return Err(unknown()),
        },
    };
    if !event.eq_ignore_ascii_case(events::SMS_STATUS) {
        return Err(unknown());
    }
    let mut event = message_status::normalize(item, text)?;
    event.recognized_by = recognized_by;
    let conflict = hinted.filter(|hint| !hint.eq_ignore_ascii_case(events::SMS_STATUS));
    let channel = item.hints.channel.and_then(|word| ADAPTER.channel_of_hint(word)).filter(|channel| *channel != event.channel);
    item.note_conflict(&mut event, channel, conflict);
    Ok(event)
}

fn unknown() -> Reject {
    Reject::unknown_event(
        "the body is no event of the catalogue, or does not tell which: set `event` for the source, or its hint header",
    )
}
