//! The events in `events/`: each gets the answer that its line in `events/README.md` promises.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use callboard_tests::aws::{Pool, Stack};
use serde_json::{Value, json};

use crate::start;

/// The job that the files name, which is not there.
const ABSENT: &str = "01a1faf8-50a0-70a1-801c-2d3e4f506172";

#[tokio::test]
async fn each_event_is_answered_as_its_line_says() -> anyhow::Result<()> {
    let stack = start()?;
    let id = stack.client().submit(&json!({"playbook": "hello.yml"})).await?;
    stack.client().ended(&id).await?;
    let readme = std::fs::read_to_string(path("README.md"))?;
    let mut seen = BTreeSet::new();
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (file, function) = (cells[1].trim_matches('`'), cells[2]);
        seen.insert(file.to_owned());
        let Some(pool) = pool(&stack, function) else { continue };
        for event in [read(file, ABSENT)?, read(file, &id)?] {
            let answer = pool.invoke(event).await.with_context(|| file.to_owned())?;
            ensure!(
                is_promised(file, &answer, cells[4]),
                "{file}: {answer}\npromised: {}",
                cells[4]
            );
        }
    }
    let files = std::fs::read_dir(path(""))?.flatten();
    let names = files.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let files: BTreeSet<String> = names.filter(|name| name.ends_with(".json")).collect();
    assert_eq!(seen, files);
    Ok(())
}

fn is_promised(file: &str, answer: &Value, promise: &str) -> bool {
    match answer["statusCode"].as_u64() {
        Some(status) => promise.contains(&status.to_string()) || (promise.starts_with("as `") && status < 500),
        None if file.starts_with("sqs-") => *answer == json!({"batchItemFailures": []}),
        None if file == "doctor.json" => answer[0]["check"] == "records" && answer[0]["status"] == "ok",
        None if file == "sweep.json" => *answer == json!({"lost": 0, "dispatched": 0, "abandoned": 0}),
        None => answer["status"] != "failed" && answer["job_id"].is_string(),
    }
}

fn pool<'a>(stack: &'a Stack, function: &str) -> Option<&'a Pool> {
    match function {
        "SubmitFunction" => Some(&stack.submit),
        "QueryFunction" => Some(&stack.query),
        "WorkerFunction" => Some(&stack.worker),
        _ => None,
    }
}

fn read(file: &str, id: &str) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path(file))?;
    Ok(serde_json::from_str(&text.replace(ABSENT, id))?)
}

fn path(file: &str) -> String {
    format!("{}/../events/{file}", env!("CARGO_MANIFEST_DIR"))
}
