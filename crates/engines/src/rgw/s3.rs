//! Signed requests, by curl: few, and only those that no test sends itself.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::program::{complaint, find};

/// Any will do for Ceph, as long as both sides sign for the same.
pub(super) const REGION: &str = "us-east-1";

/// Sends a request for a path below the endpoint and returns the body of its answer, which must be good.
pub(super) fn request(endpoint: &str, path: &str, arguments: &[&str], body: &[u8]) -> Vec<u8> {
    let mut curl = curl();
    curl.args(["--fail-with-body", "--show-error", "--aws-sigv4"]).arg(format!("aws:amz:{REGION}:s3"));
    curl.arg("--user").arg(format!("{}:{}", super::ACCESS_KEY, super::SECRET_KEY));
    curl.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
        .args(arguments)
        .arg(format!("{endpoint}/{path}"));
    let mut child =
        curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("curl runs");
    let mut input = child.stdin.take().expect("its input is a pipe");
    input.write_all(body).expect("curl reads the body");
    drop(input);
    let output = child.wait_with_output().expect("curl can be waited for");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{path}: {} {}", complaint(&output), said.trim_end());
    output.stdout
}

/// Whether an address is answered with success.
pub(super) fn is_well(url: &str) -> bool {
    asks(url, &["--fail"])
}

/// Whether an address is answered, be it with a refusal.
pub(super) fn answers(url: &str) -> bool {
    asks(url, &["--insecure"])
}

fn asks(url: &str, options: &[&str]) -> bool {
    let mut curl = curl();
    curl.args(options).args(["--output", "/dev/null"]).arg(url);
    curl.status().is_ok_and(|status| status.success())
}

fn curl() -> Command {
    let mut curl = Command::new(find("curl", "curl"));
    curl.args(["--silent", "--noproxy", "*", "--max-time", "30"]);
    curl
}
