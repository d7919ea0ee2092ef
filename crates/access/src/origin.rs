//! Where a request came from: address, user agent and request id, and what of it logs keep sealed.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::caller::Proof;
use crate::person::{Person, Personal};

/// Longer user agents are cut: an over-long header must not cost the record (Harbor lost such records).
const MAX_AGENT_BYTES: usize = 256;

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the peer, or what a trusted proxy says.
    pub client: IpAddr,
    /// The client's `User-Agent`, cut at 256 bytes, without control characters.
    pub agent: Option<String>,
    /// The id in the response's header and in every log line of the request.
    pub request_id: String,
}

impl Origin {
    /// Takes the user agent as sent.
    pub fn new(client: IpAddr, agent: Option<&str>, request_id: &str) -> Self {
        let agent = agent.map(|agent| {
            let clean = agent.chars().map(|char| if char.is_control() { ' ' } else { char });
            let mut bytes = 0;
            clean
                .take_while(|char| {
                    bytes += char.len_utf8();
                    bytes <= MAX_AGENT_BYTES
                })
                .collect()
        });
        Self { client, agent, request_id: request_id.to_owned() }
    }

    /// What logs forget with the person.
    pub fn personal(&self) -> Personal {
        Personal { client: Some(self.client.to_string()), agent: self.agent.clone() }
    }

    /// What an event says of it, beside who the caller is and how that was proved. What is personal is sealed if there is somebody to
    /// seal it for.
    pub(crate) fn for_log(&self, kind: &str, proof: Proof, person: Option<&Person>) -> Value {
        let mut origin = json!({ "kind": kind, "request_id": self.request_id, "proof": proof.as_str() });
        if let Some(person) = person {
            origin["sealed"] = person.seal(&self.personal()).map(|sealed| STANDARD.encode(sealed)).into();
        } else {
            origin["client"] = self.client.to_string().into();
            origin["agent"] = self.agent.clone().into();
        }
        origin
    }
}
