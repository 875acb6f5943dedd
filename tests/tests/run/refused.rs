//! What is refused before there is a job, in one sentence that says what to do.

use anyhow::ensure;

use crate::{Desk, playbook};

#[test]
fn a_question_that_nobody_could_answer_is_refused_wherever_its_flag_stands() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let hello = playbook("hello.yml");
    for (flags, named, instead) in [
        (vec!["-k"], "--ask-pass", "--connection-password-file"),
        (vec!["-bK"], "--ask-become-pass", "--become-password-file"),
        (vec!["-J"], "--ask-vault-pass", "--vault-password-file"),
        (
            vec!["--ask-vault-password"],
            "--ask-vault-pass",
            "--vault-password-file",
        ),
        (vec!["--step"], "--step", "--start-at-task"),
        (
            vec!["--vault-id", "dev@prompt"],
            "--vault-id dev@prompt",
            "--vault-id with a file",
        ),
        (vec!["--", "-bK"], "-K", "--become-password-file"),
        (
            vec!["--", "--ask-vault-pass"],
            "--ask-vault-pass",
            "--vault-password-file",
        ),
        (
            vec!["--", "--vault-id=prompt"],
            "--vault-id prompt",
            "--vault-id with a file",
        ),
        (vec!["--", "--step"], "--step", "--start-at-task"),
    ] {
        let arguments: Vec<&str> = [&*hello].into_iter().chain(flags).collect();
        let run = desk.run(&arguments)?;
        let asked = run.stderr.starts_with(&format!("callboard: {named} asks questions"));
        ensure!(run.code == 1 && run.stdout.is_empty() && asked, "{run:?}");
        ensure!(
            run.stderr.contains(instead) && run.stderr.lines().count() == 1,
            "{run:?}"
        );
    }
    ensure!(
        std::fs::read_dir(desk.data.path())?.next().is_none(),
        "there is a record"
    );
    Ok(())
}

/// The exit code is that of `ansible-playbook`.
#[test]
fn a_file_that_is_not_there_is_named_once_with_its_flag() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let hello = playbook("hello.yml");
    for (flag, value) in [
        ("-e", "@missing.yml"),
        ("--vault-password-file", "missing"),
        ("--vault-id", "dev@missing"),
        ("--become-password-file", "missing"),
        ("--connection-password-file", "missing"),
    ] {
        let run = desk.run(&[&hello, flag, value])?;
        let told = format!("callboard: {flag} {value}: there is no such file\n");
        ensure!(run.code == 1 && run.stdout.is_empty() && run.stderr == told, "{run:?}");
    }
    ensure!(
        std::fs::read_dir(desk.data.path())?.next().is_none(),
        "there is a record"
    );
    Ok(())
}

/// Behind `--`, Ansible finds out, and more than once: every inventory plugin reads the variables.
#[test]
fn variables_that_ansible_cannot_read_are_no_fault_of_the_inventory() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let run = desk.run(&[&playbook("hello.yml"), "--", "-e", "@missing.yml"])?;
    let job = desk.newest()?;
    let error = job["error"].as_str().unwrap_or_default();
    ensure!(run.code == 1 && job["reason"] == "playbook_failed", "{job}");
    ensure!(
        error.contains("/missing.yml") && !error.contains("inventory"),
        "{error}"
    );
    ensure!(error.matches("Could not find or access").count() == 1, "{error}");
    Ok(())
}
