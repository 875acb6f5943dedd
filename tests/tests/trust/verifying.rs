//! `callboard verify`.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use callboard_tests::{Finished, Service, callboard};
use serde_json::json;

#[tokio::test]
async fn output_that_was_changed_or_lost_is_found_and_named() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let job = service.client().run(&json!({"playbook": "hello.yml"})).await?;
    let id = job["job_id"].as_str().unwrap_or_default();
    drop(service);
    let sound = verify(data.path(), &[id])?;
    ensure!(sound.code == 0 && sound.stdout.contains("complete"), "{sound:?}");
    let attempt = data.path().join("logs").join(id).join("1");
    let (stdout, journal) = (attempt.join("stdout"), attempt.join("segments"));
    let (text, segments) = (fs::read(&stdout)?, fs::read_to_string(&journal)?);

    let mut changed = text.clone();
    changed[3] ^= 1;
    fs::write(&stdout, &changed)?;
    faulty(&verify(data.path(), &[id])?, "is damaged")?;
    fs::write(&stdout, &text[..text.len() - 1])?;
    faulty(&verify(data.path(), &[id])?, "is damaged")?;
    fs::write(&stdout, &text)?;
    let last = segments.trim_end().rfind('\n').map_or(0, |at| at + 1);
    fs::write(&journal, &segments[..last])?;
    faulty(&verify(data.path(), &[id])?, "missing")?;
    fs::write(&journal, &segments)?;
    fs::rename(attempt.join("manifest.json"), attempt.join("m"))?;
    faulty(&verify(data.path(), &[id])?, "There is no manifest")?;
    fs::rename(attempt.join("m"), attempt.join("manifest.json"))?;
    ensure!(verify(data.path(), &[id])?.code == 0);

    let unknown = verify(data.path(), &["01a1faf8-50a0-70a1-801c-2d3e4f506172"])?;
    ensure!(
        unknown.code == 1 && unknown.stderr.contains("there is no job"),
        "{unknown:?}"
    );
    let nonsense = verify(data.path(), &["nonsense"])?;
    ensure!(
        nonsense.code == 1 && nonsense.stderr.contains("no job id"),
        "{nonsense:?}"
    );
    Ok(())
}

fn verify(data: &Path, arguments: &[&str]) -> anyhow::Result<Finished> {
    Ok(Finished::from(callboard(data)?.arg("verify").args(arguments).output()?))
}

fn faulty(found: &Finished, told: &str) -> anyhow::Result<()> {
    ensure!(found.code == 2 && found.stdout.contains(told), "{found:?}");
    Ok(())
}
