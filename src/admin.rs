//! The admin port: `/metrics`, `/healthz`, `/readyz`, `/status`. No payload, key or address is told here.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::breaker::Breaker;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::status::{Shutdown, Startup, WorkerStatus};
use crate::version::{COMMIT, VERSION};

/// What the port tells of.
#[derive(Debug)]
pub struct Admin {
    pub settings: Arc<Settings>,
    pub metrics: Arc<Metrics>,
    pub statuses: Vec<Arc<WorkerStatus>>,
    pub startup: Startup,
    pub shutdown: Arc<Shutdown>,
    pub breaker: Arc<Breaker>,
}

impl Admin {
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        let statuses = (0..settings.delivery.workers()).map(|_| Arc::default()).collect();
        Self {
            breaker: Arc::new(Breaker::new(&settings)),
            settings: Arc::new(settings),
            metrics: Arc::new(metrics),
            statuses,
            startup: Startup::default(),
            shutdown: Arc::default(),
        }
    }

    /// Why the process is not ready; `None` where it is.
    fn unready(&self) -> Option<String> {
        if self.shutdown.is_asked() {
            return Some("stopping".to_owned());
        }
        self.startup.reason().or_else(|| {
            let mut workers = self.statuses.iter().enumerate();
            workers.find_map(|(number, status)| Some(format!("worker {number} {}", status.unready()?)))
        })
    }

    /// Lets sources go on that were stopped for their dead letters.
    pub fn resume_sources(&self) {
        self.breaker.resume();
        for stopped in &self.metrics.source_stopped {
            stopped.set(0);
        }
    }

    /// The raw topics that are stopped for their dead letters.
    fn stopped(&self) -> Vec<&str> {
        self.breaker.stopped().into_iter().map(|source| self.settings.sources[source].topic.as_str()).collect()
    }

    /// Brokers or a registry that are down are no reason to be restarted.
    fn is_alive(&self) -> bool {
        self.startup.reason().is_some() || self.statuses.iter().all(|status| status.is_alive())
    }

    fn json(&self) -> Value {
        let topic = |source: usize| self.settings.sources.get(source).map(|source| source.topic.clone()).unwrap_or_default();
        let workers: Vec<_> =
            self.statuses.iter().map(|status| status.json(topic, |source| self.breaker.is_stopped(source))).collect();
        let unready = self.unready();
        json!({
            "version": VERSION,
            "commit": COMMIT,
            "group": self.settings.kafka.group,
            "settings_digest": self.settings.digest(),
            "ready": unready.is_none(),
            "unready": unready,
            "stopping": self.shutdown.is_asked(),
            "stopped_sources": self.stopped(),
            "workers": workers,
        })
    }
}

/// Takes the port. Done before anything is consumed.
///
/// # Errors
/// The address is in use or is not ours.
pub async fn bind(admin: &Admin) -> Result<TcpListener> {
    let address = admin.settings.admin.address;
    TcpListener::bind(address).await.with_context(|| format!("admin.address: can't listen on {address}"))
}

/// Serves until the task is dropped.
///
/// # Errors
/// The port fails.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) -> Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .with_state(admin);
    axum::serve(listener, router).await.context("the admin port failed")
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    match admin.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn healthz(State(admin): State<Arc<Admin>>) -> (StatusCode, &'static str) {
    if admin.is_alive() { (StatusCode::OK, "alive\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "a worker stands still\n") }
}

async fn readyz(State(admin): State<Arc<Admin>>) -> (StatusCode, String) {
    let stopped = admin.stopped();
    match admin.unready() {
        None if stopped.is_empty() => (StatusCode::OK, "ready\n".to_owned()),
        // The others go on. A process that was not ready would also hold up the deploy that brings the cure.
        None => {
            let topics = stopped.join(", ");
            let text = format!("ready, but stopped for too many dead letters until a restart or SIGHUP: {topics}\n");
            (StatusCode::OK, text)
        }
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let text = format!("{:#}\n", admin.json());
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_status_tells_positions_and_what_is_paused_and_no_secret() {
        let settings = Settings::of_yaml(
            "kafka:
  brokers: b:1
  security: {protocol: sasl_ssl, sasl: {mechanism: PLAIN, username: user-word, password: secret-word}}
sources: [{topic: raw.a, vendor: altcraft}, {topic: raw.b, vendor: mobtexting}]
schema_registry: {url: 'http://r:1', username: reader, password: other-secret-word}
delivery: {workers: 1}
dead_letters: {stop_above: {ratio: 0.5, window: 10}}",
        );
        let settings = settings.expect("settings");
        let metrics = Metrics::new(&settings).expect("metrics");
        let admin = Admin::new(settings, metrics);
        admin.startup.done();
        let status = &admin.statuses[0];
        status.turn();
        status.assigned(&[(0, 3), (1, 4)], &BTreeMap::from([((0, 3), 17)]));
        status.failed("a broker is gone", false);
        admin.breaker.stop(1);

        let json = admin.json();
        let expected = json!([
            {"topic": "raw.a", "partition": 3, "position": 17, "paused": false},
            {"topic": "raw.b", "partition": 4, "position": null, "paused": true},
        ]);
        assert_eq!(json["workers"][0]["assignment"], expected);
        assert_eq!(json["workers"][0]["last_error"], "a broker is gone");
        assert!(json["workers"][0]["last_error_at"].is_string() && json["workers"][0]["last_commit_at"].is_null());
        assert_eq!((&json["version"], &json["ready"]), (&json!(VERSION), &json!(true)));
        assert_eq!(json["stopped_sources"], json!(["raw.b"]));
        assert!(json["settings_digest"].as_str().is_some_and(|digest| digest.len() == 16), "{json}");
        let text = json.to_string();
        assert!(!text.contains("word"), "a secret is told: {text}");
        status.committed(BTreeMap::from([((1, 4), 5)]));
        assert!(admin.json()["workers"][0]["last_commit_at"].is_string());
    }
}
