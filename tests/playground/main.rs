//! The playground: the whole job on one machine, under a load, for people to look at.
//!
//! Without arguments these are tests like any other: that `deploy/compose.yaml` names what there is, and that the load's bodies
//! become what they should. With `start` the playground is started without Docker, and stays until Ctrl-C:
//! `cargo test --test playground -- start`.

mod bodies;
mod compose;
mod image;
mod start;
#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("start") {
        return start::run();
    }
    let trials = vec![
        trial("compose_mounts_what_is_there", compose::mounts_what_is_there),
        trial("compose_runs_what_the_tests_run", compose::runs_what_the_tests_run),
        trial("compose_connects_what_is_there", compose::connects_what_is_there),
        trial("the_program_takes_the_playgrounds_settings", compose::the_program_takes_its_settings),
        trial("a_fault_in_compose_is_found", compose::a_fault_is_found),
        trial("every_vendor_has_bodies_that_become_events", bodies::become_events),
        trial("the_image_is_built_of_all_that_cargo_wants", image::has_all_that_cargo_wants),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &'static str, test: fn() -> Result<()>) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("deploy/playground")
}
