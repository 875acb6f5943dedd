//! The addresses of the emulators.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use callboard_aws::SdkConfig;

/// How long an emulator may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);
const HOW: &str = "run `make test`, or `make emulators` and export what it prints";

/// Returns a configuration for AWS clients that use the emulators. It is more patient than AWS requires, because a busy machine
/// slows the emulators down.
///
/// # Errors
/// No variable says where the emulators are.
pub async fn sdk_config() -> anyhow::Result<SdkConfig> {
    required("AWS_ENDPOINT_URL")?;
    let config = callboard_aws::sdk_config().await.into_builder();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(PATIENCE)
        .operation_timeout(PATIENCE);
    let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Ok(config.timeout_config(timeouts.build()).build())
}

/// Returns the path of AWS's Runtime Interface Emulator.
///
/// # Errors
/// No variable says where it is.
pub fn runtime_interface_emulator() -> anyhow::Result<PathBuf> {
    required("CALLBOARD_RIE").map(PathBuf::from)
}

/// Returns the address of LocalStack.
///
/// # Errors
/// No variable says where it is.
pub fn url() -> anyhow::Result<String> {
    required("AWS_ENDPOINT_URL")
}

/// Returns the collections path with the collections of the worker's image.
///
/// # Errors
/// No variable says where it is.
pub fn collections() -> anyhow::Result<PathBuf> {
    required("CALLBOARD_TEST_COLLECTIONS").map(PathBuf::from)
}

fn required(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("the variable {name} is not set: {HOW}"))
}
