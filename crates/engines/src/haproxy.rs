//! HAProxy: one address in front of several servers of a registry.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command};

use parking_lot::Mutex;

use crate::guard::Guard;
use crate::patience::wait_for;
use crate::port::free_port;
use crate::program::{find, log_end, run};

/// Takes turns. Whoever does not say that it is ready is left out within about a second, and what waits for it is cut off. A
/// request that reached nobody goes to another; one that may have been worked is sent again only if it changes nothing.
const SETTINGS: &str = "
global
    maxconn 4096
    log stdout format raw local0
    stats socket unix@stats level admin
defaults
    mode http
    log global
    option httplog
    option redispatch 1
    retries 4
    retry-on conn-failure empty-response
    timeout connect 1s
    timeout check 1s
    timeout client 120s
    timeout server 120s
    timeout http-keep-alive 60s
frontend registry
    bind 127.0.0.1:PORT
    default_backend nodes
backend nodes
    balance roundrobin
    http-request disable-l7-retry unless { method GET HEAD }
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 300ms fastinter 100ms downinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
";

/// A balancer over HTTP/1.1.
#[derive(Debug)]
pub struct Haproxy {
    port: u16,
    process: Mutex<Child>,
    // Last: it removes the directory.
    guard: Guard,
}

impl Haproxy {
    /// Starts a balancer in front of servers given as `host:port`.
    pub fn start(backends: &[String]) -> Self {
        let (guard, port) = (Guard::new("haproxy"), free_port());
        let mut settings = SETTINGS.replace("PORT", &port.to_string());
        for (number, backend) in backends.iter().enumerate() {
            writeln!(settings, "    server node{number} {backend}").expect("text can be written");
        }
        let config = guard.directory().join("haproxy.cfg");
        std::fs::write(&config, settings).expect("a file can be written");
        let program = find("haproxy", "haproxy");
        run(Command::new(&program).args(["-c", "-f"]).arg(&config).current_dir(guard.directory()));
        let log = guard.directory().join("log");
        let mut process = guard.spawn(Command::new(program).args(["-db", "-f"]).arg(&config), &log);
        wait_for("haproxy", || {
            let ended = process.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "haproxy ended with {ended:?}\n{}", log_end(&log));
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { port, process: Mutex::new(process), guard }
    }

    /// Returns host and port, as image references begin.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the last lines of its log: one for each request, and for each server that went or came.
    pub fn log(&self) -> String {
        log_end(&self.guard.directory().join("log"))
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let mut process = self.process.lock();
        // An error means that it has ended already.
        let _ = process.kill();
        self.guard.wait(&mut process);
    }
}
