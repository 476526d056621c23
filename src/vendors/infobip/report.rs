//! Delivery reports in all their shapes: the common report, failover, legacy, Messages API, e-mail, WhatsApp, RCS, Zalo.
//!
//! The shapes differ in a few keys, so one struct reads them all. Only the status's words are required: bodies seen lack
//! almost anything else.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::status::{Failure, Status};
use super::{Told, channels, events, voice_report};
use crate::event::{self, Channel, Contact, Cost, Event, Message};
use crate::reject::Reject;
use crate::vendors::Item;
use crate::vendors::fields::{self, Count, Object, Present, Text, any, text};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'a> {
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    channel: Option<Text<'a>>,
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow)]
    bulk_id: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    destination: Option<Text<'a>>,
    #[serde(borrow)]
    from: Option<Text<'a>>,
    #[serde(borrow)]
    sender: Option<Text<'a>>,
    #[serde(borrow)]
    sent_at: Option<Text<'a>>,
    #[serde(borrow)]
    done_at: Option<Text<'a>>,
    message_count: Option<Count>,
    sms_count: Option<Count>,
    mms_count: Option<Count>,
    #[serde(borrow)]
    mcc_mnc: Option<Text<'a>>,
    #[serde(borrow)]
    price: Option<Object<Price<'a>>>,
    #[serde(borrow)]
    status: Option<Object<Status<'a>>>,
    #[serde(borrow)]
    error: Option<Object<Failure<'a>>>,
    #[serde(borrow)]
    callback_data: Option<&'a RawValue>,
    #[serde(borrow)]
    platform: Option<Object<Platform<'a>>>,
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
    #[serde(borrow)]
    campaign_reference_id: Option<Text<'a>>,
    #[serde(borrow)]
    contact: Option<Object<Profile<'a>>>,
    #[serde(borrow)]
    conversation: Option<Object<Conversation<'a>>>,
    #[serde(borrow)]
    interaction_type: Option<Text<'a>>,
    #[serde(borrow)]
    device_details: Option<&'a RawValue>,
    #[serde(borrow)]
    network_id: Option<Text<'a>>,
    #[serde(borrow)]
    smtp: Option<Object<Smtp<'a>>>,
    #[serde(borrow)]
    sending_ip: Option<Text<'a>>,
    #[serde(borrow)]
    browser_link: Option<Text<'a>>,
    #[serde(borrow)]
    attempt_count: Option<Text<'a>>,
    #[serde(borrow)]
    time_to_first_attempt: Option<Text<'a>>,
    // Marks of records that have a status too, but are no such report.
    #[serde(default)]
    voice_call: Present,
    #[serde(default)]
    seen_at: Present,
    #[serde(default)]
    nm_correlation_id: Present,
    #[serde(default)]
    original_network: Present,
    #[serde(default)]
    ported: Present,
    #[serde(default)]
    roaming: Present,
    #[serde(default, rename = "servingMSC")]
    serving_msc: Present,
    #[serde(default)]
    imsi: Present,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Price<'a> {
    #[serde(borrow)]
    price_per_message: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<Text<'a>>,
    #[serde(borrow)]
    traffic_type: Option<Text<'a>>,
    #[serde(default)]
    price_per_second: Present,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Platform<'a> {
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
}

/// The person as WhatsApp knows them. Who hides the number behind a user name has only the ids.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    phone_number: Option<Text<'a>>,
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
    #[serde(borrow)]
    parent_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    username: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conversation<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    can_initiate: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Smtp<'a> {
    #[serde(borrow)]
    response: Option<Text<'a>>,
}

