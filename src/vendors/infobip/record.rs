//! Tells the records apart: what a record says of itself, then what its keys say, then the event hint.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report::Report;
use super::{events, inbound_chat, inbound_sms, messages_api, report, seen};
use crate::event::Event;
use crate::reject::Reject;
use crate::vendors::fields::Present;
use crate::vendors::{Item, json};

/// Reads one record. Delivery reports are nearly all of the traffic, so a record is first read as one.
pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    if let Some(report) = json::parse_strict::<Report<'a>>(item.text)
        && report.is_report()
    {
        return report::normalize(item, report);
    }
    let marks: Marks<'a> = item.parse(item.text)?;
    if marks.results.0 {
        return Err(Reject::invalid_shape("/results", "an array of records"));
    }
    match marks.shape(item.hints.event) {
        Some(Shape::Report) => report::normalize(item, item.parse(item.text)?),
        Some(Shape::Seen) => seen::normalize(item, item.parse(item.text)?),
        Some(Shape::MessagesApiSeen) => messages_api::seen(item, item.parse(item.text)?),
        Some(Shape::MessagesApiInbound) => messages_api::inbound(item, item.parse(item.text)?),
        Some(Shape::InboundSms) => inbound_sms::normalize(item, item.parse(item.text)?),
        Some(Shape::InboundChat) => inbound_chat::normalize(item, item.parse(item.text)?),
        None => Err(Reject::unknown_event(
            "the body is no event of the catalogue, or does not tell which: set `event` for the source, or its hint header",
        )),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Report,
    Seen,
    MessagesApiSeen,
    MessagesApiInbound,
    InboundSms,
    InboundChat,
}

/// Keys whose presence tells a shape. Their values are read by the shape's own struct.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Marks<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    results: Present,
    channel: Present,
    status: Present,
    seen_at: Present,
    text: Present,
    clean_text: Present,
    from: Present,
    voice_call: Present,
    nm_correlation_id: Present,
    payload: Present,
    original_network: Present,
    ported: Present,
    roaming: Present,
    #[serde(rename = "servingMSC")]
    serving_msc: Present,
    imsi: Present,
}

impl Marks<'_> {
    /// The first rule that fits decides; the hint only where none fits. `None`: no shape that is read here.
    fn shape(&self, event_hint: Option<&str>) -> Option<Shape> {
        let starts_with = |value: Option<&RawValue>, byte: u8| value.is_some_and(|raw| raw.get().as_bytes()[0] == byte);
        if let Some(event) = self.event {
            let is = |word: &str| event.get().trim_matches('"').eq_ignore_ascii_case(word);
            return match () {
                () if !self.channel.0 => None,
                () if is("DELIVERY") => Some(Shape::Report),
                () if is("SEEN") => Some(Shape::MessagesApiSeen),
                () if is("MO") => Some(Shape::MessagesApiInbound),
                () => None,
            };
        }
        if self.seen_at.0 {
            return Some(Shape::Seen);
        }
        if self.nm_correlation_id.0 || self.payload.0 || self.voice_call.0 || self.is_lookup() {
            return None;
        }
        if self.status.0 {
            return Some(Shape::Report);
        }
        if starts_with(self.message, b'{') {
            return Some(Shape::InboundChat);
        }
        if self.message.is_none() && self.content.is_none() && (self.text.0 || self.clean_text.0) && self.from.0 {
            return Some(Shape::InboundSms);
        }
        if self.message.is_some() || self.content.is_some() {
            return None;
        }
        match event_hint? {
            hint if hint.eq_ignore_ascii_case(events::DELIVERY) => Some(Shape::Report),
            hint if hint.eq_ignore_ascii_case(events::SEEN) => Some(Shape::Seen),
            _ => None,
        }
    }

    /// A number look-up has a status too, of the look-up.
    fn is_lookup(&self) -> bool {
        self.original_network.0 || self.ported.0 || self.roaming.0 || self.serving_msc.0 || self.imsi.0
    }
}
