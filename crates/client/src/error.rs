//! Why another registry did not give what it was asked for.

use berth_oci::Digest;

/// Result of the client's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why another registry did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client can't be made as it was told to.
    #[error("{0}")]
    Settings(String),
    /// Nobody answers there, or the answer broke off.
    #[error("{place} can't be reached: {reason}")]
    Unreachable {
        /// Host and port asked.
        place: String,
        /// What went wrong.
        reason: String,
    },
    /// It is overloaded or in trouble, and still was after some tries.
    #[error("{place} answers {status} and asks to come back later")]
    Busy {
        /// Host and port asked.
        place: String,
        /// The status of its last answer.
        status: u16,
    },
    /// The credentials are wrong, or allow too little.
    #[error("{what}: refused with {status}, check the credentials: {said}")]
    Denied {
        /// What was asked for.
        what: String,
        /// 401 or 403.
        status: u16,
        /// What the registry said, shortened.
        said: String,
    },
    /// It refused for another reason.
    #[error("{what}: refused with {status}: {said}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The status of the answer.
        status: u16,
        /// What the registry said, shortened.
        said: String,
    },
    /// It leads where nobody should be led.
    #[error("{0}")]
    Forbidden(String),
    /// The answer is none that a registry gives.
    #[error("{what}: {problem}")]
    Protocol {
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The answer is larger than anybody should send.
    #[error("{what}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The content is not what its digest says.
    #[error("{what}: the content has digest {computed}, not {given}")]
    Digest {
        /// What was asked for.
        what: String,
        /// The digest asked for or announced.
        given: Digest,
        /// The digest of what came.
        computed: Digest,
    },
}

impl Error {
    /// Tells whether another time may bring another answer: the registry can't be reached or is overloaded.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    pub(crate) fn protocol(what: &str, problem: impl Into<String>) -> Self {
        Self::Protocol { what: what.to_owned(), problem: problem.into() }
    }

    /// Takes what a request failed of, without the address: a link may carry a signature.
    pub(crate) fn unreachable(place: String, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let reason =
            if error.is_timeout() { "it takes too long to answer".to_owned() } else { cause.to_string() };
        Self::Unreachable { place, reason }
    }
}
