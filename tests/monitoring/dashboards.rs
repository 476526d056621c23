//! The dashboards keep the rules of Grafana's own linter, and those of ours.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expressions;
use super::root;

/// Reads the data source from the variable.
const DATA_SOURCE: &str = "${datasource}";

pub struct Dashboard {
    /// The name of its file, without the ending.
    pub name: String,
    pub json: Value,
}

/// A query of a panel.
pub struct Query {
    /// Dashboard, panel and query.
    pub place: String,
    pub expression: String,
}

impl Dashboard {
    pub fn all() -> Result<Vec<Dashboard>> {
        let mut dashboards = Vec::new();
        for entry in fs::read_dir(root().join("deploy/grafana"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let json = serde_json::from_slice(&fs::read(&path)?).with_context(|| name.clone())?;
                dashboards.push(Dashboard { name, json });
            }
        }
        ensure!(dashboards.len() >= 3, "the dashboards were not found");
        dashboards.sort_by(|first, second| first.name.cmp(&second.name));
        Ok(dashboards)
    }

    fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["panels"]).iter().filter(|panel| panel["type"] != "row")
    }

    pub fn queries(&self) -> impl Iterator<Item = Query> {
        self.panels().flat_map(|panel| {
            list(&panel["targets"]).iter().map(|target| Query {
                place: format!("{}: {}: {}", self.name, text(&panel["title"]), text(&target["refId"])),
                expression: text(&target["expr"]).to_owned(),
            })
        })
    }
}

fn list(json: &Value) -> &[Value] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn text(json: &Value) -> &str {
    json.as_str().unwrap_or_default()
}

pub fn keep_the_rules() -> Result<()> {
    let mut titles = BTreeSet::new();
    for dashboard in Dashboard::all()? {
        dashboard_keeps_the_rules(&dashboard).with_context(|| dashboard.name.clone())?;
        ensure!(titles.insert(text(&dashboard.json["title"]).to_owned()), "{}: a title that another one has", dashboard.name);
    }
    // Each rule is worth nothing if it can't be broken.
    let sound = Dashboard::all()?.remove(0);
    for (pointer, value) in [
        ("/editable", json!(true)),
        ("/uid", json!(null)),
        ("/tags", json!([])),
        ("/templating/list/1/multi", json!(false)),
        ("/templating/list/2/includeAll", json!(false)),
        ("/panels/1/title", json!("")),
        ("/panels/1/description", json!("")),
        ("/panels/1/fieldConfig/defaults/unit", json!("")),
        ("/panels/1/datasource/uid", json!("prometheus-1")),
        ("/panels/1/targets/0/datasource/uid", json!("prometheus-1")),
        ("/panels/1/targets/0/expr", json!("rate(normalizer_rebalances_total{job=~\"$job\", instance=~\"$instance\"}[5m])")),
        ("/panels/1/targets/0/expr", json!("normalizer_build_info{job=~\"$job\"}")),
    ] {
        let mut broken = Dashboard { name: sound.name.clone(), json: sound.json.clone() };
        *broken.json.pointer_mut(pointer).with_context(|| format!("there is no {pointer}"))? = value.clone();
        ensure!(dashboard_keeps_the_rules(&broken).is_err(), "{pointer} = {value} was not found");
    }
    Ok(())
}

fn dashboard_keeps_the_rules(dashboard: &Dashboard) -> Result<()> {
    let json = &dashboard.json;
    ensure!(json["uid"] == json!(dashboard.name), "expected the file's name as uid");
    ensure!(json["editable"] == json!(false), "expected editable: false");
    ensure!(!list(&json["tags"]).is_empty() && !text(&json["description"]).is_empty(), "expected tags and a description");
    ensure!(json["__inputs"].is_array(), "expected __inputs, so that it can be imported");
    ensure!(json.get("id").is_none_or(Value::is_null), "an id belongs to one Grafana");

    let variables = list(&json["templating"]["list"]);
    let variable = |name: &str| variables.iter().find(|variable| variable["name"] == name);
    let source = variable("datasource").context("expected the variable datasource")?;
    ensure!(source["type"] == "datasource" && source["query"] == "prometheus", "datasource: expected one of Prometheus");
    for name in ["job", "instance"] {
        let variable = variable(name).with_context(|| format!("expected the variable {name}"))?;
        let is_open = variable["multi"] == json!(true) && variable["includeAll"] == json!(true);
        ensure!(is_open && variable["allValue"] == ".+", "{name}: expected several values and all of them");
        ensure!(variable["datasource"]["uid"] == DATA_SOURCE, "{name}: expected the data source of the variable");
    }

    let mut ids = BTreeSet::new();
    ensure!(list(&json["panels"]).iter().all(|panel| ids.insert(panel["id"].as_u64())), "two panels have one id");
    for panel in dashboard.panels() {
        let title = text(&panel["title"]);
        ensure!(!title.is_empty(), "a panel has no title");
        ensure!(text(&panel["description"]).ends_with('.'), "{title}: expected a description");
        ensure!(!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{title}: expected a unit");
        ensure!(panel["datasource"]["uid"] == DATA_SOURCE, "{title}: expected the data source of the variable");
        ensure!(!list(&panel["targets"]).is_empty(), "{title}: expected a query");
        for target in list(&panel["targets"]) {
            ensure!(target["datasource"]["uid"] == DATA_SOURCE, "{title}: expected the data source of the variable");
            ensure!(!text(&target["legendFormat"]).is_empty(), "{title}: expected a legend");
            query_keeps_the_rules(text(&target["expr"])).with_context(|| title.to_owned())?;
        }
    }
    Ok(())
}

fn query_keeps_the_rules(expression: &str) -> Result<()> {
    let count = |part: &str| expression.matches(part).count();
    let series = count("normalizer_") + count("process_");
    for matcher in ["job=~\"$job\"", "instance=~\"$instance\""] {
        ensure!(series > 0 && count(matcher) == series, "expected {matcher} at each metric: {expression}");
    }
    let ranges = expression.split('[').skip(1).all(|rest| rest.starts_with("$__rate_interval]"));
    ensure!(ranges, "expected $__rate_interval for every range: {expression}");
    Ok(())
}

pub fn name_known_metrics() -> Result<()> {
    let known = expressions::known()?;
    for dashboard in Dashboard::all()? {
        dashboard.queries().try_for_each(|query| expressions::check(&query.place, &query.expression, &known))?;
    }
    Ok(())
}

/// What is counted can be seen.
pub fn have_every_metric() -> Result<()> {
    let dashboards = Dashboard::all()?;
    let shown: Vec<String> = dashboards.iter().flat_map(Dashboard::queries).map(|query| query.expression).collect();
    let shown: BTreeSet<&str> = shown.iter().flat_map(|expression| expressions::names(expression)).collect();
    let unseen: Vec<_> = expressions::known()?
        .into_iter()
        .filter(|name| name.starts_with("normalizer_") && !name.ends_with("_sum") && !name.ends_with("_count"))
        .filter(|name| !shown.contains(name.as_str()))
        .collect();
    ensure!(unseen.is_empty(), "no dashboard shows {unseen:?}");
    Ok(())
}
