//! Images built on the spot from Debian's static busybox, in an OCI layout on disk.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{content, digest_of};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Length of the layer that no client sends in one piece, and no server keeps in a database row.
const BIG_LAYER_BYTES: usize = 6 << 20;
const BUSYBOX: &str = "/bin/busybox";

/// Content that an index of the layout names.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) name: &'static str,
    pub(crate) digest: String,
}

/// An OCI layout with an image (`image`), an image for two platforms (`multi`) and an artifact (`artifact`).
pub(crate) struct Images {
    dir: PathBuf,
    pub(crate) image: Image,
    pub(crate) multi: Image,
    pub(crate) artifact: Image,
    /// SHA-256 in hexadecimal of `/srv/big` in the images.
    pub(crate) big_sum: String,
}

/// A layer as a manifest and as a configuration name it.
struct Layer {
    descriptor: Value,
    diff_id: String,
}

impl Images {
    /// Prints this when the images run as [`Images::SCRIPT`].
    pub(crate) const GREETING: &str = "hello from berth";
    /// Shell script that runs in the images: greets, then prints the checksum of the big file.
    pub(crate) const SCRIPT: &str = "cat /srv/greeting; sha256sum /srv/big";

    pub(crate) fn build(dir: &Path) -> Result<Self> {
        let dir = dir.join("layout");
        std::fs::create_dir_all(dir.join("blobs/sha256"))?;
        std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let big = content(0xB16, BIG_LAYER_BYTES);
        let big_sum = digest_of(&big).trim_start_matches("sha256:").to_owned();
        let layers = [system_layer(&dir)?, text_layer(&dir)?, big_layer(&dir, &big)?];

        let amd64 = write_image(&dir, "amd64", &layers)?;
        let arm64 = write_image(&dir, "arm64", &layers[..2])?;
        let mut manifests = Vec::new();
        for (architecture, descriptor) in [("amd64", &amd64), ("arm64", &arm64)] {
            let mut descriptor = descriptor.clone();
            descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
            manifests.push(descriptor);
        }
        let multi = put(&dir, INDEX, &index_of(&manifests))?;
        let artifact = write_artifact(&dir)?;

        let named =
            [("image", &amd64), ("multi", &multi), ("artifact", &artifact)].map(|(name, descriptor)| {
                let mut descriptor = descriptor.clone();
                descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
                descriptor
            });
        std::fs::write(dir.join("index.json"), index_of(&named))?;
        let image = |name, descriptor: &Value| -> Result<Image> {
            Ok(Image { name, digest: descriptor["digest"].as_str().context("no digest")?.to_owned() })
        };
        Ok(Self {
            image: image("image", &amd64)?,
            multi: image("multi", &multi)?,
            artifact: image("artifact", &artifact)?,
            big_sum,
            dir,
        })
    }

    /// How skopeo and its kin name an image of the layout.
    pub(crate) fn oci(&self, image: &Image) -> String {
        format!("oci:{}:{}", self.dir.display(), image.name)
    }

    /// Directory of the layout.
    pub(crate) fn dir(&self) -> String {
        self.dir.display().to_string()
    }

    /// Fails unless `output` is what [`Images::SCRIPT`] prints in an intact image.
    pub(crate) fn check_run(&self, output: &str) -> Result<()> {
        if !output.contains(Self::GREETING) || !output.contains(&self.big_sum) {
            bail!("the pulled image printed {output:?}, not the greeting and {}", self.big_sum);
        }
        Ok(())
    }
}

/// Manifest of an image or artifact with one layer per descriptor.
pub(crate) fn manifest_of(config: &Value, layers: &[Value], annotations: &Value) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, "annotations": annotations,
    });
    manifest.to_string().into_bytes()
}

/// Index of manifests.
pub(crate) fn index_of(manifests: &[Value]) -> Vec<u8> {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string().into_bytes()
}

