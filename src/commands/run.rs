//! `run`: the job.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::admin::{self, Admin};
use crate::avro::Encoder;
use crate::exit::Exit;
use crate::kafka::topics::{self, TopicError};
use crate::kafka::worker::{Stop, Workers};
use crate::logs;
use crate::metrics::Metrics;
use crate::settings::{Guarantee, Settings};
use crate::status::{Shutdown, WorkerStatus};

/// How often brokers that don't answer at the start are asked again.
const START_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Run {
    /// Settings file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

impl Run {
    /// Runs until a signal asks to stop.
    ///
    /// # Errors
    /// A fault of the program.
    pub fn run(&self) -> Result<Exit> {
        let settings = match Settings::read(self.settings.as_deref()) {
            Ok(settings) => settings,
            Err(error) => return Ok(unusable(&error)),
        };
        if let Err(error) = logs::start(&settings.log) {
            return Ok(unusable(&error));
        }
        let metrics = Metrics::new(&settings)?;
        let encoder = Encoder::verified()?;
        let workers = Workers::new(settings, metrics, encoder)?;
        block_on(workers, signalled())
    }
}

/// Runs the workers and the admin port until `stop` says so.
///
/// # Errors
/// A fault of the program.
pub(super) fn block_on(workers: Workers, stop: impl Future<Output = ()>) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(serve(workers, stop))?;
    // A client that hangs while it closes must not hold the process.
    runtime.shutdown_background();
    Ok(exit)
}

/// Waits for SIGTERM or SIGINT. Where signals can't be received, the process is ended by them at once.
pub(super) async fn signalled() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn unusable(error: &anyhow::Error) -> Exit {
    eprintln!("error: {error:#}");
    Exit::Settings
}

async fn serve(workers: Workers, stop: impl Future<Output = ()>) -> Result<Exit> {
    let mut stop = pin!(stop);
    let shutdown = Arc::new(Shutdown::default());
    let delivery = workers.settings().delivery.clone();
    let statuses: Vec<_> = (0..delivery.workers()).map(|_| Arc::new(WorkerStatus::default())).collect();
    let admin = Arc::new(Admin { workers, statuses, shutdown, is_started: AtomicBool::new(false) });
    let listener = match admin::bind(&admin).await {
        Ok(listener) => listener,
        Err(error) => return Ok(unusable(&error)),
    };
    let mut port = tokio::spawn(admin::serve(listener, Arc::clone(&admin)));
    info!(version = env!("CARGO_PKG_VERSION"), workers = delivery.workers(), "started");
    if delivery.guarantee == Guarantee::AtLeastOnce {
        warn!("at-least-once gives up exactly-once: after a fault, events can be published in duplicate");
    }

    tokio::select! {
        found = find_topics(&admin.workers) => if let Some(exit) = found { return Ok(exit) },
        () = &mut stop => return Ok(Exit::Success),
    }
    let mut ends = start(&admin)?;
    let exit = tokio::select! {
        end = ends.recv() => end.flatten().map_or(Exit::Success, |stop| report(&stop)),
        served = &mut port => {
            error!(error = ?served, "the admin port has ended");
            Exit::Internal
        }
        () = &mut stop => Exit::Success,
    };
    info!("stopping");
    admin.shutdown.ask();
    let drain = async {
        let mut exit = exit;
        // The channel is closed when the last worker has ended.
        while let Some(end) = ends.recv().await {
            if let Some(stop) = end {
                exit = report(&stop);
            }
        }
        exit
    };
    let drained = timeout(delivery.shutdown_timeout(), drain).await;
    Ok(drained.unwrap_or_else(|_| {
        error!("the workers did not stop in time; what they had open is aborted by the broker");
        Exit::Failure
    }))
}

fn report(stop: &Stop) -> Exit {
    error!(error = format!("{:#}", stop.error), "a worker has given up");
    stop.exit
}

/// Starts one thread a worker. The channel tells how each ended.
fn start(admin: &Arc<Admin>) -> Result<mpsc::UnboundedReceiver<Option<Stop>>> {
    let (ended, ends) = mpsc::unbounded_channel();
    for (number, status) in admin.statuses.iter().enumerate() {
        let (workers, status, shutdown, ended) =
            (admin.workers.clone(), Arc::clone(status), Arc::clone(&admin.shutdown), ended.clone());
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                let stop = workers.run(number, &status, &shutdown).err();
                // Nobody listens any more where the process is ending.
                let _ = ended.send(stop);
            })
            .context("a worker's thread can't be started")?;
    }
    admin.is_started.store(true, Ordering::Relaxed);
    Ok(ends)
}

/// Waits for the brokers, then for nothing: topics that are missing end the program. `None`: all is there.
async fn find_topics(workers: &Workers) -> Option<Exit> {
    loop {
        let settings = workers.settings().clone();
        let found = tokio::task::spawn_blocking(move || topics::ensure(&settings)).await;
        match found {
            Ok(Ok(_)) => return None,
            Ok(Err(error @ TopicError::Unreachable(_))) => {
                warn!(error = %error, "trying again");
                sleep(START_PAUSE).await;
            }
            Ok(Err(error @ TopicError::NoPermission(_))) => {
                eprintln!("error: {error}");
                return Some(Exit::NoPermission);
            }
            Ok(Err(error)) => {
                eprintln!("error: {error}");
                return Some(Exit::Settings);
            }
            Err(_) => return Some(Exit::Internal),
        }
    }
}
