//! Tells the bodies and records apart: what one says of itself, then what its keys say, then the event hint.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report::Report;
use super::{calls, conversations, events, inbound_chat, inbound_mms, inbound_sms, messages_api, notices, people, rcs, report};
use super::{seen, tracking, voice_report, whatsapp};
use crate::event::{Channel, Event};
use crate::reject::Reject;
use crate::vendors::fields::{Object, Present, Text};
use crate::vendors::{Hints, Item, Row, Scene, json};

/// Reads the record at the beginning of a text. Delivery reports are nearly all of the traffic, so each is first read as
/// one; then what its marks say, which are read in any case.
pub fn read_usual<'a>(text: &'a str, scene: Scene<'a>) -> Option<(Item<'a>, Result<Event<'a>, Reject>)> {
    if let Some((text, report)) = json::parse_first::<Report<'a>>(text)
        && is_report(&report, scene.hints)
    {
        let item = scene.item(text);
        let event = report::normalize(&item, report);
        return Some((item, event));
    }
    let (text, marks) = json::parse_first::<Marks<'a>>(text)?;
    let item = scene.item(text);
    let event = normalize_marked(&item, &marks);
    Some((item, event))
}

/// Reads one record, or one body without results.
pub fn normalize<'a>(item: &Item<'a>) -> Result<Event<'a>, Reject> {
    if let Some(report) = json::parse_strict::<Report<'a>>(item.text)
        && is_report(&report, item.hints)
    {
        return report::normalize(item, report);
    }
    normalize_marked(item, &item.parse(item.text)?)
}

fn is_report(report: &Report<'_>, hints: &Hints<'_>) -> bool {
    report.is_report() && !is_hint(hints.event, LOOKUP)
}

fn normalize_marked<'a>(item: &Item<'a>, marks: &Marks<'a>) -> Result<Event<'a>, Reject> {
    if marks.results.0 {
        return Err(Reject::invalid_shape("/results", "an array of records"));
    }
    match marks.shape(item.hints.event).ok_or_else(untold)? {
        Shape::Conversation(event) => conversations::normalize(item, event),
        Shape::Person(event, channel) => people::normalize(item, event, channel),
        Shape::Call(event) => calls::normalize(item, event),
        Shape::Tracking => tracking::normalize(item),
        Shape::WhatsappTemplate => whatsapp::template(item),
        Shape::RcsTemplate => rcs::template(item),
        Shape::WhatsappNotification => whatsapp::notification(item),
        Shape::SilentVerification => notices::silent_verification(item),
        Shape::MissedCall => calls::missed(item),
        Shape::MaskedCall => calls::masked(item),
        Shape::OpenChannel => notices::open_channel(item),
        Shape::Typing => rcs::typing(item),
        Shape::RcsAccount(event) => rcs::account(item, event),
        Shape::Registration(event) => notices::registration(item, event),
        Shape::Blocklist(event) => notices::blocklist(item, event),
        Shape::MessengerConsent => notices::messenger_consent(item),
        Shape::Lookup => notices::lookup(item),
        Shape::VoiceReport => voice_report::normalize(item),
        Shape::Report => report::normalize(item, item.parse(item.text)?),
        Shape::Seen => seen::normalize(item),
        Shape::MessagesApiSeen => seen::of_messages_api(item),
        Shape::MessagesApiInbound => messages_api::inbound(item),
        Shape::InboundMms => inbound_mms::normalize(item),
        Shape::InboundSms => inbound_sms::normalize(item),
        Shape::InboundChat => inbound_chat::normalize(item),
    }
}

const LOOKUP: &str = "NUMBER_LOOKUP";

/// Neither body nor hint tells an event of the catalogue.
pub fn untold() -> Reject {
    Reject::unknown_event(
        "the body is no event of the catalogue, or does not tell which: set `event` for the source, or its hint header",
    )
}

