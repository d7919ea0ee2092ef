//! The official conformance suite of the distribution specification, with every option on.
//!
//! Its exit code hides skipped tests, an unknown version and a filter that matches nothing, so this reads the report.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::harness::{Home, Setup};

/// Tests that the suite has at the version which scripts/tools builds; fewer means that it left some out.
const AT_LEAST: u64 = 1000;

const APIS: &[&str] = &[
    "PING",
    "PULL",
    "PUSH",
    "BLOBS_ATOMIC",
    "BLOBS_DELETE",
    "BLOBS_DIGEST_HEADER",
    "BLOBS_MOUNT_ANONYMOUS",
    "BLOBS_UPLOAD_CANCEL",
    "MANIFESTS_ATOMIC",
    "MANIFESTS_DELETE",
    "MANIFESTS_DIGEST_HEADER",
    "MANIFESTS_TAG_PARAM",
    "TAGS_ATOMIC",
    "TAGS_DELETE",
    "TAGS_LIST",
    "REFERRER",
];

const DATA: &[&str] = &[
    "IMAGE",
    "INDEX",
    "INDEX_LIST",
    "SPARSE",
    "ARTIFACT",
    "SUBJECT",
    "SUBJECT_MISSING",
    "ARTIFACT_LIST",
    "SUBJECT_LIST",
    "DATA_FIELD",
    "NONDISTRIBUTABLE",
    "CUSTOM_FIELDS",
    "NO_LAYERS",
    "EMPTY_BLOB",
    "SHA512",
];

/// A manifest over blobs that were never pushed is refused unless the configuration says otherwise.
pub(crate) const SPARSE_IMAGES: &str = "limits:\n  sparse_images: true";

#[tokio::test]
async fn the_specification_is_kept_whole() -> Result<()> {
    let server = Setup::default().with_config(SPARSE_IMAGES).start().await?;
    keeps_the_specification(server.host()).await
}

/// Runs the whole suite against the registry at `host`, which is configured with [`SPARSE_IMAGES`].
pub(crate) async fn keeps_the_specification(host: &str) -> Result<()> {
    let mut home = Home::new()?;
    let results = home.file("results");
    for (key, value) in [
        ("OCI_REGISTRY", host),
        ("OCI_TLS", "disabled"),
        ("OCI_VERSION", "dev"),
        ("OCI_REPO1", "conformance/one"),
        ("OCI_REPO2", "conformance/two"),
        ("OCI_RESULTS_DIR", &results),
    ] {
        home.set(key, value);
    }
    for name in APIS {
        home.set(&format!("OCI_API_{name}"), "true");
    }
    for name in DATA {
        home.set(&format!("OCI_DATA_{name}"), "true");
    }
    let outcome = home.outcome("conformance", &[]).await?;
    let report = std::fs::read_to_string(Path::new(&results).join("junit.xml"))
        .with_context(|| format!("the suite wrote no report: {}", outcome.stderr))?;
    let (_, head) = report.split_once("<testsuite ").context("the report has no suite")?;
    let head = head.split('>').next().unwrap_or_default();
    let count = |name: &str| attribute(head, name).map_or(Ok(0), str::parse::<u64>);

    let wrong = failures(&report);
    let bad = [count("failures")?, count("errors")?, count("skipped")?, count("disabled")?];
    ensure!(
        bad == [0; 4] && wrong.is_empty(),
        "failures, errors, skipped, disabled: {bad:?} of {}\n{}",
        count("tests")?,
        wrong.join("\n")
    );
    ensure!(count("tests")? >= AT_LEAST, "only {} tests ran", count("tests")?);
    Ok(())
}

/// Names and messages of the tests that did not pass.
fn failures(report: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for case in report.split("<testcase ").skip(1) {
        let head = case.split('>').next().unwrap_or_default();
        let status = attribute(head, "status").unwrap_or("without status");
        if status != "passed" {
            let name = attribute(head, "name").unwrap_or("without name");
            let message = case.split_once("<system-out>").map_or("", |(_, rest)| rest);
            let message = message.split("</system-out>").next().unwrap_or_default();
            failures.push(format!(
                "{status}: {name}: {}",
                message.replace("&#xA;", "\n    ").replace("&#34;", "\"")
            ));
        }
    }
    failures
}

fn attribute<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = head.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}
