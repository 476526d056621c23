//! Infobip's rows of the catalogue.

use crate::event::{Channel, Meaning, State};
use crate::vendors::Row;

pub const DELIVERY: &str = "DELIVERY";
pub const SEEN: &str = "SEEN";
pub const INBOUND_MESSAGE: &str = "INBOUND_MESSAGE";

const fn delivery(channel: Channel) -> Row {
    Row::new(DELIVERY, channel, "message.status")
}

/// A read receipt is a status of the message.
const fn seen(channel: Channel) -> Row {
    Row::new(SEEN, channel, "message.status").status(Meaning::new(State::Read, true, None))
}

const fn inbound(channel: Channel) -> Row {
    Row::new(INBOUND_MESSAGE, channel, "message.inbound")
}

/// The shape follows the API that sent the message, so one topic can mix them.
const ADAPTIVE: &str = "adaptive.subscription.format";

pub const ROWS: &[Row] = &[
    delivery(Channel::AppleMessages),
    delivery(Channel::Email),
    delivery(Channel::Messenger),
    delivery(Channel::KakaoAlim),
    delivery(Channel::KakaoChingu),
    delivery(Channel::Line),
    delivery(Channel::Push),
    delivery(Channel::Rcs),
    delivery(Channel::Sms),
    delivery(Channel::Mms),
    delivery(Channel::Viber),
    delivery(Channel::Whatsapp),
    delivery(Channel::Zalo),
    delivery(Channel::AppleMessages).format(ADAPTIVE),
    delivery(Channel::AppleMessages).format("delivery.apple-messages-for-business.v3.json"),
    delivery(Channel::AppleMessages).format("delivery.apple-messages-for-business.v4.json"),
    delivery(Channel::Messenger).format(ADAPTIVE),
    delivery(Channel::Messenger).format("delivery.facebook.v5.json"),
    delivery(Channel::Messenger).format("delivery.facebook.v4.json"),
    delivery(Channel::Sms).format(ADAPTIVE),
    delivery(Channel::Sms).format("delivery.sms.v2.json"),
    delivery(Channel::Sms).format("delivery.sms.v3.json"),
    delivery(Channel::Sms).format("delivery.sms.v4.json"),
    delivery(Channel::Sms).format("delivery.sms.v5.json"),
    delivery(Channel::Mms).format(ADAPTIVE),
    delivery(Channel::Mms).format("delivery.mms.v1.json"),
    delivery(Channel::Mms).format("delivery.mms.v3.json"),
    delivery(Channel::Mms).format("delivery.mms.v4.json"),
    seen(Channel::Rcs),
    seen(Channel::Viber),
    seen(Channel::Whatsapp),
    inbound(Channel::Sms),
    inbound(Channel::Whatsapp),
    inbound(Channel::Sms).format("MO_JSON_2"),
    inbound(Channel::Whatsapp).format("MO_OTT_CONTACT"),
    inbound(Channel::Sms).format("inbound-message.sms.v1.json"),
    inbound(Channel::Sms).format("inbound-message.sms.v2.json"),
];