impl Report<'_> {
    /// Whether the record is a delivery report and nothing else with a status.
    pub fn is_report(&self) -> bool {
        let is_delivery = self.event.as_ref().is_none_or(|event| event.as_str().eq_ignore_ascii_case(events::DELIVERY));
        let is_other = [
            self.voice_call,
            self.seen_at,
            self.nm_correlation_id,
            self.original_network,
            self.ported,
            self.roaming,
            self.serving_msc,
            self.imsi,
            self.price.as_ref().map(|price| price.0.price_per_second).unwrap_or_default(),
        ];
        self.status.is_some()
            && is_delivery
            && (self.event.is_none() || self.channel.is_some())
            && !is_other.contains(&Present(true))
    }

    /// The published shape. The Messages API names its event; a channel without it is a failover report, or a leg of one.
    fn shape(&self) -> Shape {
        let has_sender = self.sender.is_some() || self.platform.is_some();
        match (&self.event, &self.channel) {
            (Some(_), _) => Shape::MessagesApi,
            (None, Some(_)) if has_sender || self.conversation.is_some() => Shape::FailoverLeg,
            (None, Some(_)) => Shape::Failover,
            _ if self.has_mail_marks() => Shape::Email,
            _ if self.has_rcs_marks() => Shape::Rcs,
            _ if self.contact.is_some() => Shape::Whatsapp,
            _ if self.mms_count.is_some() => Shape::MmsLegacy,
            _ if self.sms_count.is_some() => Shape::Legacy,
            _ if self.message_count.is_some() && has_sender => Shape::Common,
            _ => Shape::Minimal,
        }
    }

    fn has_mail_marks(&self) -> bool {
        self.smtp.is_some()
            || self.browser_link.is_some()
            || self.sending_ip.is_some()
            || self.time_to_first_attempt.is_some()
            || self.to.as_ref().is_some_and(|to| fields::is_mail(to.as_str()))
    }

    fn has_rcs_marks(&self) -> bool {
        self.conversation.is_some()
            || self.interaction_type.is_some()
            || self.price.as_ref().is_some_and(|price| price.0.traffic_type.is_some())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    MessagesApi,
    FailoverLeg,
    Failover,
    Email,
    Rcs,
    Whatsapp,
    MmsLegacy,
    Legacy,
    Common,
    Minimal,
}

impl Shape {
    fn told(self, channel: Option<&str>) -> Result<Told, Reject> {
        Ok(match (self, channel) {
            (_, Some(word)) => channels::told_by(word, "/channel")?,
            (Self::Email, None) => Told::Is(Channel::Email),
            (Self::Rcs, None) => Told::Is(Channel::Rcs),
            (Self::Whatsapp, None) => Told::Is(Channel::Whatsapp),
            (Self::MmsLegacy, None) => Told::Is(Channel::Mms),
            _ => Told::Nothing,
        })
    }

    /// The published name of the shape on a channel.
    fn format(self, channel: Channel) -> Option<&'static str> {
        Some(match (self, channel) {
            (Self::MessagesApi, Channel::Sms) => "delivery.sms.v5.json",
            (Self::MessagesApi, Channel::Mms) => "delivery.mms.v3.json",
            (Self::MessagesApi, Channel::AppleMessages) => "delivery.apple-messages-for-business.v4.json",
            (Self::MessagesApi, Channel::Messenger) => "delivery.facebook.v5.json",
            (Self::Failover, Channel::Sms) => "delivery.sms.v2.json",
            (Self::Legacy, Channel::Sms) => "delivery.sms.v3.json",
            (Self::Legacy, Channel::Mms) => "delivery.mms.v1.json",
            (Self::Common, Channel::Sms) => "delivery.sms.v4.json",
            (Self::Common, Channel::Mms) => "delivery.mms.v4.json",
            (Self::Common, Channel::AppleMessages) => "delivery.apple-messages-for-business.v3.json",
            (Self::Common, Channel::Messenger) => "delivery.facebook.v4.json",
            _ => return None,
        })
    }

    fn recognized_by(self) -> &'static str {
        match self {
            Self::MessagesApi => "delivery report of the Messages API: `event` and `channel` say so",
            Self::FailoverLeg => "leg of a failover: `status` and `channel` beside sender, platform or conversation",
            Self::Failover => "failover report: `status` and `channel`",
            Self::Email => "e-mail report: `status` beside an e-mail's fields or a mail address in `to`",
            Self::Rcs => "RCS report: `status` beside conversation, interactionType or price.trafficType",
            Self::Whatsapp => "WhatsApp report: `status` beside `contact`",
            Self::MmsLegacy => "MMS report: `status` and `mmsCount`",
            Self::Legacy => "legacy report: `status` and `smsCount`; the channel is the hint's",
            Self::Common => "common report: `status`, `messageCount` and sender or platform; the channel is the hint's",
            Self::Minimal => "report: `status`; the channel is the hint's",
        }
    }
}