/// A layer with a system to run: busybox, its links and the files that a user needs.
fn system_layer(dir: &Path) -> Result<Layer> {
    let root = scratch(dir, "system")?;
    std::fs::create_dir_all(root.join("bin"))?;
    std::fs::create_dir_all(root.join("etc"))?;
    std::fs::create_dir_all(root.join("tmp"))?;
    std::fs::copy(BUSYBOX, root.join("bin/busybox"))
        .with_context(|| format!("no {BUSYBOX}; Debian's busybox-static brings it"))?;
    std::fs::set_permissions(root.join("bin/busybox"), std::fs::Permissions::from_mode(0o755))?;
    for name in ["sh", "cat", "id", "ls", "sha256sum", "echo"] {
        symlink("busybox", root.join("bin").join(name))?;
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    std::fs::write(root.join("etc/group"), "root:x:0:\n")?;
    pack(dir, &root)
}

/// A small layer of many small files.
fn text_layer(dir: &Path) -> Result<Layer> {
    let root = scratch(dir, "text")?;
    std::fs::create_dir_all(root.join("srv/many"))?;
    std::fs::write(root.join("srv/greeting"), format!("{}\n", Images::GREETING))?;
    for number in 0..100 {
        std::fs::write(root.join(format!("srv/many/{number}")), format!("{number}\n"))?;
    }
    pack(dir, &root)
}

fn big_layer(dir: &Path, big: &[u8]) -> Result<Layer> {
    let root = scratch(dir, "big")?;
    std::fs::create_dir_all(root.join("srv"))?;
    std::fs::write(root.join("srv/big"), big)?;
    pack(dir, &root)
}

fn scratch(dir: &Path, name: &str) -> Result<PathBuf> {
    let root = dir.with_extension("scratch").join(name);
    std::fs::create_dir_all(&root)?;
    Ok(root)
}

/// Packs a directory into a layer that comes out the same each time.
fn pack(dir: &Path, root: &Path) -> Result<Layer> {
    let tar = root.with_extension("tar");
    let (root, tar_name) = (root.display().to_string(), tar.display().to_string());
    let steady = ["--sort=name", "--mtime=@1700000000", "--owner=0", "--group=0", "--numeric-owner"];
    tool("tar", &[&steady[..], &["-C", &root, "-cf", &tar_name, "."]].concat())?;
    let diff_id = digest_of(&std::fs::read(&tar)?);
    tool("gzip", &["-n", "-f", "-1", &tar_name])?;
    let descriptor = put(dir, LAYER, &std::fs::read(root + ".tar.gz")?)?;
    Ok(Layer { descriptor, diff_id })
}

fn tool(program: &str, arguments: &[&str]) -> Result<()> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn write_image(dir: &Path, architecture: &str, layers: &[Layer]) -> Result<Value> {
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "created": "2023-11-14T22:13:20Z",
        "config": {"Cmd": ["/bin/sh", "-c", Images::SCRIPT], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": layers.iter().map(|_| json!({"created_by": "berth-tests"})).collect::<Vec<_>>(),
    });
    let config = put(dir, CONFIG, config.to_string().as_bytes())?;
    let layers: Vec<Value> = layers.iter().map(|layer| layer.descriptor.clone()).collect();
    put(dir, MANIFEST, &manifest_of(&config, &layers, &json!({})))
}

fn write_artifact(dir: &Path) -> Result<Value> {
    let empty = put(dir, "application/vnd.oci.empty.v1+json", b"{}")?;
    let layer = put(dir, "text/plain", b"an artifact, not an image\n")?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.note",
        "config": empty, "layers": [layer],
    });
    put(dir, MANIFEST, manifest.to_string().as_bytes())
}

/// Writes content into the layout; hands back its descriptor.
fn put(dir: &Path, media_type: &str, content: &[u8]) -> Result<Value> {
    let digest = digest_of(content);
    std::fs::write(dir.join("blobs").join(digest.replace(':', "/")), content)?;
    Ok(json!({"mediaType": media_type, "digest": digest, "size": content.len()}))
}
