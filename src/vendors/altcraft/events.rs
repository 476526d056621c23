//! Altcraft's rows of the catalogue. Events are looked up by name: the order of words in the names differs.

use crate::event::{Channel, Meaning, State};
use crate::vendors::Row;

const SENT: Meaning = Meaning::new(State::Sent, false, None);
const DELIVERED: Meaning = Meaning::new(State::Delivered, true, None);
const READ: Meaning = Meaning::new(State::Read, true, None);
const UNDELIVERED: Meaning = Meaning::new(State::Undelivered, true, Some("unknown"));
const HARD_BOUNCE: Meaning = Meaning::new(State::Undelivered, true, Some("recipient_invalid"));
/// Another attempt may follow.
const DEFERRED: Meaning = Meaning::new(State::Deferred, false, None);
/// Never sent: the person had opted out.
const SUPPRESSED: Meaning = Meaning::new(State::Rejected, true, Some("consent"));

const UNIQUE: &[(&str, &str)] = &[("unique", "true")];
const NOT_UNIQUE: &[(&str, &str)] = &[("unique", "false")];
const OPTED_IN: &[(&str, &str)] = &[("consent_state", "OPTED_IN")];
const OPTED_OUT: &[(&str, &str)] = &[("consent_state", "OPTED_OUT")];
const STATIC: &[(&str, &str)] = &[("segment_kind", "static")];

/// An event that is itself a status of a message.
const fn status(event: &'static str, channel: Channel, meaning: Meaning) -> Row {
    Row::new(event, channel, "message.status").status(meaning)
}

