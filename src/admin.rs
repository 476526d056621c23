//! The admin port: `/metrics`, `/healthz`, `/readyz`, `/status`. No payload, key or address is told here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::kafka::worker::Workers;
use crate::status::{Shutdown, WorkerStatus};

/// What the port tells of.
#[derive(Debug)]
pub struct Admin {
    pub workers: Workers,
    pub statuses: Vec<Arc<WorkerStatus>>,
    pub shutdown: Arc<Shutdown>,
    /// Whether the topics were found and the workers started.
    pub is_started: AtomicBool,
}

impl Admin {
    fn is_ready(&self) -> bool {
        self.is_started.load(Ordering::Relaxed)
            && !self.shutdown.is_asked()
            && self.statuses.iter().all(|status| status.is_ready())
    }

    fn is_alive(&self) -> bool {
        !self.is_started.load(Ordering::Relaxed) || self.statuses.iter().all(|status| status.is_alive())
    }

    fn json(&self) -> Value {
        let workers: Vec<_> = self.statuses.iter().map(|status| status.json(|source| self.workers.topic(source))).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "group": self.workers.settings().kafka.group,
            "settings_digest": self.workers.settings().digest(),
            "ready": self.is_ready(),
            "stopping": self.shutdown.is_asked(),
            "workers": workers,
        })
    }
}

/// Takes the port. Done before anything is consumed.
///
/// # Errors
/// The address is in use or is not ours.
pub async fn bind(admin: &Admin) -> Result<TcpListener> {
    let address = admin.workers.settings().admin.address;
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
    match admin.workers.metrics().text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn healthz(State(admin): State<Arc<Admin>>) -> (StatusCode, &'static str) {
    if admin.is_alive() { (StatusCode::OK, "alive\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "a worker stands still\n") }
}

async fn readyz(State(admin): State<Arc<Admin>>) -> (StatusCode, &'static str) {
    if admin.is_ready() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }
}

async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let text = format!("{:#}\n", admin.json());
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