pub fn normalize<'a>(item: &Item<'a>, report: Report<'a>) -> Result<Event<'a>, Reject> {
    let shape = report.shape();
    let is_told = shape.told(report.channel.as_ref().map(Text::as_str))? != Told::Nothing;
    let hinted = item.hints.channel.and_then(|word| super::ADAPTER.channel_of_hint(word));
    if !is_told && hinted == Some(Channel::Voice) {
        // A call that never began has none of a call's fields; its report has other times than a message's.
        return voice_report::normalize(item);
    }
    let Report {
        event: _,
        channel,
        message_id,
        bulk_id,
        to,
        destination,
        from,
        sender,
        sent_at,
        done_at,
        message_count,
        sms_count,
        mms_count,
        mcc_mnc,
        price,
        status,
        error,
        callback_data,
        platform,
        entity_id,
        application_id,
        campaign_reference_id,
        contact,
        conversation,
        interaction_type,
        device_details,
        network_id,
        smtp,
        sending_ip,
        browser_link,
        attempt_count,
        time_to_first_attempt,
        voice_call: _,
        seen_at: _,
        nm_correlation_id: _,
        original_network: _,
        ported: _,
        roaming: _,
        serving_msc: _,
        imsi: _,
    } = report;
    let arena = item.arena;
    let status = status
        .map(|Object(status)| status)
        .filter(|status| !status.is_wordless())
        .ok_or_else(|| Reject::invalid_shape("/status", "a status with groupId, groupName, id or name"))?;

    let channel = text(channel, arena);
    let (_, mut event) = super::event(item, events::DELIVERY, shape.told(channel)?)?;
    event.vendor_format = shape.format(event.channel);
    event.recognized_by = shape.recognized_by();
    let printed_time = text(done_at, arena);
    item.occurred(&mut event, "/doneAt", printed_time)?;

    let recipient = text(to, arena).or(text(destination, arena));
    event.contact = person(item, &mut event, recipient, contact);
    event.business = item.business(event.channel, text(sender, arena).or(text(from, arena)));
    let platform = Ids::of(item, platform, entity_id, application_id);
    let (conversation_id, can_initiate) = conversation_ids(item, conversation);
    let message = Message {
        message_id: text(message_id, arena),
        bulk_id: text(bulk_id, arena),
        reference: any(callback_data, arena),
        conversation_id,
        campaign_id: text(campaign_reference_id, arena),
        application_id: platform.application_id,
        entity_id: platform.entity_id,
        parts: message_count.or(sms_count).or(mms_count).map(|count| count.0),
        network: text(mcc_mnc, arena),
        ..Message::default()
    };
    event.cost = price.and_then(|price| cost(item, &mut event, price));

    let attributes = &mut event.attributes;
    attributes.put("channel", channel);
    attributes.put("sentAt", text(sent_at, arena));
    attributes.put("conversation.canInitiate", can_initiate);
    attributes.put("interactionType", text(interaction_type, arena));
    attributes.put("deviceDetails", any(device_details, arena));
    attributes.put("networkId", text(network_id, arena));
    attributes.put("smtp.response", smtp.and_then(|Object(smtp)| text(smtp.response, arena)));
    attributes.put("sendingIp", text(sending_ip, arena));
    attributes.put("browserLink", text(browser_link, arena));
    attributes.put("attemptCount", text(attempt_count, arena));
    attributes.put("timeToFirstAttempt", text(time_to_first_attempt, arena));
    set_status(item, &mut event, status, error);

    if message.message_id.is_some() {
        let words = event.status.as_ref().map(|status| (status.vendor_group, status.vendor_code, status.vendor_name));
        let (group, code, name) = words.unwrap_or_default();
        item.identify(&mut event, &[message.message_id, group, code, name, printed_time, recipient]);
    }
    event.message = message.given();
    Ok(event)
}

