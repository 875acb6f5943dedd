//! 200 MB from one playbook.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service, events};
use reqwest::Method;
use serde_json::json;

const TIMES: usize = 20;
const LINES: usize = 100_000;
/// The service's memory must not grow with the output.
const MEMORY_KB: u64 = 60 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_are_kept_and_followed_to_the_byte_in_constant_memory() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let (client, files) = (service.client(), tempfile::tempdir()?);
    let [expected, followed, read] = ["expected", "followed", "read"].map(|name| files.path().join(name));
    write_expected(&expected)?;
    let request = json!({"playbook": "output/much.yml", "extra_vars": {"times": TIMES, "lines": LINES}});
    let id = client.submit(&request).await?;
    download(&client, &format!("/api/v1/jobs/{id}/logs?follow=true"), &followed).await?;
    let job = client.ended(&id).await?;
    download(&client, &format!("/api/v1/jobs/{id}/logs"), &read).await?;

    let sum = sha256(&expected)?;
    ensure!(
        sha256(&read)? == sum,
        "{}: {} bytes",
        job["error"],
        fs::metadata(&read)?.len()
    );
    ensure!(
        sha256(&followed)? == sum,
        "followed: {} bytes",
        fs::metadata(&followed)?.len()
    );
    let manifest = crate::manifest(data.path(), &id)?;
    let size = fs::metadata(&expected)?.len();
    ensure!(
        size > 200_000_000 && manifest["stdout_bytes"] == size,
        "{size} bytes: {manifest}"
    );
    ensure!(
        manifest["stdout_sha256"] == sum && manifest["complete"] == true,
        "{manifest}"
    );

    let printed = fs::read(&read)?;
    crate::check_record(&job, &printed)?;
    let told = client.events(&id).await?;
    events::check(&told, &printed)?;
    let items = events::of_kind(&told, "runner_item_on_ok");
    let bounded = |stdout: &str| stdout.len() <= 64 * 1024;
    let cut =
        |event: &&serde_json::Value| event["stdout_truncated"] == true && event["stdout"].as_str().is_some_and(bounded);
    ensure!(items.len() == TIMES && items.iter().all(cut));
    let memory = peak_memory_kb(service.pid())?;
    ensure!(memory < MEMORY_KB, "the service has taken {memory} kB");
    Ok(())
}

fn write_expected(path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let stars = |title: &str| format!("\n{title} {}\n", "*".repeat(79 - title.len()));
    write!(file, "{}{}", stars("PLAY [Much]"), stars("TASK [Say much]"))?;
    for item in 0..TIMES {
        let line = format!("{item:04} {}", "x".repeat(95)).repeat(LINES);
        writeln!(
            file,
            "ok: [localhost] => (item={item}) => {{\n    \"msg\": \"{line}\"\n}}"
        )?;
    }
    let counts = "ok=1    changed=0    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   ";
    write!(file, "{}localhost                  : {counts}\n\n", stars("PLAY RECAP"))?;
    Ok(file.flush()?)
}

async fn download(client: &Client, path: &str, to: &Path) -> anyhow::Result<()> {
    let mut response = client.request(Method::GET, path).send().await?.error_for_status()?;
    let mut file = BufWriter::new(File::create(to)?);
    while let Some(chunk) = response.chunk().await? {
        file.write_all(&chunk)?;
    }
    Ok(file.flush()?)
}

fn sha256(path: &Path) -> anyhow::Result<String> {
    let output = Command::new("sha256sum").arg(path).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split(' ').next().context("sha256sum tells a sum")?.to_owned())
}

fn peak_memory_kb(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
