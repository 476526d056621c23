//! The subcommands, one file each.

pub mod catalogue;
pub mod check;
pub mod demo;
pub mod run;
pub mod schema;
pub mod translate;
