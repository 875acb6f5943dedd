//! The clouds of a deployment.

use std::env;

use callboard_identity::Endpoints;

/// Where Google Cloud's metadata server is, by the name that every machine there knows.
const METADATA: &str = "metadata.google.internal";

/// Where the clouds are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses of AWS's services.
    pub endpoints: Endpoints,
    /// The host of Google Cloud's metadata server, with its port where that is not 80.
    pub metadata_host: String,
}

impl Settings {
    /// Reads the variables that the clouds' own libraries use: `AWS_ENDPOINT_URL_LAMBDA`, `AWS_ENDPOINT_URL` and
    /// `GCE_METADATA_HOST`.
    #[must_use]
    pub fn from_environment() -> Self {
        let host = env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
        Self {
            endpoints: Endpoints::from_environment(),
            metadata_host: host.unwrap_or_else(|| METADATA.to_owned()),
        }
    }
}
