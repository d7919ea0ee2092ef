//! The cluster behind the gateway.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use parking_lot::Mutex;

use crate::guard::Guard;
use crate::patience::wait_for;
use crate::port::free_port;
use crate::program::{find, run};

/// What the cluster is told, beside what differs from one to the next. One copy of everything; a monitor that
/// agrees with itself at once instead of once a second, also on a disk that is nearly full; few placement groups, since each
/// costs time at the start.
const SETTINGS: &str = "
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
public addr = 127.0.0.1
pid file =
admin socket =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 0
mon data avail warn = 0
mon max pg per osd = 1000
paxos propose interval = 0.02
paxos min wait = 0.01
rgw rados pool pg num min = 1
";

/// Where objects lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// They go with the daemon.
    Memory,
    /// They outlive it.
    Disk,
}

impl Place {
    /// On a disk, a daemon may come back: it waits for as long as its predecessor may have promised to answer, and the gateway
    /// asks the monitor early where it is now.
    fn settings(self) -> &'static str {
        match self {
            Self::Memory => "osd objectstore = memstore\nmemstore device bytes = 8589934592\n",
            Self::Disk => {
                "osd objectstore = bluestore\nbluestore block size = 21474836480\nosd heartbeat grace = 1\n\
                 objecter tick interval = 0.5\nobjecter timeout = 1\n"
            }
        }
    }
}

/// A monitor and an object daemon, without a manager.
#[derive(Debug)]
pub(super) struct Ceph {
    gateway_port: u16,
    place: Place,
    daemons: Mutex<Vec<Child>>,
    guard: Guard,
}

impl Ceph {
    /// Starts a cluster that knows a gateway of this name.
    pub(super) fn new(gateway: &str, place: Place) -> Self {
        let (gateway_port, daemons, guard) = (free_port(), Mutex::new(Vec::new()), Guard::new("ceph"));
        let ceph = Self { gateway_port, place, daemons, guard };
        let monitor = format!("[v2:127.0.0.1:{}/0]", free_port());
        let id = random_id();
        std::fs::write(ceph.config(), ceph.settings(&id, &monitor)).expect("a file can be written");
        for folder in ["mon", "osd", "run"] {
            std::fs::create_dir(ceph.directory().join(folder)).expect("a directory can be made");
        }
        let keyring = ceph.directory().join("keyring");
        make_keyring(&keyring, gateway);
        let map = ceph.directory().join("monmap");
        let mut monmaptool = Command::new(find("monmaptool", "ceph-base"));
        run(monmaptool.args(["--create", "--fsid", &id, "--addv", "a", &monitor]).arg(&map));
        run(ceph
            .command("ceph-mon", "ceph-mon")
            .args(["--mkfs", "-i", "a", "--monmap"])
            .arg(&map)
            .arg("--keyring")
            .arg(&keyring));
        ceph.start("ceph-mon", "a");
        run(ceph.ask().args(["auth", "import", "-i"]).arg(&keyring));
        let id = random_id();
        run(ceph.ask().args(["osd", "new", &id]));
        run(ceph.command("ceph-osd", "ceph-osd").args(["-i", "0", "--mkfs", "--osd-uuid", &id]));
        ceph.start("ceph-osd", "0");
        let place = ["osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h"];
        run(ceph.ask().args(place));
        ceph
    }

    fn settings(&self, id: &str, monitor: &str) -> String {
        let directory = self.directory().display();
        let place = self.place.settings();
        let mut text = format!("[global]\nfsid = {id}\nmon host = {monitor}\n{SETTINGS}{place}");
        for (key, file) in [
            ("keyring", "keyring"),
            ("mon data", "mon"),
            ("osd data", "osd"),
            ("run dir", "run"),
            ("log file", "$name.log"),
            ("mon cluster log file", "cluster.log"),
        ] {
            writeln!(text, "{key} = {directory}/{file}").expect("text can be written");
        }
        writeln!(text, "rgw frontends = beast endpoint=127.0.0.1:{}", self.gateway_port)
            .expect("text can be written");
        text
    }

    pub(super) fn config(&self) -> PathBuf {
        self.directory().join("ceph.conf")
    }

    pub(super) fn directory(&self) -> &Path {
        self.guard.directory()
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) fn gateway_port(&self) -> u16 {
        self.gateway_port
    }

    fn command(&self, program: &str, package: &str) -> Command {
        let mut command = Command::new(find(program, package));
        command.arg("-c").arg(self.config()).current_dir(self.directory());
        command
    }

    /// Asks the monitor; one that has died would else be waited for without end.
    fn ask(&self) -> Command {
        let mut command = self.command("ceph", "ceph-common");
        command.args(["--connect-timeout", "60"]);
        command
    }

    fn start(&self, program: &str, id: &str) {
        let log = self.directory().join(format!("{program}.out"));
        let mut command = self.command(program, program);
        let child = self.guard.spawn(command.args(["-f", "-i", id]), &log);
        self.daemons.lock().push(child);
    }

    /// Ends both daemons at once, by a signal that they can't handle.
    pub(super) fn kill(&self) {
        for mut daemon in self.daemons.lock().drain(..) {
            daemon.kill().expect("a child can be killed");
            self.guard.wait(&mut daemon);
        }
    }

    /// Starts both daemons again, if they were ended.
    pub(super) fn revive(&self) {
        if self.daemons.lock().is_empty() {
            self.start("ceph-mon", "a");
            self.start("ceph-osd", "0");
        }
    }
}

impl Drop for Ceph {
    fn drop(&mut self) {
        for daemon in self.daemons.get_mut() {
            // An error means that it has ended already.
            let _ = daemon.kill();
            self.guard.wait(daemon);
        }
    }
}

/// Keys of everybody who takes part.
fn make_keyring(file: &Path, gateway: &str) {
    for (name, rights) in [
        ("mon.", &[("mon", "allow *")][..]),
        ("client.admin", &[("mon", "allow *"), ("osd", "allow *"), ("mgr", "allow *")]),
        ("osd.0", &[("mon", "allow profile osd"), ("osd", "allow *")]),
        (gateway, &[("mon", "allow rw"), ("osd", "allow rwx")]),
    ] {
        let mut authtool = Command::new(find("ceph-authtool", "ceph-common"));
        if !file.exists() {
            authtool.arg("--create-keyring");
        }
        authtool.arg(file).args(["--gen-key", "-n", name]);
        for (service, right) in rights {
            authtool.args(["--cap", service, right]);
        }
        run(&mut authtool);
    }
}

/// A random UUID, from the system.
fn random_id() -> String {
    let id = wait_for("a random id", || std::fs::read_to_string("/proc/sys/kernel/random/uuid").ok());
    id.trim().to_owned()
}
