//! Runs the program as an operator does: a settings file, signals, the admin port, the log.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::kafka::tail;
use super::leash::Leash;
use super::wait::{eventually, poll};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The program, running or ended. Dropping it kills it; if the test is failing, the end of its log is printed.
pub struct Normalizer {
    folder: TempDir,
    admin: String,
    running: Option<(Child, Leash)>,
    environment: Vec<(String, String)>,
}

impl Normalizer {
    /// Starts `run` with these settings and an admin address of its own.
    pub fn start(settings: &Value) -> Normalizer {
        let mut normalizer = Normalizer::prepare(settings);
        normalizer.start_again();
        normalizer
    }

    /// As `start`, but the program is not started yet.
    pub fn prepare(settings: &Value) -> Normalizer {
        let admin = format!("127.0.0.1:{}", free_port());
        let mut settings = settings.clone();
        settings["admin"] = serde_json::json!({ "address": &admin });
        // JSON is YAML too.
        let text = serde_json::to_string_pretty(&settings).expect("print the settings");
        Normalizer::with_file(&text, admin)
    }

    /// As `prepare`, with the text of a settings file, which says this admin address.
    pub fn with_file(text: &str, admin: String) -> Normalizer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("settings.yaml"), text).expect("write the settings");
        Normalizer { folder, admin, running: None, environment: Vec::new() }
    }

    /// Sets a variable in the environment of every later start.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the program again, after it ended, with the same settings and log.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "the normalizer runs already");
        let log = File::options().create(true).append(true).open(self.log_file()).expect("open the log");
        let mut command = Command::new(program());
        command.args(["run", "--settings"]).arg(self.settings_file());
        // Settings in the environment of the tests would change what is tested.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("NORMALIZER__")) {
            command.env_remove(name);
        }
        let process = command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("share the log"))
            .stderr(log)
            .spawn()
            .expect("start the normalizer");
        let leash = Leash::on_process(process.id(), &self.folder.path().to_string_lossy());
        self.running = Some((process, leash));
    }

    /// The file with its settings.
    pub fn settings_file(&self) -> PathBuf {
        self.folder.path().join("settings.yaml")
    }

    /// Runs another command of the program on the same settings, as `["schema", "check"]`, to its end.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(arguments).arg("--settings").arg(self.settings_file()).stdin(Stdio::null());
        command.output().expect("run a command of the normalizer")
    }

    /// Begins another command of the program on the same settings; what it prints is lost.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(program());
        command.args(arguments).arg("--settings").arg(self.settings_file());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("begin a command of the normalizer")
    }

    /// Ends the program as a crash does.
    pub fn kill(&mut self) {
        let (mut process, _leash) = self.running.take().expect("the normalizer runs");
        process.kill().expect("kill the normalizer");
        process.wait().expect("wait for the normalizer");
    }

    /// Stops the program where it stands, as a machine without CPU time does, until [`Normalizer::resume`].
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// The process id of the program that runs.
    pub fn process(&self) -> u32 {
        let (process, _) = self.running.as_ref().expect("the normalizer runs");
        process.id()
    }

    pub fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.process() as i32), signal).expect("signal the normalizer");
    }

    /// The exit code, where the program has ended by itself; none inside where a signal ended it.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        let (process, _) = self.running.as_mut()?;
        let status = process.try_wait().expect("ask for the normalizer's state")?;
        self.running = None;
        Some(status.code())
    }

    /// Asks the program to end and gives its exit code; fails the test when it hasn't ended within `deadline`.
    pub fn terminate(&mut self, deadline: Duration) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.wait_exit(deadline)
    }

    /// Waits until the program ends by itself and gives its exit code; none when a signal ended it.
    pub fn wait_exit(&mut self, deadline: Duration) -> Option<i32> {
        let (mut process, leash) = self.running.take().expect("the normalizer runs");
        let status = poll(deadline, || process.try_wait().expect("ask for the normalizer's state"));
        let Some(status) = status else {
            self.running = Some((process, leash));
            panic!("the normalizer hasn't ended within {deadline:?}");
        };
        status.code()
    }

    /// Waits until the program says that it is ready.
    pub fn wait_ready(&mut self) {
        let url = self.ready_url();
        self.until(READY_WITHIN, "the normalizer is ready", || get(&url).map(|_| ()));
    }

    pub fn is_ready(&self) -> bool {
        get(&self.ready_url()).is_some()
    }

    /// What `/readyz` says, ready or not; none where nobody answers yet.
    pub fn readiness(&self) -> Option<String> {
        agent().get(self.ready_url()).call().ok()?.body_mut().read_to_string().ok()
    }

    /// Host and port of the admin port.
    pub fn address(&self) -> &str {
        &self.admin
    }

    fn ready_url(&self) -> String {
        format!("http://{}/readyz", self.admin)
    }

    /// Waits for something that the program brings about; fails at once when the program ends instead.
    pub fn until<T>(&mut self, deadline: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let (process, _) = self.running.as_mut().expect("the normalizer runs");
        eventually(deadline, what, || {
            if let Some(status) = process.try_wait().expect("ask for the normalizer's state") {
                panic!("the normalizer ended by itself, {status}, before {what}");
            }
            attempt()
        })
    }

    /// The sum of a metric over its series that have all of these labels; 0 when there is none.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.metrics();
        let has_labels = |series: &str| labels.iter().all(|(key, value)| series.contains(&format!("{key}=\"{value}\"")));
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let series_name = series.split('{').next()?;
            (series_name == name && has_labels(series)).then(|| value.parse::<f64>().expect("a number"))
        });
        values.sum()
    }

    /// What `/metrics` says.
    pub fn metrics(&self) -> String {
        get(&format!("http://{}/metrics", self.admin)).expect("the metrics")
    }

    /// What `/status` says.
    pub fn status(&self) -> Value {
        let text = get(&format!("http://{}/status", self.admin)).expect("the status");
        serde_json::from_str(&text).expect("the status is JSON")
    }

    /// All that the program has printed since it was first started.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).expect("read the log")
    }

    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Normalizer {
    fn drop(&mut self) {
        if let Some((mut process, _leash)) = self.running.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if thread::panicking() {
            eprintln!("the normalizer's log ends with:\n{}", tail(Path::new(&self.log_file()), 60));
        }
    }
}

/// Another build of the program where one is named, for example an optimized one.
pub fn program() -> OsString {
    env::var_os("EVENT_NORMALIZER_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_event-normalizer").into())
}

fn get(url: &str) -> Option<String> {
    let mut answer = agent().get(url).call().ok().filter(|answer| answer.status() == 200)?;
    answer.body_mut().read_to_string().ok()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).http_status_as_error(false).build().into()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
