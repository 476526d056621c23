//! Altcraft's rows of the catalogue. Events are looked up by name: the order of words in the names differs.

use crate::event::{Channel, Meaning, State};
use crate::vendors::Row;

const fn email(event: &'static str, event_type: &'static str) -> Row {
    Row::new(event, Channel::Email, event_type)
}

const fn status(event: &'static str, meaning: Meaning) -> Row {
    email(event, "message.status").status(meaning)
}

const UNIQUE: &[(&str, &str)] = &[("unique", "true")];
const NOT_UNIQUE: &[(&str, &str)] = &[("unique", "false")];
const OPTED_OUT: &[(&str, &str)] = &[("consent_state", "OPTED_OUT")];

pub const ROWS: &[Row] = &[
    status("send", Meaning::new(State::Sent, false, None)),
    email("reply", "message.inbound"),
    email("uopen", "message.open").attributes(UNIQUE),
    email("open", "message.open").attributes(NOT_UNIQUE),
    email("uclick", "message.click").attributes(UNIQUE),
    email("click", "message.click").attributes(NOT_UNIQUE),
    email("confirm", "consent.confirmed").attributes(&[("consent_state", "OPTED_IN"), ("kind", "regular")]),
    email("confirmsub", "consent.confirmed").attributes(&[("consent_state", "OPTED_IN"), ("kind", "double_opt_in")]),
    email("unsub", "consent.opt_out").attributes(OPTED_OUT),
    email("complain", "consent.complaint").attributes(OPTED_OUT),
    // Another attempt may follow.
    status("sbounce", Meaning::new(State::Deferred, false, None)).attributes(&[("bounce", "soft")]),
    status("hbounce", Meaning::new(State::Undelivered, true, Some("recipient_invalid"))).attributes(&[("bounce", "hard")]),
    // Never sent: the person had opted out.
    status("suppress", Meaning::new(State::Rejected, true, Some("consent"))).attributes(&[("reason", "consent")]),
    status("deliv", Meaning::new(State::Delivered, true, None)),
    status("undeliv", Meaning::new(State::Undelivered, true, Some("unknown"))),
    email("read", "message.open").attributes(&[("view_class", "read")]),
    email("glanced", "message.open").attributes(&[("view_class", "glanced")]),
    email("skimmed", "message.open").attributes(&[("view_class", "skimmed")]),
];
