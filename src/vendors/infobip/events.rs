//! Infobip's rows of the catalogue.

use crate::event::{Channel, Meaning, State};
use crate::vendors::Row;

pub const DELIVERY: &str = "DELIVERY";
pub const SEEN: &str = "SEEN";
pub const INBOUND_MESSAGE: &str = "INBOUND_MESSAGE";
pub const CLICK: &str = "CLICK";

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

const fn click(channel: Channel) -> Row {
    Row::new(CLICK, channel, "message.click")
}

const fn call(event: &'static str, event_type: &'static str) -> Row {
    Row::new(event, Channel::Voice, event_type)
}

/// A fact that is not about one channel.
const fn about(event: &'static str, event_type: &'static str) -> Row {
    Row::new(event, Channel::None, event_type)
}

/// It was delivered first, and came back later.
const LATE_BOUNCE: Meaning = Meaning::new(State::Undelivered, true, None);

const LATE: &[(&str, &str)] = &[("bounce", "late")];
const OPTED_IN: &[(&str, &str)] = &[("consent_state", "OPTED_IN")];
const OPTED_OUT: &[(&str, &str)] = &[("consent_state", "OPTED_OUT")];
const MARKETING_IN: &[(&str, &str)] = &[("consent_state", "OPTED_IN"), ("scope", "marketing")];
const MARKETING_OUT: &[(&str, &str)] = &[("consent_state", "OPTED_OUT"), ("scope", "marketing")];

/// The shape follows the API that sent the message, so one topic can mix them.
const ADAPTIVE: &str = "adaptive.subscription.format";

