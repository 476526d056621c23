//! Ends what a test started when the test process ends, however that happens.

use std::process::{Child, Command, Stdio};

/// A small shell that waits for the end of the test process and then cleans up.
///
/// It reads from a pipe whose other end only this process holds: the read ends when the process does, killed or not.
/// Dropping the leash ends the shell without cleaning up: do that once what it guards is gone.
pub struct Leash(Child);

impl Leash {
    /// Kills a process with SIGKILL and removes a folder.
    pub fn on_process(process: u32, folder: &str) -> Leash {
        // The folder may be written to until the process is gone, so one removal may not be enough.
        const CLEAN_UP: &str = r#"kill -KILL "$1"
            for attempt in 1 2 3 4 5; do rm -rf "$2" && break; sleep 1; done"#;
        Leash::new(CLEAN_UP, &[&process.to_string(), folder])
    }

    /// Removes a container. Needs the `docker` command; without it the container stays.
    pub fn on_container(container: &str) -> Leash {
        Leash::new(r#"docker rm --force --volumes "$1""#, &[container])
    }

    fn new(clean_up: &str, arguments: &[&str]) -> Leash {
        // An interrupt from the keyboard goes to the shell too, which must outlive it.
        let script = format!("trap '' INT TERM HUP; read -r _; {clean_up}");
        let shell = Command::new("sh")
            .args(["-c", &script, "sh"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start sh");
        Leash(shell)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
