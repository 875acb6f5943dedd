use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use callboard_core::base::id::JobId;
use callboard_core::base::secret::Secret;
use callboard_core::output::{LogKey, LogStore, Manifest, OutputLimits, Segment, SegmentHead, Stream};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::*;

type Fallible<T = ()> = Result<T, Box<dyn std::error::Error>>;

const SECRET: &str = "hunter2 \"Zq8\nvXr";

/// Keeps what is appended.
#[derive(Default)]
struct Kept(Mutex<Vec<Segment>>);

#[async_trait]
impl LogStore for Kept {
    async fn append(&self, _job: JobId, _attempt: u32, segment: &Segment) -> Result<(), StoreError> {
        let mut kept = self.0.lock().map_err(|_| StoreError::NotFound)?;
        kept.push(segment.clone());
        Ok(())
    }

    async fn segments(&self, _job: JobId, _attempt: u32) -> Result<Vec<SegmentHead>, StoreError> {
        Ok(Vec::new())
    }

    async fn read(&self, _key: LogKey, _range: Range<u64>) -> Result<Bytes, StoreError> {
        Err(StoreError::NotFound)
    }

    async fn size(&self, _key: LogKey) -> Result<u64, StoreError> {
        Err(StoreError::NotFound)
    }

    async fn seal(&self, _job: JobId, _attempt: u32, _manifest: &Manifest) -> Result<(), StoreError> {
        Ok(())
    }

    async fn manifest(&self, _job: JobId, _attempt: u32) -> Result<Option<Manifest>, StoreError> {
        Ok(None)
    }

