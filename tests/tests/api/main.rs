//! The HTTP API of the real program: submitting, listing, reading output and events, and its own description.
//!
//! Most of it holds on AWS as well: see `api_on_aws`.

mod answers;
mod attempts;
mod credentials;
mod description;
mod events;
mod follow;
mod health;
mod idempotency;
mod keys;
mod list;
mod logs;
mod policy;
mod record;
mod request_ids;
mod submit;

use callboard_tests::Service;
use callboard_tests::client::names;
use tempfile::TempDir;

/// Starts what a test asks; the folder is the test's own.
fn start(arguments: &[&str]) -> anyhow::Result<(Service, TempDir)> {
    Service::start(arguments)
}
