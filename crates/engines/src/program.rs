//! The programs of the engines: where they are, and under which user they may run.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Finds a program where Debian puts it; `package` is the one that has it.
pub(crate) fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.extend(postgres_folders());
    folders.iter().map(|folder| folder.join(program)).find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("{program} is not installed: run scripts/packages, or apt-get install {package}")
    })
}

/// Finds a program of the newest PostgreSQL server.
pub(crate) fn find_postgres(program: &str) -> PathBuf {
    postgres_folders()
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| find(program, "postgresql"))
}

/// Debian keeps the server's programs out of the path; the newest version comes first.
fn postgres_folders() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    versions.into_iter().map(|version| version.join("bin")).collect()
}

/// Who runs an engine that refuses to run as root.
#[derive(Debug, Clone, Copy)]
pub(crate) enum User {
    /// The user of the test.
    Own,
    /// The test is root's: the package's own user, by its ids.
    Other(u32, u32),
}

impl User {
    /// Returns the user `name` for root, else the test's own.
    pub(crate) fn unless_root(name: &str, package: &str) -> Self {
        let id = |arguments: &[&str]| -> Option<u32> {
            let output = Command::new("id").args(arguments).output().ok()?;
            String::from_utf8_lossy(&output.stdout).trim().parse().ok()
        };
        if id(&["-u"]) != Some(0) {
            return Self::Own;
        }
        match (id(&["-u", name]), id(&["-g", name])) {
            (Some(user), Some(group)) => Self::Other(user, group),
            _ => panic!("there is no user {name}: run scripts/packages, or apt-get install {package}"),
        }
    }

    /// Begins a command of this user. The process keeps its id when it becomes the program.
    pub(crate) fn command(self, program: &Path) -> Command {
        match self {
            Self::Own => Command::new(program),
            Self::Other(user, group) => {
                let mut command = Command::new(find("setpriv", "util-linux"));
                command.args([format!("--reuid={user}"), format!("--regid={group}")]);
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
        }
    }

    /// Gives a file or directory to this user.
    pub(crate) fn own(self, path: &Path) {
        if let Self::Other(user, group) = self {
            chown(path, Some(user), Some(group)).expect("root may give a file away");
        }
    }
}

/// Runs a command to its end and returns what it printed; fails with what it complained about.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", complaint(&output));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Returns what a command complained about, and how it ended.
pub(crate) fn complaint(output: &Output) -> String {
    format!("{} ({})", String::from_utf8_lossy(&output.stderr).trim_end(), output.status)
}

/// Returns the end of a log, for the message of a failure.
pub(crate) fn log_end(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
