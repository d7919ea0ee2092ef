//! Ends engines and removes their directory when the test is over, however it ends.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use parking_lot::Mutex;

use crate::program::run;

/// Reads the ids of processes to end from a pipe that the test holds. The system closes the pipe when the test dies, even by
/// a signal that it can't handle; a parent-death signal would be lost where a process changes its user.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pids=
while read -r verb pid; do
	rest=
	for known in $pids; do [ "$known" = "$pid" ] || rest="$rest $known"; done
	pids=$rest
	[ "$verb" = forget ] || pids="$rest $pid"
done
# A process that ended and that nobody waited for has no program any more.
living() { for pid in $pids; do readlink "/proc/$pid/exe" >/dev/null && return 0; done; return 1; }
[ -z "$pids" ] || kill -QUIT $pids 2>/dev/null
tries=0
while living && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
rm -rf "$1"
"#;

/// A directory, and the processes at work in it. Dropped, it ends them and waits until the directory is gone.
#[derive(Debug)]
pub(crate) struct Guard {
    directory: PathBuf,
    pipe: Mutex<Option<ChildStdin>>,
    shell: Child,
}

impl Guard {
    /// Makes a directory that every user may enter.
    pub(crate) fn new(name: &str) -> Self {
        let prefix = format!("berth-{name}-");
        let directory =
            tempfile::Builder::new().prefix(&prefix).tempdir().expect("a directory can be made").keep();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&directory, mode).expect("the directory can be opened to others");
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(&directory)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let pipe = Mutex::new(shell.stdin.take());
        Self { directory, pipe, shell }
    }

    /// Where the engine's files lie.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a process that ends with the test; what it says goes to `log`.
    pub(crate) fn spawn(&self, command: &mut Command, log: &Path) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(log).expect("a log can be opened");
        let child = command
            .current_dir(&self.directory)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log can be shared"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        self.tell("watch", child.id());
        child
    }

    /// Ends a process that was spawned here by a signal, and waits for its end.
    pub(crate) fn end(&self, mut child: Child, signal: &str) {
        run(Command::new("kill").args(["-s", signal, &child.id().to_string()]));
        self.wait(&mut child);
    }

    /// Waits for the end of a process that was spawned here.
    pub(crate) fn wait(&self, child: &mut Child) {
        child.wait().expect("a child can be waited for");
        self.tell("forget", child.id());
    }

    fn tell(&self, verb: &str, pid: u32) {
        if let Some(pipe) = self.pipe.lock().as_mut() {
            writeln!(pipe, "{verb} {pid}").expect("the guard reads");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe.lock().take();
        // An error means that the guard is gone, and there is nobody left to tell.
        let _ = self.shell.wait();
    }
}
