//! Bytes that are no text, and lines without an end.

use std::iter;

use anyhow::{Context, ensure};
use callboard_tests::{Service, events};
use serde_json::json;

const PLAY: &str = "\nPLAY [Raw] *********************************************************************\n";
const RECAP: &str = "\nPLAY RECAP *********************************************************************\n\n";
const COLOURS: &str = "\x1b[0;32mok: [hôst] 🦀\x1b[0m\r\n\x1b]8;;file\x07\x1b[1;3";

/// Returns what `raw_writer.py` writes.
fn written(kind: &str, size: usize) -> Vec<u8> {
    let mut written: Vec<u8> = match kind {
        "one_line" => iter::repeat_n(b'a', size).collect(),
        "every_byte" => (0..=u8::MAX).cycle().take(size / 256 * 256).collect(),
        "colours" => COLOURS.repeat(size / COLOURS.len()).into_bytes(),
        _ => return b"last words ".repeat(size / 11),
    };
    written.push(b'\n');
    written
}

#[tokio::test]
async fn every_byte_is_kept_as_it_was_written() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    for (kind, size) in [
        ("one_line", 50_000_000),
        ("every_byte", 1_000_000),
        ("colours", 300_000),
        ("colours", 1000),
    ] {
        let request = json!({"playbook": "output/raw.yml", "extra_vars": {"kind": kind, "size": size}});
        let job = client.run(&request).await?;
        let id = job["job_id"].as_str().context("an id")?;
        let printed = client.logs(id).await?;
        let raw = printed
            .strip_prefix(PLAY.as_bytes())
            .and_then(|rest| rest.strip_suffix(RECAP.as_bytes()));
        ensure!(
            raw == Some(&written(kind, size)),
            "{kind}: {} bytes: {}",
            printed.len(),
            job["error"]
        );
        crate::check_record(&job, &printed)?;
        events::check(&client.events(id).await?, &printed)?;
        let manifest = crate::manifest(data.path(), id)?;
        ensure!(
            manifest["complete"] == true && manifest["stdout_bytes"] == printed.len(),
            "{manifest}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_was_printed_before_the_playbook_was_killed_is_kept() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let request = json!({"playbook": "output/raw.yml", "extra_vars": {"kind": "last_words", "size": 300_000}});
    let job = client.run(&request).await?;
    ensure!(job["status"] == "failed" && job["reason"] == "runner_error", "{job}");
    ensure!(
        job["error"].as_str().is_some_and(|error| error.contains("SIGKILL")),
        "{job}"
    );
    let printed = client.logs(job["job_id"].as_str().context("an id")?).await?;
    ensure!(
        printed.ends_with(&written("last_words", 300_000)),
        "{} bytes",
        printed.len()
    );
    crate::check_record(&job, &printed)
}
