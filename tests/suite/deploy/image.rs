//! The image: packed without a builder, built from the Dockerfile with a stand-in for the compiler, and run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{free_port, shipped, stripped};
use crate::clients::configure_podman;
use crate::harness::{Api, Home, workspace};

/// Packs the binary under test with its shared libraries; hands back how skopeo and podman name the image.
async fn pack(home: &Home) -> Result<String> {
    let binary = stripped(home).await?.display().to_string();
    let layout = home.file("layout");
    home.run(&shipped("docker/image.sh"), &[&binary, &layout, "1", "--dynamic"]).await?;
    Ok(format!("oci:{layout}:1"))
}

#[tokio::test]
async fn runs_read_only_as_nobody_and_answers() -> Result<()> {
    let mut home = Home::new()?;
    configure_podman(&mut home)?;
    let image = pack(&home).await?;
    let again = home.file("again");
    let binary = home.file("stripped/berth");
    home.run(&shipped("docker/image.sh"), &[&binary, &again, "1", "--dynamic"]).await?;
    let (first, second) = (home.file("layout/index.json"), home.file("again/index.json"));
    ensure!(std::fs::read(first)? == std::fs::read(second)?, "the same binary gave another image");

    home.run("skopeo", &["copy", "-q", &image, "containers-storage:localhost/berth:1"]).await?;
    // Whoever comes from outside needs a decision first.
    let limited = ["run", "--rm", "--network", "host", "--read-only", "--cap-drop", "all"];
    let undecided = [&limited[..], &["localhost/berth:1"]].concat();
    home.fails("podman", &undecided, &["anonymous"]).await?;

    let listen = format!("127.0.0.1:{}", free_port()?);
    let variable = format!("BERTH_HTTP__LISTEN={listen}");
    let run = ["-d", "--name", "berth", "-e", &variable, "-v", "data:/var/lib/berth", "localhost/berth:1"];
    home.run("podman", &[&limited[..], &run].concat()).await?;
    let api = Api::new(&format!("http://{listen}"), None, None)?;
    let begin = Instant::now();
    while api.get("/healthz").await.is_err() {
        ensure!(
            begin.elapsed() < Duration::from_secs(30),
            "{}",
            home.outcome("podman", &["logs", "berth"]).await?.text()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(api.get("/readyz").await?.status() == 200, "not ready");
    let ready = ["exec", "berth", "/usr/bin/berth", "ready", "--config", "/etc/berth/berth.yaml"];
    home.run("podman", &ready).await?;
    home.run("podman", &["stop", "-t", "20", "berth"]).await?;
    // It is removed behind our back, which wants this home until it is done.
    let begin = Instant::now();
    while home.outcome("podman", &["container", "exists", "berth"]).await?.success {
        ensure!(begin.elapsed() < Duration::from_mins(1), "the container does not go");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// What both ways must agree on.
fn promises(inspected: &str) -> Result<Value> {
    let all: Value = serde_json::from_str(inspected)?;
    let config = &all["config"];
    Ok(json!({
        "user": config["User"], "entrypoint": config["Entrypoint"], "command": config["Cmd"],
        "ports": config["ExposedPorts"], "volumes": config["Volumes"], "signal": config["StopSignal"],
    }))
}

/// The compiler's image can't be pulled here: a stand-in brings a cargo that copies the binary that there is.
#[tokio::test]
async fn the_dockerfile_builds_the_same() -> Result<()> {
    let mut home = Home::new()?;
    configure_podman(&mut home)?;
    let packed = pack(&home).await?;
    let packed_config = promises(&home.run("skopeo", &["inspect", "--config", &packed]).await?)?;

    let stand_in = "FROM scratch\nCOPY bin /bin\nCOPY etc /etc\nCOPY berth /berth\nENV PATH=/bin\n\
                    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";
    home.write("stand-in/Dockerfile", stand_in)?;
    home.write("stand-in/etc/ssl/certs/ca-certificates.crt", "")?;
    home.write("stand-in/bin/rustc", "#!/bin/sh\necho 'host: here'\n")?;
    home.write("stand-in/bin/apt-get", "#!/bin/sh\n")?;
    let cargo = "#!/bin/sh\nset -e\n[ \"$RUSTFLAGS\" = '-C target-feature=+crt-static' ]\n[ -e Cargo.lock ]\n\
                 [ \"$*\" = 'build --release --locked -p berth --target here' ]\n\
                 mkdir -p target/here/release\ncp /berth target/here/release/berth\n";
    home.write("stand-in/bin/cargo", cargo)?;
    for (from, to) in [("/bin/busybox", "bin/busybox"), (&*home.file("stripped/berth"), "berth")] {
        std::fs::copy(from, home.path().join("stand-in").join(to)).with_context(|| format!("no {from}"))?;
    }
    home.run("chmod", &["-R", "a+rx", &home.file("stand-in")]).await?;
    let bud = ["bud", "-q", "--isolation", "chroot"];
    home.run("buildah", &[&bud[..], &["-t", "localhost/stand-in:1", &home.file("stand-in")]].concat())
        .await?;
    let context = workspace().display().to_string();
    let file = shipped("docker/Dockerfile");
    let base = "RUST_IMAGE=localhost/stand-in:1";
    let options = ["--pull-never", "-f", &file, "--build-arg", base, "-t", "localhost/berth:built", &context];
    home.run("buildah", &[&bud[..], &options].concat()).await?;
    let built = "containers-storage:localhost/berth:built";
    let built_config = promises(&home.run("skopeo", &["inspect", "--config", built]).await?)?;
    ensure!(built_config == packed_config, "built {built_config}, packed {packed_config}");

    let list = format!(
        "skopeo copy -q {built} dir:built && cd built && for layer in $(grep -o 'sha256:[0-9a-f]*' manifest.json | \
         cut -d : -f 2 | tail -n +2); do tar --numeric-owner -tvzf $layer 2>/dev/null || tar --numeric-owner -tvf $layer; done"
    );
    let files = home.run("sh", &["-c", &list]).await?;
    for expected in ["65532/65532", "usr/bin/berth", "etc/nsswitch.conf", "etc/ssl/certs/ca-certificates.crt"]
    {
        ensure!(files.contains(expected), "no {expected} in\n{files}");
    }
    home.run("podman", &["rmi", "-f", "-a"]).await?;
    Ok(())
}

#[tokio::test]
async fn refuses_a_binary_that_needs_what_is_not_there() -> Result<()> {
    let home = Home::new()?;
    let binary = stripped(&home).await?.display().to_string();
    home.fails(&shipped("docker/image.sh"), &[&binary, &home.file("layout"), "1"], &["build a static one"])
        .await
}
