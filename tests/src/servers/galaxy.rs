//! The Galaxy server.

use serde_json::Value;

use super::requests::RequestLog;
use super::text;

/// The server. It has `callboard_test.base` 1.0.0, 1.1.0 and 2.0.0 with the role `greet`, which prints
/// `{{ greeting }} from base VERSION`. It also has `callboard_test.web` 1.2.0, which needs `callboard_test.base` from 1.0.0 to
/// below 2.0.0, with the role `site`, which runs `greet` and prints `site of web 1.2.0`.
#[derive(Clone, Debug)]
pub struct GalaxyServer {
    /// The address, with TLS.
    pub url: String,
    /// The address that requires the token, with TLS.
    pub private_url: String,
    /// The address, without TLS.
    pub http_url: String,
    /// The address that requires the token, without TLS.
    pub http_private_url: String,
    /// The token.
    pub token: String,
    /// The log of the requests that it received.
    pub log: RequestLog,
}

impl GalaxyServer {
    pub(super) fn read(part: &Value) -> anyhow::Result<Self> {
        Ok(Self {
            url: text(part, "url")?,
            private_url: text(part, "private_url")?,
            http_url: text(part, "http_url")?,
            http_private_url: text(part, "http_private_url")?,
            token: text(part, "token")?,
            log: RequestLog::read(part)?,
        })
    }

    /// Returns how often a version was downloaded. The name is given without its namespace.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn downloads(&self, name: &str, version: &str) -> anyhow::Result<usize> {
        let end = format!("/download/callboard_test-{name}-{version}.tar.gz");
        let requests = self.log.requests()?;
        Ok(requests.iter().filter(|request| request.path.ends_with(&end)).count())
    }
}