/// What a body or a record is, with the event that it names itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Conversation(&'static str),
    Person(&'static str, Channel),
    Call(&'static str),
    Tracking,
    WhatsappTemplate,
    RcsTemplate,
    WhatsappNotification,
    SilentVerification,
    MissedCall,
    MaskedCall,
    OpenChannel,
    Typing,
    RcsAccount(&'static str),
    Registration(&'static str),
    Blocklist(&'static str),
    MessengerConsent,
    Lookup,
    VoiceReport,
    Report,
    Seen,
    MessagesApiSeen,
    MessagesApiInbound,
    InboundMms,
    InboundSms,
    InboundChat,
}

/// Keys whose presence tells a shape. Their values are read by the shape's own code.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Marks<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    results: Present,
    channel: Present,
    status: Present,
    seen_at: Present,
    text: Present,
    clean_text: Present,
    from: Present,
    created_at: Present,
    destination: Present,
    mms_count: Present,
    channel_data: Present,
    voice_call: Present,
    call_id: Present,
    conference_id: Present,
    dialog_id: Present,
    calls_configuration_id: Present,
    bulk_id: Present,
    notification_type: Present,
    event_details: Present,
    message_template_id: Present,
    change: Present,
    template_status: Present,
    name: Present,
    capability_check_result: Present,
    code: Present,
    phone_number: Present,
    token: Present,
    result: Present,
    called_number: Present,
    calling_number: Present,
    nm_correlation_id: Present,
    original_network: Present,
    ported: Present,
    roaming: Present,
    #[serde(rename = "servingMSC")]
    serving_msc: Present,
    imsi: Present,
}

/// Keys of a price that tell a voice message.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PriceMarks {
    price_per_second: Present,
}

/// The key that tells an Open Channel message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MessageMarks {
    body: Present,
}

impl Marks<'_> {
    /// The first rule that fits decides; the hint only where none fits. `None`: nothing that is in the catalogue.
    fn shape(&self, event_hint: Option<&str>) -> Option<Shape> {
        if let Some(shape) = self.body_shape() {
            return shape;
        }
        if let Some(event) = self.event {
            return self.named_shape(event);
        }
        if self.seen_at.0 {
            return Some(Shape::Seen);
        }
        if self.status.0 {
            return Some(match () {
                () if self.is_lookup() || is_hint(event_hint, LOOKUP) => Shape::Lookup,
                () if self.voice_call.0 || self.has_price_per_second() => Shape::VoiceReport,
                () => Shape::Report,
            });
        }
        let first_byte = self.message.map(|message| message.get().as_bytes()[0]);
        match first_byte {
            Some(b'[') => return Some(Shape::InboundMms),
            Some(b'{') => return Some(Shape::InboundChat),
            Some(_) if self.mms_count.0 => return Some(Shape::InboundMms),
            Some(_) => return None,
            None => {}
        }
        if self.channel_data.0 {
            return Some(Shape::MessengerConsent);
        }
        if self.is_lookup() {
            return Some(Shape::Lookup);
        }
        if self.content.is_none() && (self.text.0 || self.clean_text.0) && self.from.0 {
            return Some(Shape::InboundSms);
        }
        match event_hint? {
            _ if self.content.is_some() => None,
            hint if hint.eq_ignore_ascii_case(events::DELIVERY) => Some(Shape::Report),
            hint if hint.eq_ignore_ascii_case(events::SEEN) => Some(Shape::Seen),
            hint if hint.eq_ignore_ascii_case(LOOKUP) => Some(Shape::Lookup),
            hint if hint.eq_ignore_ascii_case("NUMBER_MASKING") => Some(Shape::MaskedCall),
            _ => None,
        }
    }

    /// Shapes of bodies without results. The inner `None`: known, and not in the catalogue.
    fn body_shape(&self) -> Option<Option<Shape>> {
        if let Some(kind) = self.kind.and_then(text) {
            if self.payload.is_some_and(|payload| payload.get().starts_with('{')) {
                return Some(engagement(kind.as_str()));
            }
            let ids = [self.call_id, self.conference_id, self.dialog_id, self.calls_configuration_id, self.bulk_id];
            if ids.contains(&Present(true)) {
                return Some(named_row(kind.as_str(), &["call", "conference", "dialog"]).map(|row| Shape::Call(row.event)));
            }
        }
        Some(Some(match () {
            () if self.notification_type.0 => Shape::Tracking,
            () if self.event_details.0 || self.capability_check_result.0 => return Some(None),
            () if self.message_template_id.0 && self.change.0 => Shape::WhatsappTemplate,
            () if self.template_status.0 && self.name.0 => Shape::RcsTemplate,
            () if self.from.0 && self.created_at.0 && is_object(self.content) => Shape::WhatsappNotification,
            () if self.code.0 && self.phone_number.0 => return Some(None),
            () if self.token.0 && self.result.0 => Shape::SilentVerification,
            () if self.token.0 => return Some(None),
            () if self.called_number.0 && self.calling_number.0 => Shape::MissedCall,
            () if self.nm_correlation_id.0 => Shape::MaskedCall,
            () if self.destination.0 && self.event.is_none() && self.has_message_body() => Shape::OpenChannel,
            () => return None,
        }))
    }

    /// Shapes of records that name their event.
    fn named_shape(&self, event: &RawValue) -> Option<Shape> {
        if event.get().starts_with('{') {
            let kind = json::parse_strict::<Object<Live<'_>>>(event.get()).and_then(|Object(live)| live.kind);
            return kind.filter(|kind| kind.as_str() == "TYPING_INDICATOR").map(|_| Shape::Typing);
        }
        let event = text(event)?;
        let word = event.as_str().to_ascii_uppercase();
        if self.channel.0 {
            return match word.as_str() {
                "DELIVERY" => Some(Shape::Report),
                "SEEN" => Some(Shape::MessagesApiSeen),
                "MO" | "TYPING_STARTED" | "TYPING_STOPPED" => Some(Shape::MessagesApiInbound),
                "SUBSCRIBE" | "UNSUBSCRIBE" => Some(Shape::MessengerConsent),
                _ => None,
            };
        }
        match word.as_str() {
            "RCS_SENDER_STATUS_UPDATE" => Some(Shape::RcsAccount("SENDER_UPDATE")),
            "RCS_TEST_NUMBER_STATUS_UPDATE" => Some(Shape::RcsAccount("TEST_NUMBER_UPDATE")),
            "SUBSCRIBE" | "UNSUBSCRIBE" if self.channel_data.0 => Some(Shape::MessengerConsent),
            "BLOCK" => Some(Shape::Blocklist("BLOCK")),
            "UNBLOCK" => Some(Shape::Blocklist("UNBLOCK")),
            word => named_row(word, &["registration"]).map(|row| Shape::Registration(row.event)),
        }
    }

    /// A number look-up has a status too, of the look-up.
    fn is_lookup(&self) -> bool {
        self.original_network.0 || self.ported.0 || self.roaming.0 || self.serving_msc.0 || self.imsi.0
    }

    fn has_price_per_second(&self) -> bool {
        let marks = self.price.and_then(|price| json::parse_strict::<Object<PriceMarks>>(price.get()));
        marks.is_some_and(|Object(marks)| marks.price_per_second.0)
    }

    fn has_message_body(&self) -> bool {
        let marks = self.message.and_then(|message| json::parse_strict::<Object<MessageMarks>>(message.get()));
        marks.is_some_and(|Object(marks)| marks.body.0)
    }
}

