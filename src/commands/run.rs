//! `run`: the job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use backon::{BackoffBuilder, ExponentialBuilder};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::admin::{self, Admin};
use crate::avro::Encoder;
use crate::event::Stream;
use crate::exit::Exit;
use crate::kafka::topics;
use crate::kafka::worker::{Stop, Workers};
use crate::logs;
use crate::metrics::Metrics;
use crate::registry::{self, RegistryError};
use crate::settings::{Guarantee, SchemaRegistry, Settings};
use crate::version::{COMMIT, VERSION};

/// How long brokers and a registry that don't answer at the start are left alone: longer each time, up to the second figure.
const START_PAUSE: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

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
        block_on(settings, signalled())
    }
}

/// Runs the workers and the admin port until `stop` says so.
///
/// # Errors
/// A fault of the program.
pub(super) fn block_on(settings: Settings, stop: impl Future<Output = ()>) -> Result<Exit> {
    let encoder = Encoder::verified()?;
    let metrics = Metrics::new(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(serve(Admin::new(settings, metrics), encoder, stop))?;
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

/// Lets stopped sources go on whenever SIGHUP asks for it.
async fn resume_on_hangup(admin: Arc<Admin>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        info!("SIGHUP: sources that were stopped go on");
        admin.resume_sources();
    }
}

fn unusable(error: &anyhow::Error) -> Exit {
    eprintln!("error: {error:#}");
    Exit::Settings
}

async fn serve(admin: Admin, encoder: Encoder, stop: impl Future<Output = ()>) -> Result<Exit> {
    let (admin, mut stop) = (Arc::new(admin), pin!(stop));
    let listener = match admin::bind(&admin).await {
        Ok(listener) => listener,
        Err(error) => return Ok(unusable(&error)),
    };
    let mut port = tokio::spawn(admin::serve(listener, Arc::clone(&admin)));
    let delivery = &admin.settings.delivery;
    info!(version = VERSION, commit = COMMIT, workers = delivery.workers(), "started");
    if delivery.guarantee == Guarantee::AtLeastOnce {
        warn!("at-least-once gives up exactly-once: after a fault, events can be published in duplicate");
    }

    let prepared = tokio::select! {
        prepared = prepare(&admin, encoder) => prepared?,
        () = &mut stop => return Ok(Exit::Success),
    };
    let workers = match prepared {
        Ok(workers) => workers,
        Err(exit) => return Ok(exit),
    };
    if admin.breaker.stop_above().is_some() {
        tokio::spawn(resume_on_hangup(Arc::clone(&admin)));
    }
    let mut ends = start(&admin, &workers)?;
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
fn start(admin: &Arc<Admin>, workers: &Workers) -> Result<mpsc::UnboundedReceiver<Option<Stop>>> {
    let (ended, ends) = mpsc::unbounded_channel();
    for (number, status) in admin.statuses.iter().enumerate() {
        let (admin, workers, status, ended) = (Arc::clone(admin), workers.clone(), Arc::clone(status), ended.clone());
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                let stop = workers.run(number, &status, &admin.shutdown).err();
                // Nobody listens any more where the process is ending.
                let _ = ended.send(stop);
            })
            .context("a worker's thread can't be started")?;
    }
    admin.startup.done();
    Ok(ends)
}

/// Waits for the brokers and the schema registry. What won't pass by itself gives the exit code of the program.
async fn prepare(admin: &Admin, encoder: Encoder) -> Result<Result<Workers, Exit>> {
    let settings = Arc::clone(&admin.settings);
    let found = eventually(admin, move || match topics::ensure(&settings) {
        Ok(_) => Step::Done(()),
        Err(error) if error.is_passing() => Step::Again(error.to_string()),
        Err(error) => Step::Never(error.to_string(), error.exit()),
    });
    if let Err(exit) = found.await {
        return Ok(Err(exit));
    }
    let mut encoders = BTreeMap::new();
    if let Some(registry) = admin.settings.schema_registry.clone() {
        let settings = Arc::clone(&admin.settings);
        let asked = registry.clone();
        let requests = admin.metrics.registry_requests.clone();
        let ids = eventually(admin, move || match registry::ids(&settings, &asked, Some(&requests)) {
            Ok(ids) => Step::Done(ids),
            Err(error @ RegistryError::Unreachable(_)) => Step::Again(error.to_string()),
            Err(error @ RegistryError::NoPermission(_)) => Step::Never(error.to_string(), Exit::NoPermission),
            Err(error) => Step::Never(error.to_string(), Exit::Settings),
        });
        let ids = match ids.await {
            Ok(ids) => ids,
            Err(exit) => return Ok(Err(exit)),
        };
        encoders = with_ids(&admin.settings, &registry, &ids, encoder)?;
    }
    let encoder = |stream| encoders.get(&stream).copied().unwrap_or(encoder);
    Workers::new(Arc::clone(&admin.settings), Arc::clone(&admin.metrics), Arc::clone(&admin.breaker), encoder).map(Ok)
}

/// The encoder of each stream, with the id that the registry gave to its subject.
///
/// # Errors
/// A subject has no id: a fault of the program.
pub(super) fn with_ids(
    settings: &Settings,
    registry: &SchemaRegistry,
    ids: &BTreeMap<String, u32>,
    encoder: Encoder,
) -> Result<BTreeMap<Stream, Encoder>> {
    let of =
        |(stream, subject)| Ok((stream, encoder.with_schema_id(*ids.get(&subject).context("a subject has no schema id")?)));
    registry::subjects(settings, registry).into_iter().map(of).collect()
}

/// What came of an attempt.
enum Step<T> {
    Done(T),
    /// Why not yet.
    Again(String),
    Never(String, Exit),
}

/// Repeats a blocking attempt until it is done or can't be; what it waits for is told to the log and to `/readyz`.
async fn eventually<T: Send + 'static>(
    admin: &Admin,
    attempt: impl Fn() -> Step<T> + Send + Clone + 'static,
) -> Result<T, Exit> {
    let [first, longest] = START_PAUSE;
    let pauses = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).without_max_times();
    let mut pauses = pauses.build();
    loop {
        match tokio::task::spawn_blocking(attempt.clone()).await {
            Ok(Step::Done(result)) => return Ok(result),
            Ok(Step::Again(reason)) => {
                warn!(reason, "trying again");
                admin.startup.waits_for(reason);
            }
            Ok(Step::Never(reason, exit)) => {
                eprintln!("error: {reason}");
                return Err(exit);
            }
            Err(_) => return Err(Exit::Internal),
        }
        sleep(pauses.next().unwrap_or(longest)).await;
    }
}
