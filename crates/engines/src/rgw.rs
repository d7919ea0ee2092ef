//! Ceph's object gateway: a private cluster of one monitor and one object daemon that keeps its objects in memory.

mod ceph;
mod s3;

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::patience::wait_for;
use crate::program::{find, log_end, run};
use ceph::Ceph;

const ACCESS_KEY: &str = "berth-access-key";
const SECRET_KEY: &str = "berth-secret-key";
const NAME: &str = "client.rgw.a";

/// A gateway that speaks S3 over HTTP on a port of the loopback address, in path style. Its objects go when it is dropped, or
/// with the test; they stay while the gateway alone is stopped.
#[derive(Debug)]
pub struct Rgw {
    gateway: Mutex<Option<Child>>,
    buckets: AtomicU64,
    // Last: it removes the directory.
    ceph: Ceph,
}

impl Rgw {
    /// Returns the gateway that the tests of one binary share. It starts when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Rgw> = LazyLock::new(Rgw::start_new);
        &SHARED
    }

    /// Starts a gateway, which takes a few seconds.
    pub fn start_new() -> Self {
        let rgw = Self { gateway: Mutex::new(None), buckets: AtomicU64::new(1), ceph: Ceph::new(NAME) };
        rgw.start();
        let mut admin = rgw.admin();
        admin.args(["user", "create", "--uid=berth", "--display-name=berth"]);
        run(admin.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]));
        rgw
    }

    /// Returns where it is reached, such as `http://127.0.0.1:20480`. It stays the same across restarts.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ceph.gateway_port()).into()
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

    /// Lists the objects of a bucket: a JSON array of what the gateway notes of each, its `name` among it.
    pub fn list(&self, bucket: &str) -> String {
        run(self.admin().args(["bucket", "list", "--max-entries=100000", "--bucket", bucket]))
    }

    fn admin(&self) -> Command {
        let mut admin = Command::new(find("radosgw-admin", "radosgw"));
        admin.arg("-c").arg(self.ceph.config()).args(["-n", NAME]);
        admin
    }

    /// Ends the gateway at once, in the middle of whatever it does.
    pub fn stop(&self) {
        if let Some(mut gateway) = self.gateway.lock().take() {
            gateway.kill().expect("a child can be killed");
            self.ceph.wait(&mut gateway);
        }
    }

    /// Starts the gateway, unless it runs, and waits until it answers.
    pub fn start(&self) {
        let mut gateway = self.gateway.lock();
        if gateway.is_some() {
            return;
        }
        let log = self.ceph.directory().join("gateway.log");
        let mut command = Command::new(find("radosgw", "radosgw"));
        command.arg("-c").arg(self.ceph.config()).args(["-f", "-n", NAME]);
        let child = gateway.insert(self.ceph.spawn(&mut command, &log));
        wait_for("radosgw", || {
            let ended = child.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "radosgw ended with {ended:?}\n{}", log_end(&log));
            s3::answers(&self.endpoint()).then_some(())
        });
    }
}
