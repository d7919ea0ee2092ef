//! A registry's own verbs over one connection: what a client does to push and to list.

use std::net::SocketAddr;

use anyhow::Result;

use crate::content::{Content, MANIFEST_TYPE};
use crate::http::{Body, Client, Response};

/// One client of one registry.
pub(crate) struct Registry {
    client: Client,
}

impl Registry {
    /// A client that connects at its first request.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { client: Client::new(address) }
    }

    /// Pushes a blob with POST and PUT (distribution-spec, "POST then PUT").
    pub(crate) fn push_blob(&mut self, repository: &str, content: &Content) -> Result<()> {
        let session = self.start(repository)?;
        self.finish(&session, content, 0..content.size)
    }

    /// Pushes a blob with one POST (distribution-spec, "Single POST").
    pub(crate) fn post_blob(&mut self, repository: &str, content: &Content) -> Result<()> {
        let target = format!("/v2/{repository}/blobs/uploads/?digest={}", content.digest);
        let fields = [("Content-Type", "application/octet-stream")];
        self.client.send("POST", &target, &fields, Body::Part(content, 0..content.size))?.expect(201)?;
        Ok(())
    }

    /// Pushes a blob in PATCH requests of `chunk_bytes` each, then an empty PUT.
    pub(crate) fn push_chunks(
        &mut self,
        repository: &str,
        content: &Content,
        chunk_bytes: u64,
    ) -> Result<()> {
        let mut session = self.start(repository)?;
        let mut offset = 0;
        while offset < content.size {
            let end = (offset + chunk_bytes).min(content.size);
            let range = format!("{offset}-{}", end - 1);
            let fields = [("Content-Type", "application/octet-stream"), ("Content-Range", range.as_str())];
            let answer = self
                .client
                .send("PATCH", &session, &fields, Body::Part(content, offset..end))?
                .expect(202)?;
            answer.location()?.clone_into(&mut session);
            offset = end;
        }
        self.finish(&session, content, content.size..content.size)
    }

    fn start(&mut self, repository: &str) -> Result<String> {
        let target = format!("/v2/{repository}/blobs/uploads/");
        let answer = self.client.send("POST", &target, &[], Body::Empty)?.expect(202)?;
        Ok(answer.location()?.to_owned())
    }

    fn finish(&mut self, session: &str, content: &Content, rest: std::ops::Range<u64>) -> Result<()> {
        let separator = if session.contains('?') { '&' } else { '?' };
        let target = format!("{session}{separator}digest={}", content.digest);
        let fields = [("Content-Type", "application/octet-stream")];
        self.client.send("PUT", &target, &fields, Body::Part(content, rest))?.expect(201)?;
        Ok(())
    }

    /// Pushes a manifest under a tag or digest; `reference` may carry a query.
    pub(crate) fn push_manifest(&mut self, repository: &str, reference: &str, manifest: &[u8]) -> Result<()> {
        let target = format!("/v2/{repository}/manifests/{reference}");
        self.client
            .send("PUT", &target, &[("Content-Type", MANIFEST_TYPE)], Body::Bytes(manifest))?
            .expect(201)?;
        Ok(())
    }

    /// Gets something whose answer must be 200.
    pub(crate) fn get(&mut self, target: &str) -> Result<Response> {
        self.client.send("GET", target, &[("Accept", MANIFEST_TYPE)], Body::Empty)?.expect(200)
    }

    /// Gets a blob and throws its bytes away; their count is the answer.
    pub(crate) fn pull_blob(&mut self, target: &str) -> Result<u64> {
        Ok(self.client.discard(target)?.expect(200)?.size)
    }
}
