//! MOBtexting, also sold as BICS CPaaS and under other names.
//!
//! - One event a body, never a batch. Only chat events name themselves: elsewhere the keys tell the event, and a hint
//!   outranks them where the shape fits.
//! - A customer can compose a body from a template; it names its event only if the customer put the name there.
//! - Times of SMS and voice are local without zone, beside them sometimes seconds since 1970, which are preferred.
//! - Reports are sent again, up to three times, where our answer was lost.
//! - When a webhook is created the platform posts a probe, which is no event.
//! - A top-level `status` is an SMS word, a call word or a sentence, by event.

mod chat_status;
mod contacts;
mod events;
mod inbound;
mod link;
mod message_status;
mod unsubscription;
mod voice;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Channel, Event};
use crate::reject::{Reason, Reject};
use crate::vendors::fields::{Present, Text};
use crate::vendors::leaves::Leaves;
use crate::vendors::{Adapter, Batch, Item, Row, Scene, json};

pub const ADAPTER: Adapter = Adapter {
    vendor: "mobtexting",
    rows: events::ROWS,
    batch: Batch::Never,
    event_keys: &["event"],
    channel_words: &[("vmn", Channel::Sms)],
    has_ambiguous_channels: true,
    has_local_times: true,
    is_probe,
    read_usual: Some(read_usual),
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
    #[serde(rename = "type")]
    kind: Present,
    value: Present,
    identity: Present,
    created_at: Present,
    updated_at: Present,
    link_id: Present,
    user_agent: Present,
}

/// What the keys of a body that doesn't name its event say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    SmsStatus,
    Voice,
    /// Of some channel: all have the same keys.
    Unsubscription,
    Contact,
    LinkVisit,
}

impl Marks<'_> {
    /// The first rule that fits; no body fits two.
    fn shape(&self) -> Option<Shape> {
        let sms_marks = [self.deliv_time, self.sent_time, self.submit_time, self.deliv_at, self.credits, self.units];
        Some(match () {
            () if self.mobile.0 && self.status.0 && sms_marks.contains(&Present(true)) => Shape::SmsStatus,
            () if self.bridge.0 && self.start_at.0 => Shape::Voice,
            () if self.receiver.0 && self.kind.0 && self.value.0 => Shape::Unsubscription,
            () if self.identity.0 && self.created_at.0 && self.updated_at.0 => Shape::Contact,
            () if self.link_id.0 && self.user_agent.0 => Shape::LinkVisit,
            () => return None,
        })
    }
}

impl Shape {
    /// Whether a hinted event can have this shape.
    fn fits(self, event: &str) -> bool {
        match self {
            Self::SmsStatus => event.eq_ignore_ascii_case(events::SMS_STATUS),
            Self::Voice => event.eq_ignore_ascii_case(events::VOICE_OUT),
            Self::Unsubscription => events::rows_of(event).any(|row| row.event_type.0 == "consent.opt_out"),
            Self::Contact => event.eq_ignore_ascii_case(events::CONTACT),
            Self::LinkVisit => event.eq_ignore_ascii_case(events::LINK_VISIT),
        }
    }

    /// The event of the shape; of unsubscriptions the channel hint tells which.
    fn event(self, hinted: Option<Channel>) -> Result<&'static str, Reject> {
        Ok(match self {
            Self::SmsStatus => events::SMS_STATUS,
            Self::Voice => events::VOICE_OUT,
            Self::Contact => events::CONTACT,
            Self::LinkVisit => events::LINK_VISIT,
            Self::Unsubscription => {
                let is_hinted = |row: &&Row| row.event_type.0 == "consent.opt_out" && Some(row.channel) == hinted;
                let row = events::ROWS.iter().find(is_hinted);
                row.map(|row| row.event).ok_or_else(|| {
                    Reject::new(
                        Reason::AmbiguousChannel,
                        "unsubscriptions don't tell their channel: set `channel` or `event` for the source, or a hint header",
                    )
                })?
            }
        })
    }

    fn recognized_by(self) -> &'static str {
        match self {
            Self::SmsStatus => "SMS status: `mobile` and `status` beside times, credits or units",
            Self::Voice => "voice call record: `bridge` and `start_at`",
            Self::Unsubscription => "unsubscription: `receiver`, `type` and `value`; the channel is the hint's",
            Self::Contact => "contact: `identity`, `created_at` and `updated_at`",
            Self::LinkVisit => "link visit: `link_id` and `user_agent`",
        }
    }
}

