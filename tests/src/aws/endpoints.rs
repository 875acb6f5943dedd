//! Where the emulators are.

use std::env;
use std::path::PathBuf;

use anyhow::Context;
use callboard_aws::SdkConfig;

const HOW: &str = "run `make test`, or `make emulators` and export what it prints";

/// Returns the set-up of AWS clients that talk to the emulators.
///
/// # Errors
/// No variable says where they are.
pub async fn sdk_config() -> anyhow::Result<SdkConfig> {
    required("AWS_ENDPOINT_URL")?;
    Ok(callboard_aws::sdk_config().await)
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

/// Returns the collections path that has those of the worker's image.
///
/// # Errors
/// No variable says where it is.
pub fn collections() -> anyhow::Result<PathBuf> {
    required("CALLBOARD_TEST_COLLECTIONS").map(PathBuf::from)
}

fn required(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("the variable {name} is not set: {HOW}"))
}
