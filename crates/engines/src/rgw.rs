//! An object store: Ceph's gateway on a private cluster of one monitor and one object daemon, or the MinIO that `BERTH_MINIO`
//! names.

mod ceph;
mod door;
mod minio;
mod s3;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::guard::Guard;
use crate::patience::wait_for;
use crate::program::{find, log_end, run};
use ceph::{Ceph, Place};
pub use door::RgwDoor;
use minio::Minio;

const ACCESS_KEY: &str = "berth-access-key";
const SECRET_KEY: &str = "berth-secret-key";
const NAME: &str = "client.rgw.a";

/// A server that speaks S3 over HTTP on a port of the loopback address, in path style. Its objects go when it is dropped, or
/// with the test; they stay while it is stopped.
#[derive(Debug)]
pub struct Rgw {
    gateway: Mutex<Option<Child>>,
    buckets: AtomicU64,
    // Last: it removes the directory.
    store: Store,
}

/// What answers.
#[derive(Debug)]
enum Store {
    Ceph(Ceph),
    Minio(Minio),
}

impl Store {
    /// Prepares the MinIO that the environment names, or else Ceph.
    fn new(place: Place) -> Self {
        match std::env::var_os("BERTH_MINIO") {
            Some(program) => Self::Minio(Minio::new(PathBuf::from(program))),
            None => Self::Ceph(Ceph::new(NAME, place)),
        }
    }

    fn guard(&self) -> &Guard {
        match self {
            Self::Ceph(ceph) => ceph.guard(),
            Self::Minio(minio) => minio.guard(),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Ceph(ceph) => ceph.gateway_port(),
            Self::Minio(minio) => minio.port(),
        }
    }

    /// The process that listens, not yet started.
    fn command(&self) -> Command {
        match self {
            Self::Ceph(ceph) => {
                let mut command = Command::new(find("radosgw", "radosgw"));
                command.arg("-c").arg(ceph.config()).args(["-f", "-n", NAME]);
                command
            }
            Self::Minio(minio) => minio.command(),
        }
    }

    /// Path that is answered with success once requests are.
    fn health(&self) -> &'static str {
        match self {
            Self::Ceph(_) => "/",
            Self::Minio(_) => "/minio/health/cluster",
        }
    }
}

impl Rgw {
    /// Returns the gateway that the tests of one binary share. It starts when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Rgw> = LazyLock::new(Rgw::start_new);
        &SHARED
    }

    /// Starts a gateway whose objects lie in memory, which takes a few seconds.
    pub fn start_new() -> Self {
        Self::with(Place::Memory)
    }

    /// Starts a gateway whose objects lie on the disk: [`Self::crash`] leaves them whole.
    pub fn start_durable() -> Self {
        Self::with(Place::Disk)
    }

    fn with(place: Place) -> Self {
        let rgw = Self { gateway: Mutex::new(None), buckets: AtomicU64::new(1), store: Store::new(place) };
        rgw.start();
        if let Store::Ceph(ceph) = &rgw.store {
            let mut admin = admin(ceph);
            admin.args(["user", "create", "--uid=berth", "--display-name=berth"]);
            run(admin.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]));
        }
        rgw
    }

    /// Returns where it is reached, such as `http://127.0.0.1:20480`. It stays the same across restarts.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.store.port()).into()
    }

    /// Returns the region to sign for.
    pub fn region(&self) -> &'static str {
        s3::REGION
    }

    /// Returns the id of the one access key.
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// Returns the secret of the access key.
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// Makes a bucket of a name that no other has.
    pub fn bucket(&self) -> String {
        let name = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        s3::request(&self.endpoint(), &name, &["-X", "PUT"], &[]);
        name
    }

    /// Makes a bucket of this name.
    pub fn make_bucket(&self, name: &str) {
        s3::request(&self.endpoint(), name, &["-X", "PUT"], &[]);
    }

    /// Starts to write an object in parts, and sends none.
    pub fn start_parts(&self, bucket: &str, key: &str) {
        s3::request(&self.endpoint(), &format!("{bucket}/{key}?uploads="), &["-X", "POST"], &[]);
    }

    /// Tells how many uploads in parts a bucket has that were neither ended nor given up.
    pub fn open_parts(&self, bucket: &str) -> usize {
        let answer = s3::request(&self.endpoint(), &format!("{bucket}?uploads="), &[], &[]);
        String::from_utf8_lossy(&answer).matches("<UploadId>").count()
    }

    /// Writes an object.
    pub fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        s3::request(
            &self.endpoint(),
            &format!("{bucket}/{key}"),
            &["-X", "PUT", "--data-binary", "@-"],
            content,
        );
    }

    /// Reads an object.
    pub fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        s3::request(&self.endpoint(), &format!("{bucket}/{key}"), &[], &[])
    }

    /// Removes an object.
    pub fn delete(&self, bucket: &str, key: &str) {
        s3::request(&self.endpoint(), &format!("{bucket}/{key}"), &["-X", "DELETE"], &[]);
    }

    /// Lists the objects of a bucket: a JSON array of what Ceph's gateway notes of each, its `name` among it.
    pub fn list(&self, bucket: &str) -> String {
        let Store::Ceph(ceph) = &self.store else {
            panic!("only Ceph lists its objects so: unset BERTH_MINIO")
        };
        run(admin(ceph).args(["bucket", "list", "--max-entries=100000", "--bucket", bucket]))
    }

    /// Ends the server at once, in the middle of whatever it does.
    pub fn stop(&self) {
        if let Some(mut gateway) = self.gateway.lock().take() {
            gateway.kill().expect("a child can be killed");
            self.store.guard().wait(&mut gateway);
        }
    }

    /// Ends the server and all that lies behind it at once; what is not on a disk is lost.
    pub fn crash(&self) {
        self.stop();
        if let Store::Ceph(ceph) = &self.store {
            ceph.kill();
        }
    }

    /// Starts what does not run of the server, and waits until it answers.
    pub fn start(&self) {
        let mut gateway = self.gateway.lock();
        if gateway.is_some() {
            return;
        }
        if let Store::Ceph(ceph) = &self.store {
            ceph.revive();
        }
        let guard = self.store.guard();
        let log = guard.directory().join("gateway.log");
        let child = gateway.insert(guard.spawn(&mut self.store.command(), &log));
        let health = self.endpoint() + self.store.health();
        wait_for("the object store", || {
            let ended = child.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "the object store ended with {ended:?}\n{}", log_end(&log));
            s3::is_well(&health).then_some(())
        });
    }
}

/// Ceph's tool for its gateway's users and buckets.
fn admin(ceph: &Ceph) -> Command {
    let mut admin = Command::new(find("radosgw-admin", "radosgw"));
    admin.arg("-c").arg(ceph.config()).args(["-n", NAME]);
    admin
}
