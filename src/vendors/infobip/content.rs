//! What an inbound message says: one content object of a chat message, or one entry of the Messages API.

use serde_json::value::RawValue;

use crate::event::Content;
use crate::reject::Reject;
use crate::vendors::fields::any;
use crate::vendors::json::Entries;
use crate::vendors::{Item, fields};

/// A content object as read: what found a field, the words for attributes, and whether anything was left over.
#[derive(Debug, Default)]
pub struct Read<'a> {
    pub content: Content<'a>,
    pub clean_text: Option<&'a str>,
    pub keyword: Option<&'a str>,
    pub has_rest: bool,
}

/// Reads one content object. `pointer` is its place in the item.
///
/// # Errors
/// `invalid_shape`: it is no object.
pub fn read<'a>(item: &Item<'a>, object: &'a RawValue, pointer: &str) -> Result<Read<'a>, Reject> {
    let entries: Entries<'a> = item.parse(object.get()).map_err(|_| Reject::invalid_shape(pointer, "a content object"))?;
    let kind = entries.0.iter().find(|(key, _)| key == "type").and_then(|(_, value)| any(Some(value), item.arena));
    let kind = kind.map(|kind| &*item.arena.alloc_str(&kind.to_ascii_lowercase()));
    let is_place = kind == Some("location");
    let is_reply =
        kind.is_some_and(|kind| kind.ends_with("_reply") || kind == "suggestion" || kind == "button" || kind == "postback");

    let mut read = Read { content: Content { kind, ..Content::default() }, ..Read::default() };
    // What says the same in several keys goes by this order; the later ones are left over.
    let mut texts = [None; 3];
    let mut replies = [None; 3];
    for (key, value) in entries.0 {
        if value.get() == "null" {
            continue;
        }
        let printed = fields::printed_any(value, item.arena);
        match &*key {
            "type" => {}
            "text" => texts[0] = Some(printed),
            "caption" => texts[1] = Some(printed),
            "title" => texts[2] = Some(printed),
            "url" if !is_place => read.content.media_url = Some(printed),
            "name" | "fileName" | "filename" if !is_place => read.content.file_name = Some(printed),
            "contentType" => read.content.media_type = Some(printed),
            "id" if is_reply => replies[0] = Some(printed),
            "payload" if is_reply => replies[1] = Some(printed),
            "postbackData" if is_reply => replies[2] = Some(printed),
            "latitude" if printed.parse::<f64>().is_ok() => read.content.latitude = printed.parse().ok(),
            "longitude" if printed.parse::<f64>().is_ok() => read.content.longitude = printed.parse().ok(),
            "cleanText" => read.clean_text = Some(printed),
            "keyword" => read.keyword = Some(printed),
            _ => read.has_rest = true,
        }
    }
    let mut first = |values: [Option<&'a str>; 3]| {
        let mut given = values.into_iter().flatten();
        let first = given.next();
        read.has_rest |= given.next().is_some();
        first
    };
    read.content.text = first(texts);
    read.content.reply_id = first(replies);
    Ok(read)
}
