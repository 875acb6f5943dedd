//! Input that tries to become something else than one argument.

use std::fs;

use anyhow::ensure;
use serde_json::json;

use crate::world::{Service, program};

/// Prints each of its arguments, and its input's among them.
fn printer() -> Service {
    let text = r#"for argument in "$@"; do printf '<%s>' "$argument"; done"#;
    program("/bin/sh", &["-c", text, "sh", "--file={a}", "--", "{a}", "{n}"])
}

#[tokio::test]
async fn what_the_input_gives_is_one_argument_and_is_never_read_by_a_shell() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("mark");
    let touch = format!("touch {}", mark.display());
    let shells = [
        format!("; {touch}"),
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("a\n{touch}\n"),
        format!("' ; {touch} ; '"),
        format!("\" ; {touch} ; \""),
        format!("a && {touch} || {touch}"),
        format!("| {touch}"),
        format!("> {}", mark.display()),
        format!("-c {touch}"),
        format!("${{IFS}}{touch}"),
        format!("{{a}};{touch}"),
    ];
    let plain = [
        "-rf",
        "--help",
        "--",
        "*",
        "~",
        "",
        " ",
        "\\",
        "ü\u{202e}\u{200b}日本",
        "\r\n",
        "\u{7f}\u{1b}[31m",
    ];
    for value in shells.iter().map(String::as_str).chain(plain) {
        let service = printer().policy("write_paths", json!([folder.path()]));
        let run = service.input(json!({"a": value, "n": 1.5})).run().await?;
        let expected = format!("<--file={value}><--><{value}><1.5>");
        ensure!(run.output() == expected, "{value:?}: {run:?}");
        ensure!(!mark.exists(), "{value:?} was executed");
    }
    // the mark can be made where a shell is asked for it
    let run = program("/bin/sh", &["-c", &touch])
        .policy("write_paths", json!([folder.path()]))
        .run()
        .await?;
    ensure!(run.is_successful() && mark.exists(), "{run:?}");
    fs::remove_file(&mark)?;
    Ok(())
}

#[tokio::test]
async fn input_that_cannot_be_an_argument_is_refused_before_there_is_a_job() -> anyhow::Result<()> {
    for input in [
        json!({"a": "x\u{0}y", "n": 1}),
        json!({"a": ["x"], "n": 1}),
        json!({"a": "x"}),
    ] {
        ensure!(printer().input(input.clone()).request().is_err(), "{input}");
    }
    for (name, value) in [
        ("LD_PRELOAD", "/tmp/x.so"),
        ("LD_LIBRARY_PATH", "/tmp"),
        ("IFS", "/"),
        ("BASH_ENV", "/tmp/x"),
    ] {
        let service = printer().config("environment", json!({name: value}));
        ensure!(service.request().is_err(), "{name}");
    }
    Ok(())
}
