//! Programs that use more than they may.

use anyhow::ensure;
use callboard_testkit::processes::with_variable;
use serde_json::json;

use crate::world::{Run, Service, python, script};

/// Runs a service with limits; nothing of it may be left.
async fn limited(service: Service, limits: serde_json::Value) -> anyhow::Result<Run> {
    let mark = format!("mark-{}", callboard_core::base::id::JobId::new());
    let mut service = service.policy("resource_limits", limits);
    service.operation["runner_config"]["environment"]["MARK"] = json!(mark);
    let run = service.operation("timeout", 60).run().await?;
    ensure!(
        with_variable(&format!("MARK={mark}")).is_empty(),
        "something is left: {run:?}"
    );
    ensure!(run.reason() != "timeout", "it was not limited: {run:?}");
    Ok(run)
}

fn is_limit(run: &Run, told: &str) -> anyhow::Result<()> {
    ensure!(
        run.reason() == "resource_limit" && run.error().contains(told),
        "{run:?}"
    );
    Ok(())
}

#[tokio::test]
async fn memory_is_limited_for_each_process_and_for_all_together() -> anyhow::Result<()> {
    let peak = |run: &Run| run.result["usage"]["peak_memory_bytes"].as_u64().unwrap_or(u64::MAX);
    let run = limited(python("x = bytearray(400 << 20)"), json!({"memory_mb": 100})).await?;
    ensure!(
        run.reason() == "exit_code" && run.error().contains("MemoryError"),
        "{run:?}"
    );
    ensure!(peak(&run) < 100 << 20, "{run:?}");
    let many = "import os, time\n\
        for _ in range(8):\n\
        \x20   if os.fork() == 0:\n\
        \x20       x = bytearray(50 << 20); time.sleep(600)\n\
        time.sleep(600)";
    is_limit(
        &limited(python(many), json!({"memory_mb": 100})).await?,
        "100 MiB of memory",
    )?;
    let shared = "import mmap, time\nx = mmap.mmap(-1, 300 << 20); x.write(b'x' * (300 << 20)); time.sleep(600)";
    let run = limited(python(shared), json!({"memory_mb": 150})).await?;
    ensure!(["resource_limit", "exit_code"].contains(&run.reason()), "{run:?}");
    let files = "import os, time\n\
        chunk = b'x' * (1 << 20)\n\
        for _ in range(4):\n\
        \x20   file = os.memfd_create('x')\n\
        \x20   for _ in range(50): os.write(file, chunk)\n\
        time.sleep(600)";
    is_limit(
        &limited(python(files), json!({"memory_mb": 100})).await?,
        "100 MiB of memory",
    )?;
    // what is only reserved does not count
    let run = limited(
        python("import mmap\nx = mmap.mmap(-1, 1 << 30, mmap.MAP_PRIVATE, mmap.PROT_READ)"),
        json!({"memory_mb": 100}),
    )
    .await?;
    ensure!(run.is_successful(), "{run:?}");
    Ok(())
}

#[tokio::test]
async fn processor_time_is_limited_for_all_processes_together() -> anyhow::Result<()> {
    let used = |run: &Run| run.result["usage"]["cpu_seconds"].as_f64().unwrap_or(f64::MAX);
    for text in [
        "while :; do :; done",
        "trap '' XCPU; while :; do :; done",
        "for i in 1 2 3 4 5; do (while :; do :; done) & done; wait",
        // each ends before it has used much
        "while :; do sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'; done",
    ] {
        let run = limited(script(text), json!({"cpu_seconds": 1})).await?;
        is_limit(&run, "1 s of processor time")?;
        ensure!(used(&run) < 4.0, "{text}: {run:?}");
    }
    Ok(())
}

#[tokio::test]
async fn processes_and_threads_are_limited() -> anyhow::Result<()> {
    for service in [
        script("bomb() { bomb | bomb & }; bomb; sleep 600"),
        script("bomb() { setsid sh -c 'while :; do setsid sleep 600 & done' & }; bomb; bomb; sleep 600"),
        python("import threading, time\nfor _ in range(100): threading.Thread(target=time.sleep, args=(600,)).start()"),
    ] {
        let run = limited(service, json!({"processes": 20})).await?;
        is_limit(&run, "20 processes and threads")?;
    }
    let run = limited(
        script("for i in 1 2 3 4 5; do sleep 0.1 & done; wait"),
        json!({"processes": 20}),
    )
    .await?;
    ensure!(run.is_successful(), "{run:?}");
    Ok(())
}

#[tokio::test]
async fn the_disk_is_limited_however_it_is_filled() -> anyhow::Result<()> {
    let limits = json!({"disk_mb": 5});
    let run = limited(script("exec head -c 20M /dev/zero > large"), limits.clone()).await?;
    is_limit(&run, "5 MiB in a file")?;
    for text in [
        "i=0; while :; do head -c 1M /dev/zero > $i; i=$((i+1)); done",
        // files without content, and folders
        "i=0; while :; do mkdir -p d$i; : > d$i/f; i=$((i+1)); done",
    ] {
        is_limit(&limited(script(text), limits.clone()).await?, "5 MiB in its folder")?;
    }
    let nameless = "import os, time\n\
        kept = []\n\
        for _ in range(5):\n\
        \x20   file = open('x', 'wb'); os.unlink('x'); file.write(b'x' * (2 << 20)); file.flush(); kept.append(file)\n\
        time.sleep(600)";
    is_limit(&limited(python(nameless), limits.clone()).await?, "5 MiB in its folder")?;
    let run = limited(script("head -c 1M /dev/zero > a; sleep 0.5"), limits).await?;
    ensure!(run.is_successful(), "{run:?}");
    Ok(())
}

#[tokio::test]
async fn open_files_are_limited() -> anyhow::Result<()> {
    let text = "files = []\ntry:\n    while True: files.append(open('/dev/null'))\nexcept OSError as error: print(error.errno, len(files) < 1024)";
    let run = python(text).run().await?;
    ensure!(run.output() == "24 True\n", "{run:?}");
    Ok(())
}

#[tokio::test]
async fn much_output_is_in_the_log_and_its_beginning_in_the_result() -> anyhow::Result<()> {
    let run = script("head -c 3000000 /dev/zero | tr '\\0' x").run().await?;
    ensure!(
        run.is_successful() && run.result["output_truncated"] == true,
        "{}",
        run.error()
    );
    ensure!(run.output().len() == 1 << 20 && run.stdout.len() == 3_000_000);
    let service = script("printf '['; head -c 3000000 /dev/zero | tr '\\0' 1; printf ']'").config("output", "json");
    let run = service
        .operation("output_schema", json!({"type": "array"}))
        .run()
        .await?;
    ensure!(
        run.reason() == "output_invalid" && run.error().contains("too large to be read as JSON"),
        "{}",
        run.error()
    );
    ensure!(run.output().starts_with("[1") && run.output().len() == 1 << 20 && run.result["output_truncated"] == true);
    Ok(())
}

#[tokio::test]
async fn time_is_limited_even_for_a_program_that_prints_without_end() -> anyhow::Result<()> {
    let run = script("trap '' TERM; yes").operation("timeout", 1).run().await?;
    ensure!(
        run.reason() == "timeout" && run.error().contains("the 1 s of its operation"),
        "{}",
        run.error()
    );
    ensure!(
        !run.ended.stopped && run.result["exit_code"] == 137,
        "{}",
        run.result["exit_code"]
    );
    Ok(())
}
