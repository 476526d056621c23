//! Which build this is.

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that was built, as `EVENT_NORMALIZER_COMMIT` gave it to the build; the image's recipe does.
pub const COMMIT: &str = match option_env!("EVENT_NORMALIZER_COMMIT") {
    Some(commit) if !commit.is_empty() => commit,
    _ => "unknown",
};
