//! Ways to a bucket: TLS with an authority of one's own, buckets by host name, keys that a machine is given.

use std::{path::Path, process::Command};

use berth_blobs::{Blobs, Bucket, BucketConfig, Credentials, Error, UploadId, testing::content};
use berth_engines::{Rgw, authority};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{config, publish, read, start, wire::Wire};

fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    std::fs::write(directory.join(name), text).unwrap();
    directory.join(name)
}

/// Brings a blob in parts and a small one there and back.
async fn works(config: &BucketConfig) {
    let store = Bucket::open(config).unwrap();
    for size in [100, 12_000_000] {
        let upload = UploadId::random();
        let bytes = content(&upload, size);
        let location = publish(&store, &upload, start(), &bytes).await;
        store.discard(&upload).await.unwrap();
        assert!(read(&store, &location).await == bytes);
        assert_eq!(store.scan(None, 10).await.unwrap(), [(location.clone(), size as u64)]);
        assert!(store.scan_uploads(None, 10).await.unwrap().is_empty(), "parts that were not joined");
        store.delete(&location).await.unwrap();
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_and_no_other() {
    let (trusted, certificate, key) = authority();
    let dir = tempfile::tempdir().unwrap();
    let door =
        Rgw::shared().tls(&write(dir.path(), "tls.crt", &certificate), &write(dir.path(), "tls.key", &key));
    let config = BucketConfig {
        endpoint: Some(format!("https://{}", door.address())),
        ca_file: Some(write(dir.path(), "right.crt", &trusted)),
        ..config()
    };
    works(&config).await;
    let (other, ..) = authority();
    for ca_file in [Some(write(dir.path(), "wrong.crt", &other)), None] {
        let store = Bucket::open(&BucketConfig { ca_file, ..config.clone() }).unwrap();
        let refused = store.identity().await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_bucket_is_found_by_its_host_name() {
    // A bucket of this name below this domain has an address that needs no name server.
    let (name, domain) = ("127", "0.0.1");
    let rgw = Rgw::shared();
    rgw.make_bucket(name);
    let door = rgw.virtual_hosts(domain);
    let config = BucketConfig {
        name: name.to_owned(),
        endpoint: Some(format!("http://{domain}:{}", door.address().port())),
        virtual_hosted_style: true,
        ..config()
    };
    works(&config).await;
    let store = Bucket::open(&config).unwrap();
    let location = publish(&store, &UploadId::random(), start(), b"linked").await;
    let link = store.link(&location, std::time::Duration::from_mins(1)).await.unwrap().unwrap();
    assert!(
        link.starts_with(&format!("http://127.0.0.1:{}/some/prefix/blobs/", door.address().port())),
        "{link}"
    );
    assert_eq!(reqwest::get(&link).await.unwrap().bytes().await.unwrap(), "linked");
    // The same objects, by the path.
    let by_path = BucketConfig { endpoint: Some(rgw.endpoint()), virtual_hosted_style: false, ..config };
    assert_eq!(read(&Bucket::open(&by_path).unwrap(), &location).await, b"linked");
}

/// Gives out keys as an instance's metadata service does, and as that of a container.
async fn give_keys(listener: TcpListener) {
    let rgw = Rgw::shared();
    let keys = format!(
        "{{\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{}\",\"Token\":\"\",\"Expiration\":\"2099-01-01T00:00:00Z\"}}",
        rgw.access_key(),
        rgw.secret_key()
    );
    while let Ok((mut client, _)) = listener.accept().await {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = client.read_u8().await else { break };
            head.push(byte);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let may =
            head.contains("x-aws-ec2-metadata-token: metadata") || head.contains("authorization: container");
        let (status, body) = match head.lines().next().unwrap_or_default() {
            line if line.starts_with("put /latest/api/token ") => ("200 OK", "metadata"),
            line if may && line.starts_with("get /latest/meta-data/iam/security-credentials/ ") => {
                ("200 OK", "role")
            }
            line if may && line.contains("/role ") => ("200 OK", keys.as_str()),
            _ => ("401 Unauthorized", ""),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let _ = client.write_all(answer.as_bytes()).await;
    }
}

/// What the next test runs in an environment of its own: the process's is everybody's.
#[tokio::test]
#[ignore = "is run by keys_that_a_machine_is_given_are_used"]
async fn reads_with_the_keys_of_the_environment() {
    let endpoint = std::env::var("TEST_ENDPOINT").unwrap();
    let name = std::env::var("TEST_BUCKET").unwrap();
    let config =
        BucketConfig { endpoint: Some(endpoint), ..BucketConfig::new(&format!("s3://{name}")).unwrap() };
    let store = Bucket::open(&config).unwrap();
    assert_eq!(store.identify("named with given keys").await.unwrap(), "named with given keys");
}

#[tokio::test]
async fn keys_that_a_machine_is_given_are_used() {
    let rgw = Rgw::shared();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metadata = format!("http://{}", listener.local_addr().unwrap());
    let service = tokio::spawn(give_keys(listener));
    let dir = tempfile::tempdir().unwrap();
    let token = write(dir.path(), "token", "container").display().to_string();
    let role = format!("{metadata}/role");
    let (id, secret) = (rgw.access_key(), rgw.secret_key());
    for (variables, is_let_in) in [
        (&[("AWS_METADATA_ENDPOINT", metadata.as_str())][..], true),
        (
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", role.as_str()),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.as_str()),
            ],
            true,
        ),
        (&[("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)], true),
        (&[("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", "another")], false),
    ] {
        let wire = Wire::to(rgw.address()).await;
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.env_clear().env("TEST_ENDPOINT", &wire.endpoint).env("TEST_BUCKET", rgw.bucket());
        child.envs(variables.iter().copied());
        child.args(["--ignored", "--exact", "doors::reads_with_the_keys_of_the_environment"]);
        let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("running 1 test"), "{said}");
        assert_eq!(output.status.success(), is_let_in, "{variables:?}: {said}");
        let heads = wire.heads();
        assert!(
            !heads.is_empty() && heads.iter().all(|head| head.contains(&format!("Credential={id}/"))),
            "{heads:#?}"
        );
    }
    service.abort();
}

#[tokio::test]
async fn signatures_cover_what_is_sent_where_no_tls_does() {
    let wire = Wire::to(Rgw::shared().address()).await;
    let plain = BucketConfig { endpoint: Some(wire.endpoint.clone()), ..config() };
    for (sign_payloads, is_signed) in [(None, true), (Some(true), true), (Some(false), false)] {
        let store = Bucket::open(&BucketConfig { sign_payloads, ..plain.clone() }).unwrap();
        let upload = UploadId::random();
        let location = publish(&store, &upload, start(), b"some bytes").await;
        let heads = wire.heads();
        let put = heads.iter().find(|head| head.starts_with("PUT /")).unwrap();
        assert_eq!(!put.contains("UNSIGNED-PAYLOAD"), is_signed, "{put}");
        assert_eq!(read(&store, &location).await, b"some bytes");
    }
    let keys = Credentials { access_key_id: "unknown".into(), secret_access_key: "x".into() };
    let store = Bucket::open(&BucketConfig { credentials: Some(keys), ..plain }).unwrap();
    assert!(matches!(store.identity().await, Err(Error::Io(..))));
}
