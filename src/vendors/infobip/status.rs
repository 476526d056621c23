//! Infobip's status words and error words, as reports print them.
//!
//! Source: Infobip's published list of status codes and groups.

use serde::Deserialize;

use crate::event::{Meaning, State};
use crate::vendors::fields::{Count, Flag, Text};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status<'a> {
    pub group_id: Option<Count>,
    #[serde(borrow)]
    pub group_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    #[serde(borrow)]
    pub action: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure<'a> {
    #[serde(borrow)]
    pub group_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub group_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    pub permanent: Option<Flag>,
}

impl Status<'_> {
    /// Whether the status has none of the words that give a report its meaning.
    pub fn is_wordless(&self) -> bool {
        let is_absent = |word: &Option<Text<'_>>| word.as_ref().is_none_or(|word| word.as_str().is_empty());
        self.group_id.is_none() && is_absent(&self.group_name) && is_absent(&self.id) && is_absent(&self.name)
    }

    /// What the status means: by the id within its group, then by the group, else by name or id alone.
    /// `None`: no word of it is listed.
    pub fn meaning(&self) -> Option<Meaning> {
        let id = self.id.as_ref().and_then(|id| id.as_str().parse().ok());
        match (self.group_id, &self.group_name) {
            (Some(Count(number)), _) => Some(meaning(group_of_number(number)?, id)),
            (None, Some(word)) if !word.as_str().is_empty() => Some(meaning(group_of_word(word.as_str())?, id)),
            _ => self.meaning_without_group(id),
        }
    }

    /// The meaning of a status without a group, where all listed ones of its name, or else of its id, mean the same.
    fn meaning_without_group(&self, id: Option<u16>) -> Option<Meaning> {
        let name = self.name.as_ref().map(Text::as_str).filter(|name| !name.is_empty());
        let fits = |row: &&(Group, u16, &str)| match name {
            Some(name) => row.2.eq_ignore_ascii_case(name) && id.is_none_or(|id| row.1 == id),
            None => Some(row.1) == id,
        };
        let mut meanings = IDS.iter().filter(fits).map(|row| meaning(row.0, Some(row.1)));
        let first = meanings.next()?;
        meanings.all(|other| other == first).then_some(first)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Accepted,
    Pending,
    Undeliverable,
    Delivered,
    Expired,
    Rejected,
}

fn group_of_number(number: i32) -> Option<Group> {
    Some(match number {
        0 => Group::Accepted,
        1 => Group::Pending,
        2 => Group::Undeliverable,
        3 => Group::Delivered,
        4 => Group::Expired,
        5 => Group::Rejected,
        _ => return None,
    })
}

fn group_of_word(word: &str) -> Option<Group> {
    const WORDS: &[(&str, Group)] = &[
        ("ACCEPTED", Group::Accepted),
        ("OK", Group::Accepted), // Some of Infobip's lists print group 0 so.
        ("PENDING", Group::Pending),
        ("UNDELIVERABLE", Group::Undeliverable),
        ("DELIVERED", Group::Delivered),
        ("EXPIRED", Group::Expired),
        ("REJECTED", Group::Rejected),
    ];
    WORDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(word)).map(|(_, group)| *group)
}

/// Ids are unique only together with the group: 87 stands in two of them.
fn meaning(group: Group, id: Option<u16>) -> Meaning {
    match (group, id) {
        // DELIVERED_TO_OPERATOR is in the delivered group, but the handset's answer is still to come.
        (Group::Delivered, Some(2)) => Meaning::new(State::Sent, false, None),
        // PENDING_ACCEPTED: taken, and nothing sent yet.
        (Group::Pending, Some(26)) => Meaning::new(State::Accepted, false, None),
        (Group::Accepted, _) => Meaning::new(State::Accepted, false, None),
        (Group::Pending, _) => Meaning::new(State::Sent, false, None),
        (Group::Undeliverable, _) => Meaning::new(State::Undelivered, true, None),
        (Group::Delivered, _) => Meaning::new(State::Delivered, true, None),
        (Group::Expired, _) => Meaning::new(State::Expired, true, Some("expired")),
        (Group::Rejected, _) => Meaning::new(State::Rejected, true, None),
    }
}

