//! The rules for Prometheus and the dashboards for Grafana: each alert fires when it should and not else, and has its runbook;
//! the dashboards are built as Grafana wants them; both name metrics that there are.
//!
//! Without arguments these are tests like any other. With `live` a real Prometheus scrapes a real run, and shows that the
//! dashboards have data and that alerts fire: `cargo test --test monitoring -- live`.

mod dashboards;
mod expressions;
mod live;
mod rules;
#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("live") {
        return live::run();
    }
    let trials = vec![
        trial("the_rules_are_valid", rules::are_valid),
        trial("each_alert_fires_on_bad_data_and_not_on_good", rules::tests_pass),
        trial("each_alert_is_tested_both_ways", rules::each_is_tested_both_ways),
        trial("a_rule_that_is_wrong_fails_its_tests", rules::a_wrong_rule_fails),
        trial("each_alert_has_its_labels_and_its_runbook", rules::each_has_its_runbook),
        trial("rules_name_metrics_that_there_are", rules::name_known_metrics),
        trial("dashboards_keep_the_rules", dashboards::keep_the_rules),
        trial("dashboards_name_metrics_that_there_are", dashboards::name_known_metrics),
        trial("every_metric_is_on_a_dashboard", dashboards::have_every_metric),
        trial("hurried_rules_are_the_rules", live::hurried_rules_are_the_rules),
        trial("names_are_told_from_labels_and_functions", expressions::names_are_told_apart),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &'static str, test: fn() -> Result<()>) -> Trial {
    Trial::test(name, move || test().map_err(|error| format!("{error:#}").into()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
