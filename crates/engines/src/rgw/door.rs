//! One more way to the same objects: a gateway of its own, with other settings.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;

use super::{Rgw, Store, s3};
use crate::patience::wait_for;
use crate::port::free_port;
use crate::program::log_end;

/// A second gateway of a running cluster. It ends when it is dropped.
#[derive(Debug)]
pub struct RgwDoor<'a> {
    rgw: &'a Rgw,
    port: u16,
    gateway: Child,
}

impl Rgw {
    /// Opens a gateway that speaks TLS, with the certificate and the key of these PEM files.
    pub fn tls(&self, certificate: &Path, key: &Path) -> RgwDoor<'_> {
        let port = free_port();
        let front = format!(
            "beast ssl_endpoint=127.0.0.1:{port} ssl_certificate={} ssl_private_key={}",
            certificate.display(),
            key.display()
        );
        self.door(port, "https", &[("rgw_frontends", &front)])
    }

    /// Opens a gateway that takes the first part of the host's name for the bucket, where the rest is `domain`.
    pub fn virtual_hosts(&self, domain: &str) -> RgwDoor<'_> {
        let port = free_port();
        let front = format!("beast endpoint=127.0.0.1:{port}");
        self.door(port, "http", &[("rgw_frontends", &front), ("rgw_dns_name", domain)])
    }

    fn door(&self, port: u16, scheme: &str, settings: &[(&str, &str)]) -> RgwDoor<'_> {
        let Store::Ceph(_) = self.store else {
            panic!("only Ceph's gateway opens another door: unset BERTH_MINIO")
        };
        let guard = self.store.guard();
        let log = guard.directory().join(format!("gateway-{port}.log"));
        let mut command = self.store.command();
        command.args(settings.iter().map(|(name, value)| format!("--{name}={value}")));
        let gateway = guard.spawn(&mut command, &log);
        let mut door = RgwDoor { rgw: self, port, gateway };
        wait_for("radosgw", || {
            let ended = door.gateway.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "radosgw ended with {ended:?}\n{}", log_end(&log));
            s3::answers(&format!("{scheme}://127.0.0.1:{port}")).then_some(())
        });
        door
    }
}

impl RgwDoor<'_> {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}

impl Drop for RgwDoor<'_> {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.gateway.kill();
        self.rgw.store.guard().wait(&mut self.gateway);
    }
}