    async fn remove(&self, _job: JobId) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Kept {
    fn text(&self, stream: Stream) -> Fallible<String> {
        let kept = self.0.lock().map_err(|_| "poisoned")?;
        let bytes: Vec<u8> = kept.iter().flat_map(|segment| segment.part(stream)).collect();
        Ok(String::from_utf8(bytes)?)
    }
}

/// Moves output, byte by byte, and events through a pump; returns what it kept and what it learned.
async fn pump(text: &str, events: &[Value], secrets: &[Secret]) -> Fallible<(Arc<Kept>, Findings)> {
    let (mut text_in, text_out) = pipe::pipe()?;
    let (mut events_in, events_out) = pipe::pipe()?;
    let kept = Arc::new(Kept::default());
    let output = Output::new(kept.clone(), JobId::new(), 1, OutputLimits::default());
    let pipes = Pipes {
        output: text_out,
        errors: None,
        events: events_out,
    };
    let target = Target {
        output: &output,
        viewer: None,
        redactor: Arc::new(Redactor::new(secrets)?),
        root: PathBuf::new(),
    };
    let mut pump = Pump::new(pipes, "0123", "job".to_owned(), target);
    let (ended, (_stop, stop)) = (Notify::new(), tokio::sync::watch::channel(None));
    let write = async {
        for event in events {
            events_in.write_all(format!("{event}\n").as_bytes()).await?;
        }
        drop(events_in);
        for byte in text.as_bytes() {
            text_in.write_all(&[*byte]).await?;
            tokio::task::yield_now().await;
        }
        drop(text_in);
        io::Result::Ok(())
    };
    let (written, moved) = tokio::join!(write, pump.run(&ended, Stop::new(stop)));
    written?;
    moved?;
    output.close(true, Duration::ZERO).await?;
    Ok((kept, pump.into_findings()))
}

fn event(name: &str, data: &Value) -> Value {
    json!({"uuid": name, "event": name, "event_data": data})
}

#[tokio::test(flavor = "current_thread")]
async fn a_secret_is_in_nothing_that_is_kept_or_learned_of_a_job() -> Fallible {
    let failed = json!({
        "host": SECRET, "task": format!("Use {SECRET}"),
        "res": {"msg": format!("no {SECRET}!"), "invocation": {SECRET: ["hunter2%20%22Zq8%0AvXr"]}, "rc": 1},
    });
    let counts = json!({SECRET: 1});
    let stats = json!({
        "ok": counts, "changed": {}, "failures": counts, "dark": {}, "skipped": {}, "rescued": {}, "ignored": {},
        "processed": counts, "artifact_data": {SECRET: [SECRET]},
    });
    let events = [
        json!({"callboard": "hosts", "names": [SECRET]}),
        json!({
            "callboard": "failure", "kind": "failed", "host": SECRET, "play": SECRET, "task": SECRET, "action": SECRET,
            "path": format!("{SECRET}:3"), "item": SECRET, "message": SECRET, "rc": 1, "stderr": SECRET, "stdout": SECRET,
            "delegated_to": SECRET, "stderr_tail": format!("a\n{SECRET}"),
            "cause": {"task": SECRET, "path": format!("{SECRET}:2"), "message": SECRET, "rc": 2, "stdout": SECRET},
        }),
        event("runner_on_failed", &failed),
        event("playbook_on_stats", &stats),
        json!({"callboard": "warning", "message": SECRET}),
        json!({"callboard": "deprecation", "message": SECRET}),
        json!({"callboard": "ansible_error", "message": format!("ERROR {SECRET}")}),
    ];
    let (begin, end) = ("\x1b]0123;B\x07", "\x1b]0123;E\x07");
    let torn = SECRET.split_at(5);
    let text = format!(
        "{SECRET}\n{begin}fatal: hunter2 \\\"Zq8\\nvXr\n{}{end}{begin}{}.\n{end}",
        torn.0, torn.1
    );
    let (kept, findings) = pump(&text, &events, &[Secret::new(SECRET)]).await?;

    assert_eq!(kept.text(Stream::Stdout)?, "********\nfatal: ********\n********.\n");
    let told = kept.text(Stream::Events)?;
    let told: Vec<Value> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let seen: Vec<_> = told
        .iter()
        .map(|event| (&event["event"], &event["stdout"], &event["end_line"]))
        .collect();
    assert_eq!(
        json!(seen),
        json!([
            ["verbose", "********", 1],
            ["runner_on_failed", "fatal: ********\n********", 2],
            ["playbook_on_stats", ".", 3]
        ])
    );
    let expected = json!({
        "host": "********", "task": "Use ********",
        "res": {"msg": "no ********!", "invocation": {"********": ["********"]}, "rc": 1},
    });
    assert_eq!(told[1]["event_data"], expected);
    assert_eq!(findings.error.as_deref(), Some("ERROR ********"));
    let hidden = "********";
    let failure = json!({
        "host": hidden, "kind": "failed", "play": hidden, "task": hidden, "action": hidden, "file": hidden, "line": 3,
        "item": hidden, "message": hidden, "rc": 1, "stderr": hidden, "stdout": hidden, "delegated_to": hidden,
        "stderr_tail": format!("a\n{hidden}"),
        "cause": {"task": hidden, "file": hidden, "line": 2, "message": hidden, "rc": 2, "stderr": null, "stdout": hidden},
    });
    assert_eq!(serde_json::to_value(findings.failures.all())?, json!([failure]));
    for told in [&findings.warnings, &findings.deprecations] {
        assert_eq!(told.texts, [hidden]);
    }
    assert_eq!(json!(findings.tracker.output), json!({hidden: [hidden]}));
    let hosts = findings.tracker.stats_so_far().cloned().unwrap_or_default();
    assert_eq!(hosts.keys().collect::<Vec<_>>(), ["********"]);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn without_secrets_everything_is_kept_as_it_came() -> Fallible {
    let data = json!({"host": SECRET, "n": 1.50});
    let text = format!("\x1b]0123;B\x07ok: {SECRET}\n\x1b]0123;E\x07\x1b]012");
    let (kept, _) = pump(&text, &[event("runner_on_ok", &data)], &[]).await?;
    assert_eq!(kept.text(Stream::Stdout)?, format!("ok: {SECRET}\n\x1b]012"));
    assert!(kept.text(Stream::Events)?.contains(&data.to_string()));
    Ok(())
}
