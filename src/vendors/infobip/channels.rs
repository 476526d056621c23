//! Infobip's words for channels: four vocabularies that overlap.

use super::Told;
use crate::event::Channel;
use crate::reject::Reject;

/// Words of the subscriptions, as hints may give them. Subscriptions about no one channel are `none`.
pub const SUBSCRIPTION_WORDS: &[(&str, Channel)] = &[
    ("APPLE_MESSAGES_FOR_BUSINESS", Channel::AppleMessages),
    ("BLOCKLIST", Channel::None),
    ("CUSTOMER_ENGAGEMENT", Channel::None),
    ("EMAIL", Channel::Email),
    ("FACEBOOK", Channel::Messenger),
    ("KAKAO_ALIM", Channel::KakaoAlim),
    ("KAKAO_BRAND_MESSAGE", Channel::KakaoChingu),
    ("KAKAO_CHINGU", Channel::KakaoChingu),
    ("LINE", Channel::Line),
    ("MMS", Channel::Mms),
    ("MOBILE_IDENTITY", Channel::None),
    ("MOBILE_PUSH", Channel::Push),
    ("NUMBER_LOOKUP", Channel::None),
    ("OPEN_CHANNEL", Channel::OpenChannel),
    ("RCS", Channel::Rcs),
    ("REGISTRATION", Channel::None),
    ("SMS", Channel::Sms),
    ("VIBER", Channel::Viber),
    ("VOICE_VIDEO", Channel::Voice),
    ("WHATSAPP", Channel::Whatsapp),
    ("ZALO", Channel::Zalo),
];

/// Words of the Messages API (`channel` beside `event`).
const MESSAGES_API_WORDS: &[(&str, Channel)] = &[
    ("APPLE_MB", Channel::AppleMessages),
    ("LINE_ON", Channel::Line),
    ("MESSENGER", Channel::Messenger),
    ("VIBER_BM", Channel::Viber),
    ("VIBER_BOT", Channel::Viber),
    ("VOICE", Channel::Voice),
];

/// Words of failover reports and of `integrationType`, where they are no subscription word.
const OTHER_WORDS: &[(&str, Channel)] =
    &[("APPLE_BC", Channel::AppleMessages), ("PUSH", Channel::Push), ("ZALO_NOTIFICATION_SERVICE", Channel::Zalo)];

/// Two channels of ours share this word.
const KAKAO: Told = Told::OneOf(&[Channel::KakaoAlim, Channel::KakaoChingu]);

/// The channel of a word of any of the vocabularies, where it is one of ours.
pub fn known(word: &str) -> Option<Channel> {
    match told_by(word, "") {
        Ok(Told::Is(channel)) => Some(channel),
        _ => None,
    }
}

/// The channel of a word that a body prints at `pointer`.
///
/// # Errors
/// `unknown_event`: Infobip has channels that are not ours (`INSTAGRAM_DM`, `TIKTOK`, `TELEGRAM`, `LIVE_CHAT`).
pub fn told_by(word: &str, pointer: &str) -> Result<Told, Reject> {
    if word.eq_ignore_ascii_case("KAKAO") {
        return Ok(KAKAO);
    }
    let words = MESSAGES_API_WORDS.iter().chain(SUBSCRIPTION_WORDS).chain(OTHER_WORDS);
    words
        .into_iter()
        .find(|(own, channel)| own.eq_ignore_ascii_case(word) && *channel != Channel::None)
        .map(|(_, channel)| Told::Is(*channel))
        .ok_or_else(|| Reject::unknown_event(format!("{pointer}: expected a channel of the catalogue")))
}
