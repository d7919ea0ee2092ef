//! What the tests stand on: the server under test, several of them behind a balancer, programs with a private home, an HTTP client, images, a private CA.

mod api;
mod authority;
mod binary;
mod cluster;
mod events;
mod home;
mod image;
mod random;
mod registry;
mod served;
mod server;
mod trace;

pub(crate) use api::{Api, Corrupted, Refused, digest_of, expect, is_outage, upload_id};
pub(crate) use authority::Authority;
pub(crate) use binary::{berth, tool_path, workspace};
pub(crate) use cluster::Cluster;
pub(crate) use events::Event;
pub(crate) use home::{Home, Outcome};
pub(crate) use image::{Image, Images, MANIFEST, index_of, manifest_of};
pub(crate) use random::{Random, content};
pub(crate) use registry::Registry;
pub(crate) use served::{Served, pull_all, pull_whole};
pub(crate) use server::{PASSWORD, Server, Setup, USER};
pub(crate) use trace::{Call, Trace};

use anyhow::{Context as _, Result};

/// Number from the environment, for the sizes that the full mode raises.
pub(crate) fn number_from_environment(key: &str, default: u64) -> Result<u64> {
    match std::env::var(key) {
        Ok(value) => value.parse().with_context(|| format!("{key}={value} is not a number")),
        Err(_) => Ok(default),
    }
}
