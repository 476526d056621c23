//! Settings that are one of a few words.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Gives each variant of an enum its word, by which it is read, printed and listed in the settings' schema.
///
/// What serde derives would read the words too. But where a word is none of them, the config crate does not say which there are.
macro_rules! words {
    ($name:ident, $($variant:ident = $word:literal),+ $(,)?) => {
        impl $name {
            /// As the settings have it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                $crate::settings::words::one_of(deserializer, &[$(($word, Self::$variant)),+])
            }
        }

        // The schema's default is made by it.
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl ::schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({ "enum": [$($word),+] })
            }
        }
    };
}

pub(super) use words;

pub(super) fn one_of<'de, D: Deserializer<'de>, T: Copy>(deserializer: D, words: &[(&str, T)]) -> Result<T, D::Error> {
    let word = String::deserialize(deserializer)?;
    let found = words.iter().find(|(own, _)| *own == word).map(|(_, value)| *value);
    let expected = || words.iter().map(|(own, _)| *own).collect::<Vec<_>>().join(" or ");
    found.ok_or_else(|| D::Error::custom(format!("expected {}", expected())))
}