pub fn set_status<'a>(item: &Item<'a>, event: &mut Event<'a>, status: Status<'a>, error: Option<Object<Failure<'a>>>) {
    let arena = item.arena;
    let meaning = status.meaning();
    event.has_unlisted_status = meaning.is_none();
    let Status { group_id, group_name, id, name, description, action } = status;
    let mut group = event::Status {
        vendor_code: fields::printed(id, arena),
        vendor_name: fields::printed(name, arena),
        vendor_group: fields::printed(group_name, arena),
        description: fields::printed(description, arena),
        ..event::Status::new(meaning.unwrap_or(event::Meaning::UNLISTED))
    };
    let attributes = &mut event.attributes;
    attributes.put("status.groupId", group_id.map(|Count(number)| bumpalo::format!(in arena, "{}", number).into_bump_str()));
    attributes.put("status.action", text(action, arena));
    if let Some(Object(Failure { group_id, group_name, id, name, description, permanent })) = error {
        group.error_code = fields::printed(id, arena);
        group.error_name = fields::printed(name, arena);
        group.is_permanent = permanent.map(|flag| flag.0);
        attributes.put("error.groupId", text(group_id, arena));
        attributes.put("error.groupName", text(group_name, arena));
        attributes.put("error.description", text(description, arena));
    }
    event.status = Some(group);
}

/// RCS: the conversation, and whether the message could begin one.
fn conversation_ids<'a>(item: &Item<'a>, conversation: Option<Object<Conversation<'a>>>) -> (Option<&'a str>, Option<&'a str>) {
    let Some(Object(Conversation { id, can_initiate })) = conversation else { return (None, None) };
    (text(id, item.arena), any(can_initiate, item.arena))
}

/// Sender's application and entity, nested in newer bodies and beside the rest in older ones.
struct Ids<'a> {
    application_id: Option<&'a str>,
    entity_id: Option<&'a str>,
}

impl<'a> Ids<'a> {
    fn of(
        item: &Item<'a>,
        platform: Option<Object<Platform<'a>>>,
        entity_id: Option<Text<'a>>,
        application_id: Option<Text<'a>>,
    ) -> Self {
        let (nested_entity, nested_application) =
            platform.map_or((None, None), |Object(platform)| (platform.entity_id, platform.application_id));
        Self {
            application_id: text(nested_application, item.arena).or(text(application_id, item.arena)),
            entity_id: text(nested_entity, item.arena).or(text(entity_id, item.arena)),
        }
    }
}

/// The person, from the record's own field and from what WhatsApp adds.
fn person<'a>(
    item: &Item<'a>,
    event: &mut Event<'a>,
    printed: Option<&'a str>,
    profile: Option<Object<Profile<'a>>>,
) -> Option<Contact<'a>> {
    let arena = item.arena;
    let Some(Object(Profile { name, phone_number, user_id, parent_user_id, username })) = profile else {
        return item.contact(event.channel, printed);
    };
    let phone_number = text(phone_number, arena);
    let user_id = text(user_id, arena);
    event.attributes.put("contact.parentUserId", text(parent_user_id, arena));
    event.attributes.put("contact.username", text(username, arena));
    event.attributes.put("contact.phoneNumber", phone_number.filter(|_| printed.is_some()));
    let address = printed.or(phone_number).or(user_id);
    let mut contact = item.contact(event.channel, address).unwrap_or_default();
    contact.profile_id = user_id;
    contact.display_name = text(name, arena);
    Some(contact)
}