/// Listed statuses, to find the group of a report that prints only a name or an id.
const IDS: &[(Group, u16, &str)] = &[
    (Group::Pending, 3, "PENDING_WAITING_DELIVERY"),
    (Group::Pending, 7, "PENDING_ENROUTE"),
    (Group::Pending, 26, "PENDING_ACCEPTED"),
    (Group::Pending, 200, "PENDING_ACCEPTED"),
    (Group::Undeliverable, 4, "UNDELIVERABLE_REJECTED_OPERATOR"),
    (Group::Undeliverable, 9, "UNDELIVERABLE_NOT_DELIVERED"),
    (Group::Undeliverable, 31, "UNDELIVERABLE_NOT_SENT"),
    (Group::Undeliverable, 66, "UNDELIVERABLE_NO_DESTINATION"), // Push.
    (Group::Undeliverable, 96, "NO_ANSWER"),
    (Group::Undeliverable, 97, "BUSY"),
    (Group::Undeliverable, 98, "CANCELLED"),
    (Group::Delivered, 2, "DELIVERED_TO_OPERATOR"),
    (Group::Delivered, 5, "DELIVERED_TO_HANDSET"),
    (Group::Expired, 15, "EXPIRED_EXPIRED"),
    (Group::Expired, 29, "EXPIRED_DLR_UNKNOWN"),
    (Group::Expired, 87, "SIGNALS_BLOCKED"),
    (Group::Rejected, 6, "REJECTED_NETWORK"),
    (Group::Rejected, 8, "REJECTED_PREFIX_MISSING"),
    (Group::Rejected, 10, "REJECTED_DND"),
    (Group::Rejected, 11, "REJECTED_SOURCE"),
    (Group::Rejected, 12, "REJECTED_NOT_ENOUGH_CREDITS"),
    (Group::Rejected, 13, "REJECTED_SENDER"),
    (Group::Rejected, 14, "REJECTED_DESTINATION_BLOCKLISTED"),
    (Group::Rejected, 14, "REJECTED_DESTINATION_BLACKLISTED"), // As older lists spell it.
    (Group::Rejected, 17, "REJECTED_PREPAID_PACKAGE_EXPIRED"),
    (Group::Rejected, 18, "REJECTED_DESTINATION_NOT_REGISTERED"),
    (Group::Rejected, 19, "REJECTED_ROUTE_NOT_AVAILABLE"),
    (Group::Rejected, 20, "REJECTED_FLOODING_FILTER"),
    (Group::Rejected, 21, "REJECTED_SYSTEM_ERROR"),
    (Group::Rejected, 23, "REJECTED_DUPLICATE_MESSAGE_ID"),
    (Group::Rejected, 24, "REJECTED_INVALID_UDH"),
    (Group::Rejected, 25, "REJECTED_MESSAGE_TOO_LONG"),
    (Group::Rejected, 51, "MISSING_TO"),
    (Group::Rejected, 52, "REJECTED_DESTINATION"),
    (Group::Rejected, 56, "REJECTED_INVALID_NOTIFY_URL"),
    (Group::Rejected, 65, "REJECTED_NO_APPLICATION"),
    (Group::Rejected, 68, "REJECTED_PAYLOAD_TOO_BIG"),
    (Group::Rejected, 69, "REJECTED_NO_CONTENT"),
    (Group::Rejected, 70, "REJECTED_INVALID_VALIDITY_PERIOD"),
    (Group::Rejected, 71, "REJECTED_INVALID_QUERY"),
    (Group::Rejected, 73, "REJECTED_INVALID_INBOX_TOPIC"),
    (Group::Rejected, 74, "REJECTED_INVALID_PRIMARY_BUTTON_ACTION"),
    (Group::Rejected, 75, "REJECTED_FREE_TRIAL_EXCEEDED"),
    (Group::Rejected, 77, "REJECTED_MESSAGE_TEXT_TOO_LONG"),
    (Group::Rejected, 87, "SIGNALS_BLOCKED"),
    (Group::Rejected, 87, "REJECTED_INVALID_DELIVERY_TIME_WINDOW"),
    (Group::Rejected, 88, "REJECTED_DATA_TRANSFORMATION_FAILED"),
    (Group::Rejected, 89, "REJECTED_INTERNAL_ERROR"),
    (Group::Rejected, 90, "REJECTED_VALIDATION_FAILED"),
    (Group::Rejected, 99, "REJECTED"),
    (Group::Rejected, 100, "UNDELIVERABLE_REJECTED_PLATFORM"), // Its name says another group.
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_group_the_name_or_the_id_tells_where_it_means_one_thing() {
        for (status, expected) in [
            (r#"{"groupName":"","name":"DELIVERED_TO_HANDSET"}"#, Some(State::Delivered)),
            (r#"{"name":"delivered_to_handset"}"#, Some(State::Delivered)),
            (r#"{"id":5,"name":"DELIVERED_TO_HANDSET"}"#, Some(State::Delivered)),
            (r#"{"id":6,"name":"DELIVERED_TO_HANDSET"}"#, None),
            (r#"{"id":5}"#, Some(State::Delivered)),
            (r#"{"id":9999}"#, None),
            (r#"{"name":"FLOWN_AWAY"}"#, None),
            // Listed twice, and of two meanings.
            (r#"{"name":"SIGNALS_BLOCKED"}"#, None),
            (r#"{"name":"PENDING_ACCEPTED"}"#, None),
            (r#"{"id":26,"name":"PENDING_ACCEPTED"}"#, Some(State::Accepted)),
            (r#"{"id":200,"name":"PENDING_ACCEPTED"}"#, Some(State::Sent)),
            (r#"{}"#, None),
        ] {
            let status: Status<'_> = serde_json::from_str(status).expect("a status");
            assert_eq!(status.meaning().map(|meaning| meaning.state), expected, "{status:?}");
        }
    }
}
