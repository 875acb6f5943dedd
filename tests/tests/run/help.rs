//! Each verb tells its own flags, and settings may stand before it.

use anyhow::ensure;

use crate::{Desk, playbook};

#[test]
fn the_help_of_a_verb_has_its_own_flags_and_no_others() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    for (verb, own) in [
        ("verify", vec!["--folder", "--audit", "--partial"]),
        ("logs", vec!["--follow", "--attempt"]),
        ("show", vec!["--json"]),
        (
            "list",
            vec![
                "--status",
                "--dead-letter",
                "--kind",
                "--service",
                "--operation",
                "--tenant",
                "--limit",
                "--json",
            ],
        ),
        ("redrive", vec!["--playbook", "--tenant"]),
        ("quotas", vec!["--tenant", "--policy", "--json"]),
        ("rotate-key", vec![]),
    ] {
        let help = desk.call(&[verb, "--help"])?;
        let flags = help.stdout.split_whitespace().filter(|word| word.starts_with("--"));
        let flags: Vec<&str> = flags.collect();
        ensure!(flags == [own, vec!["--data", "--help"]].concat(), "{verb}: {help:?}");
    }
    let run = desk.call(&["run", "--help"])?;
    ensure!(
        run.stdout.contains("--become-user") && run.stdout.contains("--max-output"),
        "{run:?}"
    );
    Ok(())
}

#[test]
fn settings_may_stand_before_the_verb() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let data = desk.folder.path().join("data").display().to_string();
    let run = desk.call(&["--data", &data, "--grace=1", "run", &playbook("hello.yml")])?;
    ensure!(run.code == 0, "{run:?}");
    let list = desk.call(&["--data", &data, "list"])?;
    ensure!(list.stdout.lines().count() == 1, "{list:?}");
    ensure!(desk.call(&["list"])?.stdout.is_empty());
    let verbs: [&[&str]; 4] = [
        &["list"],
        &["audit"],
        &["keys", "list"],
        &["keys", "list", "--sessions"],
    ];
    for (verb, things) in verbs.into_iter().zip(["jobs", "entries", "keys", "sessions"]) {
        let none = desk.call(&[verb, &["--data", &data, "--tenant", "web"]].concat())?;
        let told = format!("callboard: the tenant web has no such {things}; --tenant names another.\n");
        ensure!(
            none.code == 0 && none.stdout.is_empty() && none.stderr == told,
            "{none:?}"
        );
    }
    Ok(())
}
