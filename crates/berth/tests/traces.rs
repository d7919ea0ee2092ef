//! Runs the binary with traces and stands in for the collector.

use std::process::Command;

use tempfile::TempDir;

/// A binary that sends its traces to `endpoint`.
fn berth(directory: &TempDir, endpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.current_dir(directory.path()).env_clear().env("BERTH_TRACES__ENDPOINT", endpoint);
    command
}

#[cfg(not(feature = "otlp"))]
#[test]
fn an_endpoint_needs_the_feature() {
    let here = TempDir::new().unwrap();
    let output = berth(&here, "http://127.0.0.1:4318").arg("serve").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains("built without `--features otlp`"), "{stderr}");
}

#[cfg(feature = "otlp")]
#[expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]
mod with_a_collector {
    use std::io::{BufRead as _, BufReader, Read, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, ChildStdout, ExitStatus, Stdio};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};
    use tempfile::TempDir;

    /// A server that logs at its default level.
    struct Server {
        process: Child,
        output: BufReader<ChildStdout>,
        address: String,
    }

    impl Server {
        fn start(here: &TempDir, endpoint: &str) -> Self {
            let mut command = super::berth(here, endpoint);
            let mut process =
                command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
            let mut output = BufReader::new(process.stdout.take().unwrap());
            let mut line = String::new();
            let address = loop {
                line.clear();
                assert!(output.read_line(&mut line).unwrap() > 0, "ended before it listened");
                if let Some((_, rest)) = line.split_once("listening on http://") {
                    break rest.split('"').next().unwrap().to_owned();
                }
            };
            Self { process, output, address }
        }

        /// Returns the response.
        fn get(&self, path: &str, traceparent: &str) -> String {
            let mut connection = TcpStream::connect(&self.address).unwrap();
            write!(
                connection,
                "GET {path} HTTP/1.1\r\nhost: berth\r\ntraceparent: {traceparent}\r\nconnection: close\r\n\r\n"
            )
            .unwrap();
            let mut response = String::new();
            connection.read_to_string(&mut response).unwrap();
            response
        }

        /// Returns how it ended and what it had logged since its start.
        fn stop(mut self) -> (ExitStatus, String) {
            kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
            let mut output = String::new();
            self.output.read_to_string(&mut output).unwrap();
            (self.process.wait().unwrap(), output)
        }
    }

    /// Where spans are sent, and the heads and bodies of the requests that bring them.
    fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (came, received) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = BufReader::new(connection.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && connection.read_line(&mut head).unwrap() > 0 {}
                let head = head.to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.unwrap().parse().unwrap()];
                connection.read_exact(&mut body).unwrap();
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                connection.get_mut().write_all(answer.as_bytes()).unwrap();
                came.send((head, body)).unwrap();
            }
        });
        (endpoint, received)
    }

    #[test]
    fn requests_become_spans() {
        let here = TempDir::new().unwrap();
        let (endpoint, received) = collector();
        let server = Server::start(&here, &endpoint);
        let recorded = server
            .get("/v2/library/alpine/tags/list", "00-62657274682069732074726163656421-0102030405060708-01");
        assert!(recorded.starts_with("HTTP/1.1 404 "), "{recorded}");
        // The client does not record this trace.
        server.get("/healthz", "00-62657274682069732074726163656422-0102030405060708-00");
        // Not a trace: the request begins one.
        server.get("/readyz", "nonsense");
        let (status, _) = server.stop();
        assert!(status.success());

        let (head, body) = received.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
        let body = String::from_utf8_lossy(&body);
        // "berth is traced!" and "…\"" are the two trace ids, as bytes.
        for there in
            ["GET tags", "berth is traced!", "library/alpine", "http.response.status_code", "GET ready"]
        {
            assert!(body.contains(there), "{there} in {body:?}");
        }
        for absent in ["GET health", "berth is traced\"", "traceparent", "nonsense"] {
            assert!(!body.contains(absent), "{absent} in {body:?}");
        }
    }

    /// Requests are answered, the server ends in time, and its log says once what was lost.
    fn harms_no_request(endpoint: &str) {
        let here = TempDir::new().unwrap();
        let server = Server::start(&here, endpoint);
        for _ in 0..3 {
            assert!(server.get("/v2/", "").starts_with("HTTP/1.1 200 "));
        }
        let asked = Instant::now();
        let (status, output) = server.stop();
        assert!(status.success() && asked.elapsed() < Duration::from_secs(10), "{output}");
        assert_eq!(output.matches("traces could not be sent").count(), 1, "{output}");
    }

    #[test]
    fn a_collector_that_is_gone_harms_no_request() {
        let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        harms_no_request(&format!("http://{unused}"));
    }

    #[test]
    fn a_collector_that_never_answers_harms_no_request() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        harms_no_request(&format!("http://{}", silent.local_addr().unwrap()));
    }
}