/// Reads the body at the beginning of a text.
fn read_usual<'a>(text: &'a str, scene: Scene<'a>) -> Option<(Item<'a>, Result<Event<'a>, Reject>)> {
    if may_be_probe(text) {
        return None;
    }
    let (text, marks) = json::parse_first::<Marks<'a>>(text)?;
    let item = scene.item(text);
    let event = normalize_marked(&item, &marks);
    Some((item, event))
}

/// The search is much cheaper than a parse, and nearly always says no.
fn may_be_probe(text: &str) -> bool {
    text.contains("\"validation_key\"")
}

fn is_probe(item: &Item<'_>) -> bool {
    may_be_probe(item.text)
        && json::parse_strict::<Marks<'_>>(item.text).is_some_and(|marks| marks.validation_key.0 && marks.challenge.0)
}

fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    normalize_marked(item, &item.parse(item.text)?)
}

fn normalize_marked<'a>(item: &Item<'a>, marks: &Marks<'a>) -> Result<Event<'a>, Reject> {
    let Recognized { event: name, fields, by, is_hint_at_odds } = recognize(item, marks)?;
    let row = events::rows_of(name).next().ok_or_else(unknown)?;
    let mut event = match row.event {
        events::SMS_STATUS => message_status::normalize(item, row, fields)?,
        events::VOICE_OUT => voice::normalize(item, fields)?,
        events::CONTACT => contacts::normalize(item, fields)?,
        events::LINK_VISIT => link::normalize(item, row, fields)?,
        _ => match row.event_type.0 {
            "message.status" => chat_status::normalize(item, row, fields)?,
            "message.inbound" => inbound::normalize(item, row, fields)?,
            _ => unsubscription::normalize(item, row, fields)?,
        },
    };
    event.recognized_by = by;
    let channel = hinted_channel(item).filter(|hinted| *hinted != event.channel);
    let event_hint = item.hints.event.filter(|_| is_hint_at_odds);
    item.note_conflict(&mut event, channel, event_hint);
    Ok(event)
}

/// Where the fields of an event stand in the body.
#[derive(Debug, Clone, Copy)]
struct Fields<'a> {
    text: &'a str,
    /// JSON pointer of `text` in the body.
    base: &'static str,
    /// A customer's template: as many fields as the customer put there.
    is_composed: bool,
}

impl<'a> Fields<'a> {
    fn leaves(self, item: &Item<'a>, split: &[&str]) -> Result<Leaves<'a>, Reject> {
        let mut leaves = Leaves::of_part(item, self.text, self.base, split)?;
        leaves.drop("event");
        Ok(leaves)
    }

    /// The status word as printed. Only a composed body can lack it.
    fn status(self, item: &Item<'a>, leaves: &mut Leaves<'a>) -> Result<Option<&'a str>, Reject> {
        if self.is_composed && leaves.peek(item, "status").is_none() {
            return Ok(None);
        }
        leaves.take_word(item, "status").map(Some)
    }
}

/// An event's name, where its fields stand, and how it was told.
struct Recognized<'a> {
    event: &'a str,
    fields: Fields<'a>,
    by: &'static str,
    /// The event hint says something else.
    is_hint_at_odds: bool,
}

