//! The errors of a fetch, in words that name the host and nothing that could be secret.

/// Why there is no answer. No text contains a query, a header or a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The text is not an http or https URL, or contains a user or password.
    #[error("the address must be one of http or https, without a user or password in it")]
    Address,
    /// The system lacks something that a client needs.
    #[error("no HTTP client can be made")]
    Client {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The host has an address that is not on the public internet.
    #[error("{host} has an address that is not public")]
    Private {
        /// The host.
        host: String,
    },
    /// The host has an address that no policy allows.
    #[error(
        "{host} has an address that is never allowed: a link-local or metadata address, where clouds serve a machine's identity"
    )]
    NeverAllowed {
        /// The host.
        host: String,
    },
    /// The host has no address, refuses the connection, or breaks it off.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// The host.
        host: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer did not arrive in time.
    #[error("{host} did not answer in time")]
    TooSlow {
        /// The host.
        host: String,
    },
    /// The answer's status is not a success.
    #[error("{host} answered with status {status}")]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The answer redirects to another host, port or scheme.
    #[error("{host} redirects to another host, port or scheme, which is not followed")]
    Elsewhere {
        /// The host.
        host: String,
    },
    /// There are too many redirects.
    #[error("{host} redirects more than {times} times")]
    Redirects {
        /// The host.
        host: String,
        /// How many redirects are followed.
        times: usize,
    },
    /// The body is larger than allowed.
    #[error("{host} answered with more than {max_bytes} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit in bytes.
        max_bytes: usize,
    },
}

impl FetchError {
    /// Returns whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    pub(crate) fn unreachable(host: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let (host, source) = (host.to_owned(), source.into());
        Self::Unreachable { host, source }
    }

    /// Translates an error of the client, whose own text would show the URL with its query.
    pub(crate) fn of(host: &str, error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TooSlow { host: host.to_owned() };
        }
        Self::unreachable(host, error.without_url())
    }
}
