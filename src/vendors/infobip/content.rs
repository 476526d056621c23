//! What an inbound message says: one content object of a chat message, or one entry of the Messages API.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::Content;
use crate::reject::Reject;
use crate::vendors::fields::{self, Object, Text, text};
use crate::vendors::leaves::Leaves;
use crate::vendors::{Item, json};

/// A content object as read: what found a field, the words for attributes, and whether anything was left over.
#[derive(Debug, Default)]
pub struct Read<'a> {
    pub content: Content<'a>,
    pub clean_text: Option<&'a str>,
    pub keyword: Option<&'a str>,
    /// Messenger's id of the message, which stands inside it.
    pub mid: Option<&'a str>,
    /// The value of a content that is itself JSON.
    pub own_json: Option<&'a str>,
    pub has_rest: bool,
}

/// Kinds whose words differ from the vendor's: the envelope knows them from other channels too.
const KINDS: &[(&str, &str)] = &[("CLOSE_CONVERSATION", "close")];

/// Choices that stand one level deeper.
const SPLIT: &[&str] = &["quickReply", "quickReplySelectedItem"];

#[derive(Debug, Deserialize)]
struct Picked<'a> {
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    identifier: Option<Text<'a>>,
}

/// Reads one content object. `base` is its place in the item.
///
/// # Errors
/// `invalid_shape`: it is no object.
pub fn read<'a>(item: &Item<'a>, object: &'a RawValue, base: &'static str) -> Result<Read<'a>, Reject> {
    if !object.get().starts_with('{') {
        return Err(Reject::invalid_shape(base, "a content object"));
    }
    let mut leaves = Leaves::of_part(item, object.get(), base, SPLIT)?;
    let word = leaves.take(item, "type").unwrap_or_default();
    if let Some(inner) = leaves.peek_raw("message").filter(|inner| word == "MESSAGE" && inner.get().starts_with('{')) {
        // Viber Bot wraps the message together with who sent it.
        return Ok(Read { has_rest: true, ..read(item, inner, base)? });
    }
    let kind = kind(item, word, &mut leaves);
    let is_place = matches!(kind, Some("location" | "location_url"));
    let is_reply = kind.is_some_and(|kind| kind.ends_with("_reply") || matches!(kind, "suggestion" | "button" | "postback"));
    let is_file = matches!(kind, Some("file" | "document"));

    let texts = ["text", "caption", "title"];
    let said = texts.iter().find_map(|key| leaves.take_printed(item, key));
    let mut read = Read {
        content: Content {
            kind,
            text: said,
            media_url: if is_place { None } else { leaves.take(item, "url") },
            media_type: leaves.take_first(item, &["contentType", "fileType"]),
            file_name: if is_file { leaves.take_first(item, &["name", "fileName", "filename"]) } else { None },
            reply_id: if is_reply { leaves.take_first(item, &["id", "payload", "postbackData"]) } else { None },
            latitude: leaves.take_coordinate(item, "latitude"),
            longitude: leaves.take_coordinate(item, "longitude"),
            json: None,
        },
        clean_text: leaves.take(item, "cleanText"),
        keyword: leaves.take(item, "keyword"),
        mid: leaves.take(item, "mid"),
        own_json: (kind == Some("json")).then(|| leaves.take(item, "json")).flatten(),
        has_rest: leaves.has_rest(),
    };
    if let Some((title, identifier)) = picked(item, &mut leaves) {
        read.content.text = read.content.text.or(title);
        read.content.reply_id = read.content.reply_id.or(identifier);
    }
    Ok(read)
}

/// The vendor's word in lower case; typing says whether it began or ended.
fn kind<'a>(item: &Item<'a>, word: &str, leaves: &mut Leaves<'a>) -> Option<&'a str> {
    if word.eq_ignore_ascii_case("TYPING_INDICATOR") {
        let has_stopped =
            leaves.take(item, "typingIndicatorType").is_some_and(|word| word.to_ascii_uppercase().contains("STOP"));
        return Some(if has_stopped { "typing_stopped" } else { "typing_started" });
    }
    let own = KINDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind);
    own.or_else(|| (!word.is_empty()).then(|| fields::small(word, item.arena)))
}

/// What was chosen: its title and its id. The whole stays in the content's JSON.
fn picked<'a>(item: &Item<'a>, leaves: &mut Leaves<'a>) -> Option<(Option<&'a str>, Option<&'a str>)> {
    if let Some(payload) = leaves.take(item, "quickReply.payload") {
        return Some((None, Some(payload)));
    }
    let title = leaves.take(item, "quickReplySelectedItem.title");
    let identifier = leaves.take(item, "quickReplySelectedItem.identifier");
    if title.is_some() || identifier.is_some() {
        return Some((title, identifier));
    }
    let items: Vec<Object<Picked<'a>>> = json::parse_strict(leaves.take_raw("listPickerSelectedItems")?.get())?;
    let Object(Picked { title, identifier }) = items.into_iter().next()?;
    Some((text(title, item.arena), text(identifier, item.arena)))
}
