//! Why an issuer does not tell its keys.

use callboard_http::FetchError;

/// Why an issuer does not tell its keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("its {what} cannot be fetched")]
    Fetch { what: What, source: FetchError },
    #[error("it answers the request for its {what} with status {status}")]
    Status { what: What, status: u16 },
    #[error("its {what} is not what OpenID Connect says: {fault}")]
    Content { what: What, fault: &'static str },
    #[error("its {what} has no address")]
    Address { what: What },
    #[error("it did not tell its keys within {0} s")]
    TooSlow(u64),
    #[error("the request for its keys was given up")]
    GivenUp,
}

/// What is fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// The document that says where the keys are.
    Discovery,
    /// The keys.
    Keys,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Discovery => "discovery document",
            Self::Keys => "set of keys",
        })
    }
}
