//! MOBtexting's rows of the catalogue.

use crate::event::Channel;
use crate::vendors::Row;

pub const SMS_STATUS: &str = "sms:message:status";
pub const VOICE_OUT: &str = "voice:message:out";
pub const CONTACT: &str = "contacts:subscriber:subscription";
pub const LINK_VISIT: &str = "link:visit";

const OPTED_OUT: &[(&str, &str)] = &[("consent_state", "OPTED_OUT")];

const fn status(event: &'static str, channel: Channel) -> Row {
    Row::new(event, channel, "message.status")
}

const fn inbound(event: &'static str, channel: Channel) -> Row {
    Row::new(event, channel, "message.inbound")
}

const fn unsubscription(event: &'static str, channel: Channel) -> Row {
    Row::new(event, channel, "consent.opt_out").attributes(OPTED_OUT)
}

pub const ROWS: &[Row] = &[
    status(SMS_STATUS, Channel::Sms),
    unsubscription("sms:unsubscription", Channel::Sms),
    inbound("whatsapp:message:in", Channel::Whatsapp),
    status("whatsapp:message:status", Channel::Whatsapp),
    unsubscription("whatsapp:unsubscription", Channel::Whatsapp),
    inbound("rcs:message:in", Channel::Rcs),
    status("rcs:message:status", Channel::Rcs),
    unsubscription("rcs:unsubscription", Channel::Rcs),
    // Outbound dialing is a message by voice; click-to-call is a call.
    status(VOICE_OUT, Channel::Voice),
    Row::new(VOICE_OUT, Channel::Voice, "call.finished"),
    unsubscription("voice:unsubscription", Channel::Voice),
    // A virtual mobile number: an inbound SMS on a rented number.
    inbound("vmn:message:in", Channel::Sms),
    Row::new(CONTACT, Channel::None, "profile.created"),
    Row::new(CONTACT, Channel::None, "profile.updated"),
    inbound("viber:message:in", Channel::Viber),
    status("viber:message:status", Channel::Viber),
    unsubscription("viber:unsubscription", Channel::Viber),
    // The webhook has no name of its own; this one is ours.
    Row::new(LINK_VISIT, Channel::Sms, "message.click"),
];

/// The rows of an event name, without regard to case; several where the body decides.
pub fn rows_of(event: &str) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.event.eq_ignore_ascii_case(event))
}
