//! On a terminal: colours, and Ctrl-C.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use callboard_tests::program::inherit;
use callboard_tests::{Finished, callboard, processes, wait};

use crate::{Desk, playbook};

/// Prepares a call of the program on a terminal of its own, which `script` makes.
pub(crate) fn on_terminal(data: &Path, arguments: &str) -> anyhow::Result<Command> {
    let program = callboard(data)?;
    let line = format!("{} {arguments}", program.get_program().display());
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    inherit(&mut command, &program);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    Ok(command)
}

#[test]
fn output_is_in_colour_on_a_terminal_and_nowhere_else() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let hello = playbook("hello.yml");
    let terminal = |colour: Option<&str>, arguments: &str| -> anyhow::Result<Finished> {
        let mut command = on_terminal(desk.data.path(), &format!("run {hello} {arguments}"))?;
        command.envs(colour.map(|value| ("NO_COLOR", value)));
        Ok(command.spawn()?.wait_with_output()?.into())
    };
    let green = "\x1b[0;32mok: [localhost] => {";
    let run = terminal(None, "")?;
    ensure!(run.code == 0 && run.stdout.contains(green), "{run:?}");
    ensure!(run.stdout.contains("successful in "), "{run:?}");
    let run = terminal(Some("1"), "")?;
    ensure!(!run.stdout.contains("\x1b["), "{run:?}");
    let run = desk.run(&[&hello])?;
    ensure!(
        run.stdout.contains("ok: [localhost] => {") && !run.stdout.contains('\x1b'),
        "{run:?}"
    );
    ensure!(run.stderr.starts_with("successful in "), "{run:?}");
    Ok(())
}

#[tokio::test]
async fn ctrl_c_stops_the_playbook() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let marker = format!("ctrl-c-{}", std::process::id());
    let vars = desk.write("marker.yml", &format!("marker: {marker}"))?;
    let arguments = format!("run {} -e @{}", playbook("start_daemon.yml"), vars.display());
    let mut run = on_terminal(desk.data.path(), &arguments)?.spawn()?;
    wait::until("the daemon and the task run", || {
        processes::with_marker(&marker).len() >= 2
    })
    .await?;
    let mut keyboard = run.stdin.take().context("standard input is piped")?;
    keyboard.write_all(b"\x03")?;
    let run = Finished::from(run.wait_with_output()?);
    ensure!(run.code == 130 && run.stdout.contains("canceled in "), "{run:?}");
    ensure!(processes::with_marker(&marker).is_empty(), "something is left");
    Ok(())
}
