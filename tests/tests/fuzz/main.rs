//! Whatever reads foreign bytes, fed with examples, and with examples that were changed at random.
//!
//! Each target takes a second here, and as many as `CALLBOARD_FUZZ_SECONDS` says under `make fuzz`. What once failed is
//! added to `tests/fuzz`, where the examples are.

mod mutation;

use std::borrow::Cow;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::json;
use callboard_core::base::secret::Secret;
use callboard_core::job::{Filter, JobStatus, List};
use callboard_core::redact::{Piece, Redactor, Stream};
use callboard_core::request::{JobRequest, Read};
use callboard_kind_ansible::event_names::NAMES;
use callboard_submit::trigger::Trigger;
use callboard_tests::kinds::kinds;

use crate::mutation::Mutations;

const SECRETS: [&str; 3] = ["hunter2 Zq8", "Zq8\nvXr", "pass"];

#[test]
fn events_are_read_or_refused() -> anyhow::Result<()> {
    fuzz("../../events", |bytes| {
        let Ok(event) = serde_json::from_slice(bytes) else {
            return Ok(());
        };
        match Trigger::of(event) {
            Ok(Trigger::Event(event)) => drop(kinds().read(&event.request)),
            Ok(_) => {}
            Err(error) => ensure!(!error.to_string().is_empty()),
        }
        Ok(())
    })
}

#[test]
fn requests_are_read_as_they_are_kept_or_each_fault_is_told() -> anyhow::Result<()> {
    fuzz("request", |bytes| {
        let Ok(body) = json::parse(bytes) else { return Ok(()) };
        match kinds().read(&body) {
            Ok(Read { request, .. }) => {
                let kept = serde_json::to_string(&request)?;
                let read: JobRequest = serde_json::from_str(&kept)?;
                let title = request.title.clone();
                ensure!(JobRequest { title, ..read } == request, "it is kept as {kept}");
            }
            Err(faults) => ensure!(!faults.is_empty() && faults.iter().all(|fault| !fault.detail.is_empty())),
        }
        Ok(())
    })
}

#[test]
fn cursors_are_those_of_their_list() -> anyhow::Result<()> {
    let (tenant, other) = (Tenant::default(), Tenant::from("other".to_owned()));
    let all = Filter::default();
    let failed = Filter {
        status: Some(JobStatus::Failed),
        ..Filter::default()
    };
    let dead = Filter {
        dead_letter: true,
        ..Filter::default()
    };
    fuzz("cursor", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let list = List::Jobs(&tenant, &all);
        if let Some(place) = list.place(&text) {
            ensure!(list.cursor(&place) == text);
        }
        let id = bytes
            .first_chunk::<16>()
            .map_or_else(JobId::new, |id| JobId::from_bytes(*id));
        let written = list.cursor(id.as_bytes());
        ensure!(list.job(&written) == Some(id));
        for list in [
            List::Jobs(&other, &all),
            List::Jobs(&tenant, &failed),
            List::Jobs(&tenant, &dead),
            List::Credentials(&tenant),
        ] {
            ensure!(list.place(&written).is_none());
        }
        Ok(())
    })
}

#[test]
fn no_secret_passes_the_redactor_however_its_input_is_cut() -> anyhow::Result<()> {
    let redactor = Arc::new(Redactor::new(&SECRETS.map(Secret::new))?);
    fuzz("redactor", |bytes| {
        let whole = redactor.bytes(bytes);
        for secret in SECRETS {
            let found = whole.windows(secret.len()).any(|window| window == secret.as_bytes());
            ensure!(!found, "{secret:?} is in {:?}", String::from_utf8_lossy(&whole));
        }
        let width = usize::from(bytes.first().copied().unwrap_or(0)) % 7 + 1;
        let mut stream = Stream::<()>::new(redactor.clone());
        let mut cut = Vec::new();
        for piece in bytes.chunks(width) {
            gather(&mut cut, stream.push(Piece::Text(Cow::Borrowed(piece))));
        }
        gather(&mut cut, stream.finish());
        ensure!(
            cut == *whole,
            "{:?} against {:?}",
            String::from_utf8_lossy(&cut),
            String::from_utf8_lossy(&whole)
        );
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) {
            let event = [br#"{"res": "#, bytes, b"}"].concat();
            let redacted: serde_json::Value = serde_json::from_slice(&redactor.json(&event, NAMES))?;
            ensure!(redacted["res"].is_object() == value.is_object());
            let text = redacted.to_string();
            ensure!(!text.contains(SECRETS[0]), "{text}");
        }
        Ok(())
    })
}

fn gather(all: &mut Vec<u8>, pieces: Vec<Piece<'_, ()>>) {
    for piece in pieces {
        if let Piece::Text(text) = piece {
            all.extend_from_slice(&text);
        }
    }
}

/// Runs a target on its examples, then on changed ones for as long as it may.
fn fuzz(folder: &str, target: impl Fn(&[u8]) -> anyhow::Result<()> + std::panic::RefUnwindSafe) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let mut examples = Vec::new();
    for file in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        let bytes = std::fs::read(&path)?;
        run(&target, &bytes).with_context(|| path.display().to_string())?;
        examples.push(bytes);
    }
    ensure!(!examples.is_empty(), "there is nothing in {}", folder.display());
    let seconds = std::env::var("CALLBOARD_FUZZ_SECONDS").unwrap_or_else(|_| "1".to_owned());
    let (begun, span) = (Instant::now(), Duration::from_secs(seconds.parse()?));
    let (mut mutations, mut runs) = (Mutations::new(examples), 0_u64);
    while begun.elapsed() < span {
        let input = mutations.next();
        let seed = mutations.seed();
        run(&target, &input).with_context(|| format!("seed {seed}, run {runs}: b\"{}\"", input.escape_ascii()))?;
        runs += 1;
    }
    println!("{}: {runs} runs, seed {}", folder.display(), mutations.seed());
    Ok(())
}

fn run(
    target: &(impl Fn(&[u8]) -> anyhow::Result<()> + std::panic::RefUnwindSafe),
    input: &[u8],
) -> anyhow::Result<()> {
    match catch_unwind(|| target(input)) {
        Ok(found) => found,
        Err(_) => bail!("it panics"),
    }
}
