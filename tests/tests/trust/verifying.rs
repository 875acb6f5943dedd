//! `callboard verify`.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use callboard_core::output::{SegmentHead, Stream};
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
        nonsense.code == 1 && nonsense.stderr.contains("not a job id"),
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

/// The folder of an attempt, where it lies and copied, and the same segments as a bucket has them.
#[tokio::test]
async fn a_folder_is_checked_as_what_it_is() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let job = service.client().run(&json!({"playbook": "hello.yml"})).await?;
    drop(service);
    let id = job["job_id"].as_str().unwrap_or_default();
    let attempt = data.path().join("logs").join(id).join("1");
    let other = tempfile::tempdir()?;
    let (copy, bucket) = (other.path().join("copy"), other.path().join("bucket"));
    copy_files(&attempt, &copy)?;
    let folder = |folder: &Path| verify(other.path(), &["--folder", &folder.display().to_string()]);
    for place in [&attempt, &copy] {
        let sound = folder(place)?;
        ensure!(
            sound.code == 0 && sound.stdout.contains(", an attempt of a data folder: complete, "),
            "{sound:?}"
        );
    }
    fs::write(copy.join("stdout"), "other")?;
    faulty(&folder(&copy)?, "is damaged")?;

    let heads = as_in_a_bucket(&attempt, &bucket)?;
    let sound = folder(&bucket)?;
    ensure!(
        sound.code == 0 && sound.stdout.contains(", an attempt of a bucket: complete, "),
        "{sound:?}"
    );
    for head in heads {
        fs::remove_file(bucket.join(head))?;
        faulty(&folder(&bucket)?, "missing")?;
    }
    let neither = folder(&data.path().join("logs").join(id))?;
    ensure!(
        neither.code == 1 && neither.stderr.contains("such as logs/JOB/1"),
        "{neither:?}"
    );
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Writes an attempt's segments as files of their names, with the manifest and the streams that a bucket has in one piece.
fn as_in_a_bucket(attempt: &Path, bucket: &Path) -> anyhow::Result<Vec<String>> {
    copy_files(attempt, bucket)?;
    let journal = fs::read_to_string(bucket.join("segments"))?;
    fs::remove_file(bucket.join("segments"))?;
    for name in journal.lines() {
        let head = SegmentHead::parse(name).context("a journal has names of segments")?;
        let mut content = Vec::new();
        for (stream, file) in Stream::ALL.into_iter().zip(["stdout", "events.jsonl", "events.index"]) {
            let (bytes, range) = (fs::read(attempt.join(file))?, head.range(stream));
            content.extend_from_slice(&bytes[usize::try_from(range.start)?..usize::try_from(range.end)?]);
        }
        fs::write(bucket.join(name), content)?;
    }
    Ok(journal.lines().map(str::to_owned).collect())
}
