//! AWS's Runtime Interface Emulator with a function of our own.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use callboard_testkit::calls::never;
use callboard_testkit::wait::until;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::world::{call, runner};

/// A function that returns what it gets, in the words of Lambda's runtime API.
const FUNCTION: &str = include_str!("function.py");

/// Starts the emulator; returns it with its address.
fn start(folder: &Path) -> anyhow::Result<(Child, String)> {
    let emulator = env::var_os("CALLBOARD_RIE");
    let emulator = emulator.context(
        "the variable CALLBOARD_RIE is not set: run `make test`, or `make emulators` and export what it prints",
    )?;
    let function = folder.join("bootstrap");
    fs::write(&function, FUNCTION)?;
    fs::set_permissions(&function, fs::Permissions::from_mode(0o755))?;
    let free = || anyhow::Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string());
    let (address, api) = (free()?, free()?);
    let child = Command::new(emulator)
        .args([
            "--runtime-interface-emulator-address",
            &address,
            "--runtime-api-address",
            &api,
        ])
        .arg(function)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, address))
}

#[tokio::test]
async fn a_function_under_awss_emulator_is_called() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut emulator, address) = start(folder.path())?;
    until("the emulator listens", || {
        std::net::TcpStream::connect(&address).is_ok()
    })
    .await?;
    let input = json!({"text": "ünï 🦀", "number": 1.5});
    let runner = runner(&address, None)?;
    let run = call(&runner, "function: function", "timeout: 60", &input, never()).await?;
    let result = run.result()?;
    ensure!(
        result["status"] == "successful" && result["output"] == json!({"got": input}),
        "{result}"
    );
    // what is larger than a pipe, and larger than the job's output may be, is in the log
    let input = json!({"text": "0123456789".repeat(200_000)});
    let operation = "timeout: 60, runner_config: {max_response_bytes: 1000}";
    let run = call(&runner, "function: function", operation, &input, never()).await?;
    let result = run.result()?;
    ensure!(
        result["output_truncated"] == true && run.stdout.len() > 2_000_000,
        "{result}"
    );
    emulator.kill().await?;
    Ok(())
}