pub const ROWS: &[Row] = &[
    // Apple Messages for Business.
    delivery(Channel::AppleMessages),
    inbound(Channel::AppleMessages),
    // Email.
    click(Channel::Email),
    Row::new("COMPLAINT", Channel::Email, "consent.complaint").attributes(OPTED_OUT),
    delivery(Channel::Email),
    Row::new("LATE_BOUNCE", Channel::Email, "message.status").status(LATE_BOUNCE).attributes(LATE),
    Row::new("OPEN", Channel::Email, "message.open"),
    Row::new("UNSUBSCRIBE", Channel::Email, "consent.opt_out").attributes(OPTED_OUT),
    // Facebook Messenger.
    delivery(Channel::Messenger),
    inbound(Channel::Messenger),
    Row::new("MARKETING_OPT_IN", Channel::Messenger, "consent.opt_in").attributes(MARKETING_IN),
    Row::new("MARKETING_OPT_OUT", Channel::Messenger, "consent.opt_out").attributes(MARKETING_OUT),
    // Kakao - Alim.
    delivery(Channel::KakaoAlim),
    // Kakao - Chingu.
    click(Channel::KakaoChingu),
    delivery(Channel::KakaoChingu),
    // LINE.
    delivery(Channel::Line),
    inbound(Channel::Line),
    // Mobile push.
    delivery(Channel::Push),
    // RCS.
    click(Channel::Rcs),
    delivery(Channel::Rcs),
    inbound(Channel::Rcs),
    seen(Channel::Rcs),
    Row::new("SENDER_UPDATE", Channel::Rcs, "sender.updated"),
    Row::new("SUGGESTION", Channel::Rcs, "message.suggestion"),
    Row::new("TEMPLATE_UPDATE", Channel::Rcs, "template.updated"),
    Row::new("TEST_NUMBER_UPDATE", Channel::Rcs, "sender.test_number_updated"),
    Row::new("TYPING_INDICATOR", Channel::Rcs, "message.typing"),
    // SMS.
    click(Channel::Sms),
    delivery(Channel::Sms),
    inbound(Channel::Sms),
    // MMS.
    click(Channel::Mms),
    delivery(Channel::Mms),
    inbound(Channel::Mms),
    // Viber.
    click(Channel::Viber),
    delivery(Channel::Viber),
    inbound(Channel::Viber),
    seen(Channel::Viber),
    // WhatsApp.
    Row::new("ACCOUNT_REGISTRATION", Channel::Whatsapp, "account.registration_updated"),
    Row::new("ACCOUNT_UPDATE_NOTIFICATION", Channel::Whatsapp, "account.updated"),
    Row::new("BILLING", Channel::Whatsapp, "account.billing"),
    click(Channel::Whatsapp),
    delivery(Channel::Whatsapp),
    Row::new("IDENTITY_CHANGE", Channel::Whatsapp, "identity.changed"),
    inbound(Channel::Whatsapp),
    Row::new("MARKETING_SUBSCRIPTION_UPDATE", Channel::Whatsapp, "consent.opt_out").attributes(MARKETING_OUT),
    Row::new("MARKETING_SUBSCRIPTION_UPDATE", Channel::Whatsapp, "consent.opt_in").attributes(MARKETING_IN),
    Row::new("PAYMENT_STATUS", Channel::Whatsapp, "payment.updated"),
    seen(Channel::Whatsapp),
    Row::new("TEMPLATE_UPDATE", Channel::Whatsapp, "template.updated"),
    // Zalo.
    click(Channel::Zalo),
    delivery(Channel::Zalo),
    inbound(Channel::Zalo),
    // Voice and WebRTC.
    call("APPLICATION_TRANSFER_FAILED", "call.transfer_failed"),
    call("APPLICATION_TRANSFER_FINISHED", "call.transfer_finished"),
    call("APPLICATION_TRANSFER_REQUESTED", "call.transfer_requested"),
    call("BULK_CALL_STATUS", "call.bulk_status"),
    call("CALL_DISCONNECTED", "call.disconnected"),
    call("CALL_ESTABLISHED", "call.established"),
    call("CALL_FAILED", "call.failed"),
    call("CALL_FINISHED", "call.finished"),
    call("CALL_MEDIA_CHANGED", "call.media_changed"),
    call("CALL_PRE_ESTABLISHED", "call.pre_established"),
    call("CALL_RECEIVED", "call.received"),
    call("CALL_RECONNECTED", "call.reconnected"),
    call("CALL_RECORDING_DELETED", "call.recording_deleted"),
    call("CALL_RECORDING_FAILED", "call.recording_failed"),
    call("CALL_RECORDING_READY", "call.recording_ready"),
    call("CALL_RECORDING_STARTED", "call.recording_started"),
    call("CALL_RECORDING_STOPPED", "call.recording_stopped"),
    call("CALL_RINGING", "call.ringing"),
    call("CALL_STARTED", "call.started"),
    call("CONFERENCE_COMPOSITION_FAILED", "conference.composition_failed"),
    call("CONFERENCE_COMPOSITION_FINISHED", "conference.composition_finished"),
    call("CONFERENCE_CREATED", "conference.created"),
    call("CONFERENCE_FINISHED", "conference.finished"),
    call("CONFERENCE_RECORDING_DELETED", "conference.recording_deleted"),
    call("CONFERENCE_RECORDING_FAILED", "conference.recording_failed"),
    call("CONFERENCE_RECORDING_READY", "conference.recording_ready"),
    call("CONFERENCE_RECORDING_STARTED", "conference.recording_started"),
    call("CONFERENCE_RECORDING_STOPPED", "conference.recording_stopped"),
    delivery(Channel::Voice),
    call("DIALOG_COMPOSITION_FAILED", "dialog.composition_failed"),
    call("DIALOG_COMPOSITION_FINISHED", "dialog.composition_finished"),
    call("DIALOG_CREATED", "dialog.created"),
    call("DIALOG_ESTABLISHED", "dialog.established"),
    call("DIALOG_FAILED", "dialog.failed"),
    call("DIALOG_FINISHED", "dialog.finished"),
    call("DIALOG_RECORDING_DELETED", "dialog.recording_deleted"),
    call("DIALOG_RECORDING_FAILED", "dialog.recording_failed"),
    call("DIALOG_RECORDING_READY", "dialog.recording_ready"),
    call("DIALOG_RECORDING_STARTED", "dialog.recording_started"),
    call("DIALOG_RECORDING_STOPPED", "dialog.recording_stopped"),
    call("DTMF_CAPTURED", "call.dtmf_captured"),
    call("ERROR", "call.error"),
    call("MACHINE_DETECTION_FAILED", "call.machine_detection_failed"),
    call("MACHINE_DETECTION_FINISHED", "call.machine_detection_finished"),
    call("MACHINE_MESSAGE_DETECTION_FAILED", "call.machine_message_detection_failed"),
    call("MACHINE_MESSAGE_DETECTION_FINISHED", "call.machine_message_detection_finished"),
    call("MEDIA_STREAM_FAILED", "call.media_stream_failed"),
    call("MEDIA_STREAM_FINISHED", "call.media_stream_finished"),
    call("MEDIA_STREAM_STARTED", "call.media_stream_started"),
    call("MISSED_CALL", "call.missed"),
    call("NUMBER_MASKING", "call.number_masking"),
    call("PARTICIPANT_JOIN_FAILED", "conference.participant_join_failed"),
    call("PARTICIPANT_JOINED", "conference.participant_joined"),
    call("PARTICIPANT_JOINING", "conference.participant_joining"),
    call("PARTICIPANT_MEDIA_CHANGED", "conference.participant_media_changed"),
    call("PARTICIPANT_RECORDING_FAILED", "conference.participant_recording_failed"),
    call("PARTICIPANT_REMOVED", "conference.participant_removed"),
    call("PARTICIPANT_ROLE_CHANGE_FAILED", "conference.participant_role_change_failed"),
    call("PARTICIPANT_ROLE_CHANGED", "conference.participant_role_changed"),
    call("PARTICIPANT_STARTED_TALKING", "conference.participant_started_talking"),
    call("PARTICIPANT_STOPPED_TALKING", "conference.participant_stopped_talking"),
    call("PLAY_FINISHED", "call.play_finished"),
    call("SAY_FINISHED", "call.say_finished"),
    call("SPEECH_CAPTURED", "call.speech_captured"),
    call("TRANSCRIPTION", "call.transcription"),
    // Open Channel.
    Row::new("DELIVERY", Channel::OpenChannel, "message.outbound"),
    // Registration.
    about("BRAND_AUTH_UPDATE", "registration.brand_auth_updated"),
    about("BRAND_STATUS_UPDATE", "registration.brand_status_updated"),
    about("BRAND_VET_UPDATE", "registration.brand_vetting_updated"),
    about("CAMPAIGN_NETWORK_STATUS_UPDATE", "registration.campaign_network_status_updated"),
    about("CAMPAIGN_STATUS_UPDATE", "registration.campaign_status_updated"),
    about("RESOURCE_REQUEST_STATUS_UPDATE", "registration.resource_request_updated"),
    // Mobile identity.
    Row::new("SILENT_VERIFICATION", Channel::None, "identity.silent_verification"),
    // Number lookup.
    Row::new("NUMBER_LOOKUP", Channel::None, "lookup.number"),
    // Blocklist.
    Row::new("BLOCK", Channel::None, "consent.blocked").attributes(OPTED_OUT),
    Row::new("UNBLOCK", Channel::None, "consent.unblocked").attributes(OPTED_IN),
    // Customer engagement.
    about("CONVERSATION_AGENT_STATUS_UPDATED", "conversation.agent_status_updated"),
    about("CONVERSATION_ASSIGNMENT_UPDATED", "conversation.assignment_updated"),
    about("CONVERSATION_CREATED", "conversation.created"),
    about("CONVERSATION_CUSTOMER_UPDATED", "conversation.customer_updated"),
    about("CONVERSATION_FORM_FIELD_UPDATED", "conversation.form_field_updated"),
    about("CONVERSATION_FORM_UPDATED", "conversation.form_updated"),
    about("CONVERSATION_MESSAGE_DELETED", "conversation.message_deleted"),
    about("CONVERSATION_MESSAGE_RECEIVED", "conversation.message_received"),
    about("CONVERSATION_MESSAGE_SENT", "conversation.message_sent"),
    about("CONVERSATION_MESSAGE_UPDATED", "conversation.message_updated"),
    about("CONVERSATION_NOTE_ADDED", "conversation.note_added"),
    about("CONVERSATION_NOTE_REMOVED", "conversation.note_removed"),
    about("CONVERSATION_NOTE_UPDATED", "conversation.note_updated"),
    about("CONVERSATION_PRIORITY_UPDATED", "conversation.priority_updated"),
    about("CONVERSATION_QUEUE_UPDATED", "conversation.queue_updated"),
    about("CONVERSATION_SLA_POLICY_UPDATED", "conversation.sla_policy_updated"),
    about("CONVERSATION_STATUS_UPDATED", "conversation.status_updated"),
    about("CONVERSATION_SUMMARY_UPDATED", "conversation.summary_updated"),
    about("CONVERSATION_TAG_ADDED", "conversation.tag_added"),
    about("CONVERSATION_TAG_REMOVED", "conversation.tag_removed"),
    about("CONVERSATION_TOPIC_UPDATED", "conversation.topic_updated"),
    about("PERSON_ATTRIBUTE_CHANGED", "profile.attribute_changed"),
    about("PERSON_CONTACT_INFORMATION_CREATED", "profile.contact_added"),
    about("PERSON_CONTACT_INFORMATION_DELETED", "profile.contact_removed"),
    about("PERSON_CONTACT_INFORMATION_UPDATED", "profile.contact_updated"),
    about("PERSON_CREATED", "profile.created"),
    about("PERSON_DELETED", "profile.deleted"),
    about("PERSON_MERGED", "profile.merged"),
    about("PERSON_TAG_ADDED", "profile.tag_added"),
    about("PERSON_TAG_DELETED", "profile.tag_removed"),
    Row::new("WEB_SDK_PAGE_VIEW", Channel::Web, "web.page_view"),
    Row::new("WEB_SDK_SESSION_ENDED", Channel::Web, "web.session_ended"),
    Row::new("WEB_SDK_SESSION_STARTED", Channel::Web, "web.session_started"),
    // Published formats.
    inbound(Channel::AppleMessages).format("MO_OTT_CONTACT"),
    inbound(Channel::Messenger).format("MO_OTT_MSISDN"),
    inbound(Channel::Line).format("MO_OTT_MSISDN"),
    inbound(Channel::Mms).format("MO_MMS_2"),
    inbound(Channel::Rcs).format("MO_OTT_MSISDN"),
    inbound(Channel::Sms).format("MO_JSON_2"),
    inbound(Channel::Viber).format("MO_OTT_MSISDN"),
    inbound(Channel::Whatsapp).format("MO_OTT_CONTACT"),
    inbound(Channel::Zalo).format("MO_OTT_MSISDN"),
    delivery(Channel::AppleMessages).format(ADAPTIVE),
    delivery(Channel::AppleMessages).format("delivery.apple-messages-for-business.v3.json"),
    delivery(Channel::AppleMessages).format("delivery.apple-messages-for-business.v4.json"),
    inbound(Channel::AppleMessages).format("inbound-message.apple-messages-for-business.v1.json"),
    inbound(Channel::AppleMessages).format("inbound-message.apple-messages-for-business.v2.json"),
    delivery(Channel::Messenger).format(ADAPTIVE),
    delivery(Channel::Messenger).format("delivery.facebook.v5.json"),
    delivery(Channel::Messenger).format("delivery.facebook.v4.json"),
    inbound(Channel::Messenger).format("inbound-message.facebook.v1.json"),
    inbound(Channel::Messenger).format("inbound-message.facebook.v2.json"),
    Row::new("MARKETING_OPT_IN", Channel::Messenger, "consent.opt_in")
        .attributes(MARKETING_IN)
        .format("marketing.facebook.v1.json"),
    Row::new("MARKETING_OPT_OUT", Channel::Messenger, "consent.opt_out")
        .attributes(MARKETING_OUT)
        .format("marketing.facebook.v1.json"),
    click(Channel::Sms).format("tracking.sms.v1.json"),
    delivery(Channel::Sms).format(ADAPTIVE),
    delivery(Channel::Sms).format("delivery.sms.v2.json"),
    delivery(Channel::Sms).format("delivery.sms.v3.json"),
    delivery(Channel::Sms).format("delivery.sms.v4.json"),
    delivery(Channel::Sms).format("delivery.sms.v5.json"),
    inbound(Channel::Sms).format("inbound-message.sms.v1.json"),
    inbound(Channel::Sms).format("inbound-message.sms.v2.json"),
    click(Channel::Mms).format("tracking.mms.v1.json"),
    delivery(Channel::Mms).format(ADAPTIVE),
    delivery(Channel::Mms).format("delivery.mms.v1.json"),
    delivery(Channel::Mms).format("delivery.mms.v3.json"),
    delivery(Channel::Mms).format("delivery.mms.v4.json"),
    inbound(Channel::Mms).format("inbound-message.mms.v1.json"),
    inbound(Channel::Mms).format("inbound-message.mms.v2.json"),
    Row::new("DELIVERY", Channel::OpenChannel, "message.outbound").format("event.open-channel.v1.json"),
];
