//! The subcommands, one file each.

pub mod catalogue;
pub mod check;
pub mod dead_letters;
pub mod demo;
mod progress;
pub mod run;
pub mod schema;
mod table;
pub mod translate;