/// What the body says of itself, then the hint where the shape can be that, then the shape.
fn recognize<'a>(item: &Item<'a>, marks: &Marks<'a>) -> Result<Recognized<'a>, Reject> {
    let hint = item.hints.event;
    let is_at_odds = |event: &str| hint.is_some_and(|hint| !hint.eq_ignore_ascii_case(event));
    let named = marks.event.and_then(|event| json::parse_strict::<Text<'a>>(event.get()));
    if let Some(named) = named {
        let event = named.keep(item.arena);
        let payload = marks.payload.map(RawValue::get).filter(|payload| payload.starts_with('{'));
        let is_known = events::rows_of(event).next().is_some();
        if payload.is_some() || is_known {
            let fields = match payload {
                Some(text) => Fields { text, base: "/payload", is_composed: false },
                None => Fields { text: item.text, base: "", is_composed: true },
            };
            return Ok(Recognized { event, fields, by: "the body names its `event`", is_hint_at_odds: is_at_odds(event) });
        }
    }
    let plain = Fields { text: item.text, base: "", is_composed: false };
    match (marks.shape(), hint) {
        (Some(shape), Some(hint)) if shape.fits(hint) => {
            Ok(Recognized { event: hint, fields: plain, by: shape.recognized_by(), is_hint_at_odds: false })
        }
        (Some(shape), _) => {
            let event = shape.event(hinted_channel(item))?;
            Ok(Recognized { event, fields: plain, by: shape.recognized_by(), is_hint_at_odds: is_at_odds(event) })
        }
        (None, Some(hint)) => Ok(Recognized {
            event: hint,
            fields: Fields { is_composed: true, ..plain },
            by: "the hint names the event, and the body has no shape of its own",
            is_hint_at_odds: false,
        }),
        (None, None) => Err(unknown()),
    }
}

fn hinted_channel(item: &Item<'_>) -> Option<Channel> {
    item.hints.channel.and_then(|word| ADAPTER.channel_of_hint(word))
}

fn unknown() -> Reject {
    Reject::unknown_event(
        "the body is no event of the catalogue, or does not tell which: set `event` for the source, or its hint header",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(body: &str) -> Marks<'_> {
        serde_json::from_str(body).expect("a body of marks")
    }

    /// Bodies that have only what tells them, and each of them without one of its keys.
    #[test]
    fn keys_tell_the_shape_and_all_of_them_are_needed() {
        for (body, expected) in [
            (r#"{"mobile":"1","status":"s","deliv_time":"t"}"#, Shape::SmsStatus),
            (r#"{"mobile":"1","status":"s","sent_time":"t"}"#, Shape::SmsStatus),
            (r#"{"mobile":"1","status":"s","submit_time":"t"}"#, Shape::SmsStatus),
            (r#"{"mobile":"1","status":"s","deliv_at":"t"}"#, Shape::SmsStatus),
            (r#"{"mobile":"1","status":"s","credits":"1"}"#, Shape::SmsStatus),
            (r#"{"mobile":"1","status":"s","units":1}"#, Shape::SmsStatus),
            (r#"{"bridge":"1","start_at":"t"}"#, Shape::Voice),
            (r#"{"receiver":"1","type":"t","value":"v"}"#, Shape::Unsubscription),
            (r#"{"identity":"1","created_at":"t","updated_at":"t"}"#, Shape::Contact),
            (r#"{"link_id":"1","user_agent":"a"}"#, Shape::LinkVisit),
        ] {
            assert_eq!(marks(body).shape(), Some(expected), "{body}");
            let whole: serde_json::Map<String, serde_json::Value> = serde_json::from_str(body).expect("an object");
            for key in whole.keys() {
                let mut part = whole.clone();
                part.remove(key);
                let part = serde_json::to_string(&part).expect("an object");
                assert_eq!(marks(&part).shape(), None, "{part}");
            }
        }
    }

    #[test]
    fn a_probe_has_a_key_and_a_challenge() {
        let is_probe = |text: &str| {
            let arena = bumpalo::Bump::new();
            let mut ignored = 0;
            let hints = crate::vendors::Hints::default();
            ADAPTER.normalize(text.as_bytes(), &hints, &crate::vendors::Reading::default(), &arena, |normalized| {
                ignored += usize::from(matches!(normalized.outcome, crate::vendors::Outcome::Ignored(_)));
            });
            ignored == 1
        };
        assert!(is_probe(r#"{"validation_key":"1","challenge":"c"}"#));
        assert!(!is_probe(r#"{"validation_key":"1"}"#));
        assert!(!is_probe(r#"{"challenge":"c"}"#));
        assert!(!is_probe(r#"{"custom":"\"validation_key\"","challenge":"c"}"#));
    }
}