pub const ROWS: &[Row] = &[
    // Email channel events.
    status("send", Channel::Email, SENT),
    Row::new("reply", Channel::Email, "message.inbound"),
    Row::new("uopen", Channel::Email, "message.open").attributes(UNIQUE),
    Row::new("open", Channel::Email, "message.open").attributes(NOT_UNIQUE),
    Row::new("uclick", Channel::Email, "message.click").attributes(UNIQUE),
    Row::new("click", Channel::Email, "message.click").attributes(NOT_UNIQUE),
    Row::new("confirm", Channel::Email, "consent.confirmed").attributes(&[("consent_state", "OPTED_IN"), ("kind", "regular")]),
    Row::new("confirmsub", Channel::Email, "consent.confirmed")
        .attributes(&[("consent_state", "OPTED_IN"), ("kind", "double_opt_in")]),
    Row::new("unsub", Channel::Email, "consent.opt_out").attributes(OPTED_OUT),
    Row::new("complain", Channel::Email, "consent.complaint").attributes(OPTED_OUT),
    status("sbounce", Channel::Email, DEFERRED).attributes(&[("bounce", "soft")]),
    status("hbounce", Channel::Email, HARD_BOUNCE).attributes(&[("bounce", "hard")]),
    status("suppress", Channel::Email, SUPPRESSED).attributes(&[("reason", "consent")]),
    status("deliv", Channel::Email, DELIVERED),
    status("undeliv", Channel::Email, UNDELIVERED),
    Row::new("read", Channel::Email, "message.open").attributes(&[("view_class", "read")]),
    Row::new("glanced", Channel::Email, "message.open").attributes(&[("view_class", "glanced")]),
    Row::new("skimmed", Channel::Email, "message.open").attributes(&[("view_class", "skimmed")]),
    // Subscriber Profile Import Events.
    Row::new("import_manual", Channel::None, "profile.imported").attributes(&[("import_source", "manual")]),
    Row::new("import_file", Channel::None, "profile.imported").attributes(&[("import_source", "file")]),
    Row::new("import_api", Channel::None, "profile.imported").attributes(&[("import_source", "api")]),
    // SMS channel events.
    status("send_sms", Channel::Sms, SENT),
    Row::new("click_sms", Channel::Sms, "message.click").attributes(NOT_UNIQUE),
    Row::new("uclick_sms", Channel::Sms, "message.click").attributes(UNIQUE),
    status("deliv_sms", Channel::Sms, DELIVERED),
    status("undeliv_sms", Channel::Sms, UNDELIVERED),
    Row::new("unsub_sms", Channel::Sms, "consent.opt_out").attributes(OPTED_OUT),
    // Push channel events.
    Row::new("uopen_push", Channel::Push, "message.open").attributes(UNIQUE),
    Row::new("open_push", Channel::Push, "message.open").attributes(NOT_UNIQUE),
    status("send_push", Channel::Push, SENT),
    Row::new("click_push", Channel::Push, "message.click").attributes(NOT_UNIQUE),
    Row::new("uclick_push", Channel::Push, "message.click").attributes(UNIQUE),
    status("deliv_push", Channel::Push, DELIVERED),
    status("undeliv_push", Channel::Push, UNDELIVERED),
    status("sbounce_push", Channel::Push, DEFERRED).attributes(&[("bounce", "soft")]),
    status("hbounce_push", Channel::Push, HARD_BOUNCE).attributes(&[("bounce", "hard")]),
    // Custom (API) opt out.
    Row::new("unsub_api", Channel::None, "consent.opt_out").attributes(OPTED_OUT),
    // Campaign launch.
    Row::new("campaign_launch", Channel::None, "campaign.launched"),
    // Campaign errors.
    Row::new("camp_error", Channel::None, "campaign.error"),
    // The events that are captured by Pixels in the external resources.
    Row::new("pixel_open", Channel::Web, "web.pixel_fired"),
    // Promo code events.
    Row::new("promocode_attach", Channel::None, "promocode.attached"),
    Row::new("promocode_detach", Channel::None, "promocode.detached"),
    Row::new("promocode_activate", Channel::None, "promocode.activated"),
    // Events related to the automatic creation of a static segment during import.
    Row::new("segs_add", Channel::None, "segment.entered").attributes(STATIC),
    Row::new("segs_remove", Channel::None, "segment.left").attributes(STATIC),
    // Events of merging multiple profiles or splitting one profile.
    Row::new("profile_merge", Channel::None, "profile.merged"),
    Row::new("profile_split", Channel::None, "profile.split"),
    // Telegram Bot events.
    status("telegram_bot_send", Channel::TelegramBot, SENT),
    status("telegram_bot_deliv", Channel::TelegramBot, DELIVERED),
    Row::new("telegram_bot_click", Channel::TelegramBot, "message.click").attributes(NOT_UNIQUE),
    Row::new("telegram_bot_uclick", Channel::TelegramBot, "message.click").attributes(UNIQUE),
    status("telegram_bot_undeliv", Channel::TelegramBot, UNDELIVERED),
    Row::new("telegram_bot_subscribe", Channel::TelegramBot, "consent.opt_in").attributes(OPTED_IN),
    // Telegram Group events.
    status("telegram_group_send", Channel::TelegramGroup, SENT),
    status("telegram_group_deliv", Channel::TelegramGroup, DELIVERED),
    Row::new("telegram_group_click", Channel::TelegramGroup, "message.click"),
    status("telegram_group_undeliv", Channel::TelegramGroup, UNDELIVERED),
    // WhatsApp* events.
    status("whatsapp_send", Channel::Whatsapp, SENT),
    status("whatsapp_deliv", Channel::Whatsapp, DELIVERED),
    Row::new("whatsapp_click", Channel::Whatsapp, "message.click").attributes(NOT_UNIQUE),
    Row::new("whatsapp_uclick", Channel::Whatsapp, "message.click").attributes(UNIQUE),
    status("whatsapp_undeliv", Channel::Whatsapp, UNDELIVERED),
    status("whatsapp_read", Channel::Whatsapp, READ),
    Row::new("whatsapp_subscribe", Channel::Whatsapp, "consent.opt_in").attributes(OPTED_IN),
    Row::new("whatsapp_unsub", Channel::Whatsapp, "consent.opt_out").attributes(OPTED_OUT),
    // Viber events.
    status("viber_send", Channel::Viber, SENT),
    status("viber_deliv", Channel::Viber, DELIVERED),
    Row::new("viber_click", Channel::Viber, "message.click").attributes(NOT_UNIQUE),
    Row::new("viber_uclick", Channel::Viber, "message.click").attributes(UNIQUE),
    status("viber_undeliv", Channel::Viber, UNDELIVERED),
    status("viber_read", Channel::Viber, READ),
    Row::new("viber_subscribe", Channel::Viber, "consent.opt_in").attributes(OPTED_IN),
    Row::new("viber_unsub", Channel::Viber, "consent.opt_out").attributes(OPTED_OUT),
    // Notify channel events.
    status("notify_deliv", Channel::Notify, DELIVERED),
    status("notify_undeliv", Channel::Notify, UNDELIVERED),
    status("notify_send", Channel::Notify, SENT),
    Row::new("notify_click", Channel::Notify, "message.click").attributes(NOT_UNIQUE),
    Row::new("notify_uclick", Channel::Notify, "message.click").attributes(UNIQUE),
    Row::new("notify_subscribe", Channel::Notify, "consent.opt_in").attributes(OPTED_IN),
    status("notify_read", Channel::Notify, READ),
    Row::new("notify_unsub", Channel::Notify, "consent.opt_out").attributes(OPTED_OUT),
    Row::new("notify_complain", Channel::Notify, "consent.complaint").attributes(OPTED_OUT),
    // Pop-up events.
    Row::new("popup_post", Channel::Popup, "popup.submitted"),
    Row::new("popup_click", Channel::Popup, "popup.clicked"),
    Row::new("popup_error", Channel::Popup, "popup.error"),
    Row::new("popup_bounce", Channel::Popup, "popup.bounced"),
    Row::new("popup_close", Channel::Popup, "popup.closed"),
    Row::new("popup_open", Channel::Popup, "popup.shown"),
    Row::new("popup_custom", Channel::Popup, "popup.custom"),
    // Loyalty program events.
    Row::new("loyalty_register", Channel::None, "loyalty.registered"),
    Row::new("loyalty_unregister", Channel::None, "loyalty.unregistered"),
    Row::new("level_up", Channel::None, "loyalty.level_up"),
    Row::new("level_down", Channel::None, "loyalty.level_down"),
    Row::new("points_accrual", Channel::None, "loyalty.points_accrued"),
    Row::new("points_activate", Channel::None, "loyalty.points_activated"),
    Row::new("points_expire", Channel::None, "loyalty.points_expired"),
    Row::new("points_redeem", Channel::None, "loyalty.points_redeemed"),
    Row::new("points_cancel_accrual", Channel::None, "loyalty.accrual_cancelled"),
    Row::new("points_cancel_redeem", Channel::None, "loyalty.redemption_cancelled"),
    Row::new("points_q_reset", Channel::None, "loyalty.points_reset"),
    // Campaign audience segmentation events.
    Row::new("sc_add", Channel::None, "campaign.audience_added"),
    Row::new("sc_test_group_assign", Channel::None, "campaign.test_group_assigned"),
    Row::new("sc_control_group_assign", Channel::None, "campaign.control_group_assigned"),
    Row::new("sc_remove", Channel::None, "campaign.audience_removed"),
    Row::new("sc_gcg_suppress", Channel::None, "campaign.control_group_suppressed"),
    // GCG events.
    Row::new("gcg_add", Channel::None, "control_group.entered"),
    Row::new("gcg_remove", Channel::None, "control_group.left"),
];