/// The event of a live chat stands one level deeper than elsewhere.
#[derive(Debug, Deserialize)]
struct Live<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
}

/// The event of customer engagement that a body's `type` names.
fn engagement(word: &str) -> Option<Shape> {
    let name = conversations::event_of(word);
    let row = named_row(name, &["conversation", "profile", "web"])?;
    Some(match row.event_type.family() {
        "conversation" => Shape::Conversation(row.event),
        _ => Shape::Person(row.event, row.channel),
    })
}

/// The row of an event that a body names itself, of one of these families.
fn named_row(name: &str, families: &[&str]) -> Option<&'static Row> {
    events::ROWS.iter().find(|row| row.event == name && families.contains(&row.event_type.family()))
}

fn text(raw: &RawValue) -> Option<Text<'_>> {
    raw.get().starts_with('"').then(|| json::parse_strict(raw.get())).flatten()
}

fn is_object(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| raw.get().starts_with('{'))
}

fn is_hint(hint: Option<&str>, event: &str) -> bool {
    hint.is_some_and(|hint| hint.eq_ignore_ascii_case(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(body: &str, hint: Option<&str>) -> Option<Shape> {
        serde_json::from_str::<Marks<'_>>(body).expect("a body of marks").shape(hint)
    }

    /// Bodies that have only what tells them, and those that lack a part of it.
    #[test]
    fn keys_tell_the_shape() {
        for (body, expected) in [
            (r#"{"notificationType":"CLICKED","status":{}}"#, Some(Shape::Tracking)),
            (r#"{"eventDetails":{},"status":{}}"#, None),
            (r#"{"capabilityCheckResult":{},"status":{}}"#, None),
            (r#"{"messageTemplateId":1,"change":{}}"#, Some(Shape::WhatsappTemplate)),
            (r#"{"messageTemplateId":1,"status":{}}"#, Some(Shape::Report)),
            (r#"{"change":{},"status":{}}"#, Some(Shape::Report)),
            (r#"{"templateStatus":"APPROVED","name":"n"}"#, Some(Shape::RcsTemplate)),
            (r#"{"templateStatus":"APPROVED","status":{}}"#, Some(Shape::Report)),
            (r#"{"name":"n","status":{}}"#, Some(Shape::Report)),
            (r#"{"from":"1","createdAt":"t","content":{}}"#, Some(Shape::WhatsappNotification)),
            (r#"{"from":"1","createdAt":"t","content":[],"text":"x"}"#, None),
            (r#"{"from":"1","createdAt":"t","text":"x"}"#, Some(Shape::InboundSms)),
            (r#"{"createdAt":"t","content":{},"status":{}}"#, Some(Shape::Report)),
            (r#"{"from":"1","content":{},"status":{}}"#, Some(Shape::Report)),
            (r#"{"code":"1","phoneNumber":"1","status":{}}"#, None),
            (r#"{"code":"1","status":{}}"#, Some(Shape::Report)),
            (r#"{"phoneNumber":"1","status":{}}"#, Some(Shape::Report)),
            (r#"{"token":"1","result":"x"}"#, Some(Shape::SilentVerification)),
            (r#"{"token":"1","status":{}}"#, None),
            (r#"{"result":"x","status":{}}"#, Some(Shape::Report)),
            (r#"{"calledNumber":"1","callingNumber":"2"}"#, Some(Shape::MissedCall)),
            (r#"{"calledNumber":"1","status":{}}"#, Some(Shape::Report)),
            (r#"{"callingNumber":"1","status":{}}"#, Some(Shape::Report)),
            (r#"{"nmCorrelationId":"1","status":{}}"#, Some(Shape::MaskedCall)),
            (r#"{"destination":"1","message":{"body":"x"}}"#, Some(Shape::OpenChannel)),
            (r#"{"destination":"1","message":{}}"#, Some(Shape::InboundChat)),
            (r#"{"destination":"1","message":"x"}"#, None),
            (r#"{"message":{"body":"x"}}"#, Some(Shape::InboundChat)),
            (r#"{"destination":"1","event":"BLOCK","message":{"body":"x"}}"#, Some(Shape::Blocklist("BLOCK"))),
            (r#"{"seenAt":"t","status":{}}"#, Some(Shape::Seen)),
            (r#"{"status":{}}"#, Some(Shape::Report)),
            (r#"{"status":{},"voiceCall":{}}"#, Some(Shape::VoiceReport)),
            (r#"{"status":{},"price":{"pricePerSecond":1}}"#, Some(Shape::VoiceReport)),
            (r#"{"status":{},"price":{"pricePerMessage":1}}"#, Some(Shape::Report)),
            (r#"{"message":[]}"#, Some(Shape::InboundMms)),
            (r#"{"message":"x","mmsCount":1}"#, Some(Shape::InboundMms)),
            (r#"{"message":"x","from":"1","text":"x"}"#, None),
            (r#"{"channelData":{}}"#, Some(Shape::MessengerConsent)),
            (r#"{"from":"1","text":"x"}"#, Some(Shape::InboundSms)),
            (r#"{"from":"1","cleanText":"x"}"#, Some(Shape::InboundSms)),
            (r#"{"from":"1"}"#, None),
            (r#"{"text":"x"}"#, None),
            (r#"{"from":"1","text":"x","content":[]}"#, None),
        ] {
            assert_eq!(shape(body, None), expected, "{body}");
        }
        for mark in ["originalNetwork", "ported", "roaming", "servingMSC", "imsi"] {
            for rest in ["", r#","status":{}"#] {
                let body = format!(r#"{{"{mark}":false{rest}}}"#);
                assert_eq!(shape(&body, None), Some(Shape::Lookup), "{body}");
            }
        }
    }

    #[test]
    fn a_named_event_tells_the_shape_with_or_without_a_channel() {
        for (event, with_channel, without) in [
            ("DELIVERY", Some(Shape::Report), None),
            ("Seen", Some(Shape::MessagesApiSeen), None),
            ("MO", Some(Shape::MessagesApiInbound), None),
            ("TYPING_STARTED", Some(Shape::MessagesApiInbound), None),
            ("TYPING_STOPPED", Some(Shape::MessagesApiInbound), None),
            ("SUBSCRIBE", Some(Shape::MessengerConsent), None),
            ("UNSUBSCRIBE", Some(Shape::MessengerConsent), None),
            ("RCS_SENDER_STATUS_UPDATE", None, Some(Shape::RcsAccount("SENDER_UPDATE"))),
            ("RCS_TEST_NUMBER_STATUS_UPDATE", None, Some(Shape::RcsAccount("TEST_NUMBER_UPDATE"))),
            ("BLOCK", None, Some(Shape::Blocklist("BLOCK"))),
            ("UNBLOCK", None, Some(Shape::Blocklist("UNBLOCK"))),
            ("FAX_SENT", None, None),
        ] {
            let named = shape(&format!(r#"{{"event":"{event}","channel":"SMS"}}"#), None);
            assert_eq!(named, with_channel, "{event} with a channel");
            assert_eq!(shape(&format!(r#"{{"event":"{event}"}}"#), None), without, "{event} without one");
        }
        for event in ["SUBSCRIBE", "UNSUBSCRIBE"] {
            let body = format!(r#"{{"event":"{event}","channelData":{{}}}}"#);
            assert_eq!(shape(&body, None), Some(Shape::MessengerConsent), "{body}");
        }
    }

    /// The event hint decides where the body says nothing, and only there.
    #[test]
    fn a_hint_decides_what_the_body_leaves_open() {
        for (hint, expected) in [
            ("delivery", Some(Shape::Report)),
            ("Seen", Some(Shape::Seen)),
            ("number_lookup", Some(Shape::Lookup)),
            ("NUMBER_MASKING", Some(Shape::MaskedCall)),
            ("fax", None),
        ] {
            assert_eq!(shape("{}", Some(hint)), expected, "{hint}");
            assert_eq!(shape(r#"{"content":[]}"#, Some(hint)), None, "{hint} with a content");
            assert_eq!(shape(r#"{"seenAt":"t"}"#, Some(hint)), Some(Shape::Seen), "{hint} with a time of reading");
        }
        assert_eq!(shape("{}", None), None);
        assert_eq!(shape(r#"{"status":{}}"#, Some("number_lookup")), Some(Shape::Lookup));
        assert_eq!(shape(r#"{"status":{}}"#, Some("seen")), Some(Shape::Report));
    }
}
