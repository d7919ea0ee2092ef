//! What an upload leaves between two requests, for whichever node takes the next one.
//!
//! A *state* holds all that is needed to go on from one offset: which parts the service has, and the bytes behind them, too
//! few for a part. Its name says what was hashed, so no writer can replace it with anything else. The *head* only says what
//! there is of an upload, so that it can be removed.

use bytes::{Buf as _, Bytes};
use object_store::PutPayload;
use serde::{Deserialize, Serialize};

use super::{Inner, plan::Plan};
use crate::{Error, Location, Result, UploadId};

/// Layout of what is written here: one that is higher was written by a version that this one can't follow.
const FORMAT: u8 = 1;

/// Is one try to bring an upload's bytes to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) location: Location,
    /// The service's name for the parts; `None` if the bytes came in one request.
    pub(super) multipart: Option<String>,
}

/// Names everything that an upload has in the bucket.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) attempts: Vec<Attempt>,
    pub(super) states: Vec<String>,
    /// The state that was written last.
    pub(super) current: Option<String>,
}

/// Is what a node needs to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) attempt: Option<Attempt>,
    /// How large each part is.
    pub(super) plan: Plan,
    /// Entity tags of the parts.
    pub(super) parts: Vec<String>,
    /// The state before this one, of no use once this one is acknowledged.
    pub(super) before: Option<String>,
    /// The bytes behind the parts.
    pub(super) tail: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u8,
    attempt: Option<Attempt>,
    part_bytes: usize,
    #[serde(default)]
    parts_grow: bool,
    parts: Vec<String>,
    before: Option<String>,
}

impl State {
    /// Returns how many bytes it stands for.
    pub(super) fn bytes(&self) -> u64 {
        self.plan.offset_of(self.parts.len()) + self.tail.len() as u64
    }

    /// Returns a line of JSON, then the tail.
    fn encode(&self) -> Result<PutPayload> {
        let header = Header {
            format: FORMAT,
            attempt: self.attempt.clone(),
            part_bytes: self.plan.part_bytes,
            parts_grow: self.plan.grows,
            parts: self.parts.clone(),
            before: self.before.clone(),
        };
        let mut line = encode(&header)?;
        line.push(b'\n');
        Ok([Bytes::from(line), self.tail.clone()].into_iter().collect())
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    fn decode(mut bytes: Bytes) -> Option<Self> {
        let line = bytes.split_to(bytes.iter().position(|&byte| byte == b'\n')?);
        bytes.advance(1);
        let header: Header = serde_json::from_slice(&line).ok()?;
        (header.format == FORMAT && (header.parts.is_empty() || header.attempt.is_some())).then_some(Self {
            attempt: header.attempt,
            plan: Plan { part_bytes: header.part_bytes, grows: header.parts_grow },
            parts: header.parts,
            before: header.before,
            tail: bytes,
        })
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Io(error.into(), "cannot write down an upload".into()))
}

impl Inner {
    /// Reads a state.
    ///
    /// # Errors
    /// [`Error::UploadLost`] when it isn't there or can't be followed.
    pub(super) async fn read_state(&self, upload: &UploadId, name: &str) -> Result<State> {
        let key = self.keys.state(upload, name);
        match self.read_object(&key, "read where an upload stands").await {
            Ok(bytes) => State::decode(bytes).ok_or(Error::UploadLost),
            Err(Error::NotFound) => Err(Error::UploadLost),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn write_state(&self, upload: &UploadId, name: &str, state: &State) -> Result<()> {
        let key = self.keys.state(upload, name);
        self.write_object(&key, state.encode()?, "write where an upload stands").await
    }

    pub(super) async fn read_head(&self, upload: &UploadId) -> Result<Option<Head>> {
        let doing = "read the head of an upload";
        match self.read_object(&self.keys.head(upload), doing).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Error::Io(error.into(), doing.into())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Changes the head. Two nodes that do so at once may lose an entry: something stays for the bucket's lifecycle rule,
    /// nothing goes that is needed.
    pub(super) async fn change_head(
        &self,
        upload: &UploadId,
        change: impl FnOnce(&mut Head) + Send,
    ) -> Result<()> {
        let mut head = self.read_head(upload).await?.unwrap_or_default();
        change(&mut head);
        self.write_head(upload, &head).await
    }

    pub(super) async fn write_head(&self, upload: &UploadId, head: &Head) -> Result<()> {
        let content = encode(head)?;
        self.write_object(&self.keys.head(upload), content.into(), "write the head of an upload").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let attempt = Attempt { location: "blobs/x".into(), multipart: Some("id".into()) };
        for tail in [&b""[..], b"\n\n{}", b"bytes"] {
            let state = State {
                attempt: Some(attempt.clone()),
                plan: Plan::new(10),
                parts: vec!["\"a\"".into(), "b".into()],
                before: Some("0.x".into()),
                tail: Bytes::copy_from_slice(tail),
            };
            let bytes = Bytes::from(state.encode().unwrap());
            assert_eq!(State::decode(bytes.clone()), Some(state));
            let later = String::from_utf8(bytes.to_vec()).unwrap().replace("\"format\":1", "\"format\":2");
            assert_eq!(State::decode(later.into()), None);
        }
        assert_eq!(State::decode(Bytes::new()), None);
        assert_eq!(State::decode(Bytes::from_static(b"{}\n")), None);
    }

    #[test]
    fn an_upload_goes_on_where_its_parts_began_to_grow() {
        let attempt = Attempt { location: "blobs/x".into(), multipart: Some("id".into()) };
        for (grows, bytes) in [(true, 3000 * 16 + 2 * 64), (false, 3002 * 16)] {
            let state = State {
                attempt: Some(attempt.clone()),
                plan: Plan { part_bytes: 16 << 20, grows },
                parts: vec!["tag".into(); 3002],
                before: None,
                tail: Bytes::from_static(b"tail"),
            };
            let mut encoded = Vec::from(Bytes::from(state.encode().unwrap()));
            if !grows {
                // As a version that knew nothing of it wrote.
                encoded = String::from_utf8(encoded).unwrap().replace("\"parts_grow\":false,", "").into();
            }
            let read = State::decode(encoded.into()).unwrap();
            assert_eq!(read.bytes(), (bytes << 20) + 4);
            assert_eq!(read, state);
        }
    }
}