/// What one message costs; the digits stay as printed.
fn cost<'a>(item: &Item<'a>, event: &mut Event<'a>, price: Object<Price<'a>>) -> Option<Cost<'a>> {
    let Object(Price { price_per_message, currency, traffic_type, price_per_second: _ }) = price;
    event.attributes.put("price.trafficType", text(traffic_type, item.arena));
    let amount = any(price_per_message, item.arena)?;
    Some(Cost { amount: Some(amount), currency: text(currency, item.arena), units: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(body: &str) -> Report<'_> {
        serde_json::from_str(body).expect("a report")
    }

    #[test]
    fn a_status_without_the_marks_of_something_else_is_a_report() {
        for body in [
            r#"{"status":{}}"#,
            r#"{"status":{},"channel":"SMS"}"#,
            r#"{"status":{},"channel":"SMS","event":"delivery"}"#,
            r#"{"status":{},"price":{"pricePerMessage":1}}"#,
        ] {
            assert!(report(body).is_report(), "{body}");
        }
        for body in [
            r#"{}"#,
            r#"{"channel":"SMS","event":"DELIVERY"}"#,
            r#"{"status":{},"event":"DELIVERY"}"#,
            r#"{"status":{},"channel":"SMS","event":"SEEN"}"#,
            r#"{"status":{},"voiceCall":{}}"#,
            r#"{"status":{},"seenAt":"t"}"#,
            r#"{"status":{},"nmCorrelationId":"1"}"#,
            r#"{"status":{},"originalNetwork":{}}"#,
            r#"{"status":{},"ported":false}"#,
            r#"{"status":{},"roaming":false}"#,
            r#"{"status":{},"servingMSC":"1"}"#,
            r#"{"status":{},"imsi":"1"}"#,
            r#"{"status":{},"price":{"pricePerSecond":1}}"#,
        ] {
            assert!(!report(body).is_report(), "{body}");
        }
    }

    #[test]
    fn keys_tell_the_published_shape() {
        for (body, expected) in [
            (r#"{"event":"DELIVERY","channel":"SMS"}"#, Shape::MessagesApi),
            (r#"{"channel":"SMS"}"#, Shape::Failover),
            (r#"{"channel":"SMS","sender":"s"}"#, Shape::FailoverLeg),
            (r#"{"channel":"SMS","platform":{}}"#, Shape::FailoverLeg),
            (r#"{"channel":"SMS","conversation":{}}"#, Shape::FailoverLeg),
            (r#"{"smtp":{}}"#, Shape::Email),
            (r#"{"browserLink":"l"}"#, Shape::Email),
            (r#"{"sendingIp":"1.2.3.4"}"#, Shape::Email),
            (r#"{"timeToFirstAttempt":"1"}"#, Shape::Email),
            (r#"{"to":"a@b.example"}"#, Shape::Email),
            (r#"{"to":"491700000001"}"#, Shape::Minimal),
            (r#"{"conversation":{}}"#, Shape::Rcs),
            (r#"{"interactionType":"i"}"#, Shape::Rcs),
            (r#"{"price":{"trafficType":"t"}}"#, Shape::Rcs),
            (r#"{"price":{}}"#, Shape::Minimal),
            (r#"{"contact":{}}"#, Shape::Whatsapp),
            (r#"{"mmsCount":1}"#, Shape::MmsLegacy),
            (r#"{"smsCount":1}"#, Shape::Legacy),
            (r#"{"messageCount":1,"sender":"s"}"#, Shape::Common),
            (r#"{"messageCount":1}"#, Shape::Minimal),
            (r#"{"sender":"s"}"#, Shape::Minimal),
        ] {
            assert_eq!(report(body).shape(), expected, "{body}");
        }
    }
}
