//! Every flag has its effect.

use std::os::unix::fs::PermissionsExt;

use anyhow::ensure;
use serde_json::json;

use crate::{Desk, playbook};

#[test]
fn inventories_are_lists_files_folders_and_scripts_and_the_last_wins() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("first.yml", "web: {hosts: {web1: {http_port: 1, colour: red}}}")?;
    desk.write("second.ini", "[web]\nweb2 http_port=2 colour=blue\nweb1 http_port=3\n")?;
    desk.write("folder/hosts.yml", "web: {hosts: {web9: {http_port: 9}}}")?;
    desk.write("folder/group_vars/web.yml", "colour: green")?;
    let listing =
        r#"{"web": {"hosts": ["web7"], "vars": {"http_port": 7, "colour": "grey"}}, "_meta": {"hostvars": {}}}"#;
    let script = desk.write("script", &format!("#!/bin/sh\necho '{listing}'\n"))?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    for (inventories, expected) in [
        (vec!["first.yml"], vec!["web1 1 red web"]),
        (vec!["folder"], vec!["web9 9 green web"]),
        (vec!["script"], vec!["web7 7 grey web"]),
        (
            vec!["first.yml", "second.ini"],
            vec!["web1 3 red web", "web2 2 blue web"],
        ),
        (
            vec!["second.ini", "first.yml"],
            vec!["web1 1 red web", "web2 2 blue web"],
        ),
    ] {
        let groups = playbook("features/groups.yml");
        let given = inventories.iter().flat_map(|inventory| ["-i", inventory]);
        let arguments: Vec<&str> = [&*groups].into_iter().chain(given).collect();
        let run = desk.run(&arguments)?;
        let mut told: Vec<&str> = run
            .stdout
            .lines()
            .filter_map(|line| line.trim().strip_prefix("\"msg\": "))
            .collect();
        told.sort_unstable();
        ensure!(
            told == expected.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>(),
            "{run:?}"
        );
    }
    let run = desk.run(&[&playbook("features/many_hosts.yml"), "-i", "b,localhost,a"])?;
    ensure!(
        run.stderr
            .contains(", a: ok=1 changed=0, b: ok=1 changed=0, localhost: ok=1 changed=0"),
        "{run:?}"
    );
    Ok(())
}

#[test]
fn without_an_inventory_the_configured_one_is_used_and_else_this_machine() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let many = playbook("features/many_hosts.yml");
    let hosts = "web1 ansible_connection=local\nweb2 ansible_connection=local\n";
    let told = |arguments: &[&str], expected: &str| {
        let run = desk.run(arguments)?;
        ensure!(run.code == 0 && run.stderr.contains(expected), "{arguments:?}: {run:?}");
        anyhow::Ok(())
    };
    told(&[&many], ", localhost: ok=1")?;
    desk.write("hosts.ini", hosts)?;
    told(
        &[&many, "--", "-i", "hosts.ini"],
        ", web1: ok=1 changed=0, web2: ok=1 changed=0\n",
    )?;
    desk.write("ansible.cfg", "[defaults]\ninventory = hosts.ini\n")?;
    told(&[&many], ", web1: ok=1 changed=0, web2: ok=1 changed=0\n")?;
    told(&[&many, "-i", "localhost,"], ", localhost: ok=1")
}

#[test]
fn extra_variables_come_in_every_form_and_the_last_wins() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("vars.yml", "value: {from: yaml, sum: '{{ 1 + 1 }}'}")?;
    desk.write("vars.json", r#"{"value": ["json", 1]}"#)?;
    for (given, expected) in [
        (vec!["value=word"], r#""word""#),
        (vec!["value='two words' other=1"], r#""two words""#),
        (vec![r#"{"value": 1}"#], "1"),
        (vec!["{value: [yaml]}"], r#"["yaml"]"#),
        (vec!["@vars.yml"], r#"{"from":"yaml","sum":2}"#),
        (vec!["@vars.json"], r#"["json",1]"#),
        (vec!["@vars.json", "value=last"], r#""last""#),
        (vec!["value=first", "@vars.json"], r#"["json",1]"#),
        (vec!["@vars.json", r#"{"value": "ü"}"#, "other=2"], r#""ü""#),
    ] {
        let shown = show(&desk, &given, &[])?;
        ensure!(shown == expected, "{given:?}: {shown}");
    }
    Ok(())
}

#[test]
fn variables_of_a_file_may_be_encrypted() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let vault = callboard_tests::playbooks().join("features/vault");
    let (secrets, password) = (vault.join("secrets.yml"), vault.join("password.txt"));
    let site = std::fs::read_to_string(vault.join("site.yml"))?;
    let inline = site.lines().skip_while(|line| !line.contains("!vault"));
    let inline: Vec<&str> = inline
        .take_while(|line| !line.contains("tasks:"))
        .map(str::trim)
        .collect();
    desk.write("vars.yml", &inline.join("\n  ").replace("inline_secret", "value"))?;
    let password = format!("--vault-password-file={}", password.display());
    ensure!(show(&desk, &["@vars.yml"], &[&password])? == r#""kept in a value""#);
    let file = format!("@{}", secrets.display());
    let shown = show(&desk, &[&file, "value={{ file_secret }}"], &[&password])?;
    ensure!(shown == r#""kept in a file""#, "{shown}");
    Ok(())
}

/// Returns the variable `value`, as JSON, that a playbook gets.
fn show(desk: &Desk, given: &[&str], more: &[&str]) -> anyhow::Result<String> {
    desk.write(
        "show.yml",
        "- {hosts: all, gather_facts: false, tasks: [debug: {msg: '<{{ value | to_json(ensure_ascii=false) }}>'}]}",
    )?;
    let given = given.iter().flat_map(|vars| ["-e", vars]);
    let arguments = ["show.yml"]
        .into_iter()
        .chain(given)
        .chain(["--"])
        .chain(more.iter().copied());
    let run = desk.run(&arguments.collect::<Vec<_>>())?;
    let shown = run.stdout.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    ensure!(run.code == 0 && shown.is_some(), "{run:?}");
    let text = shown
        .map_or("", |(text, _)| text)
        .replace("\\\"", "\"")
        .replace(", ", ",");
    Ok(text.replace(": ", ":"))
}

#[test]
fn flags_are_those_of_ansible_playbook() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let folder = format!("dir={}", desk.folder.path().display());
    let (tags, write) = (playbook("features/tags.yml"), playbook("features/write_file.yml"));
    let meeting = desk.folder.path().join("meeting");
    std::fs::create_dir(&meeting)?;
    let meeting = format!("dir={} ansible_connection=local", meeting.display());
    let (forks, six) = (playbook("features/forks.yml"), "a,b,c,d,e,f,");
    let (start, show) = ("--start-at-task=Two", "ran two");
    for (arguments, present, absent) in [
        (
            vec![&*write, "-e", &folder, "--check", "--diff"],
            "+new line",
            "failed=1",
        ),
        (vec![&write, "-e", &folder, "-C", "-D"], "changed=1 ", "failed=1"),
        (vec![&tags, "-t", "one"], "ran one", "ran two"),
        (vec![&tags, "--tags", "one,two"], "ran two", "ran untagged"),
        (vec![&tags, "--skip-tags", "one"], "ran two", "ran one"),
        (vec![&tags, "-i", "a,b,", "-l", "b"], "ok: [b]", "ok: [a]"),
        (vec![&tags, "-v"], "No config file found", "ran verbosely"),
        (vec![&tags, "-vv", "-f", "1"], "ran verbosely", "EXEC"),
        (vec![&tags, "-vvvv"], "Loading callback plugin", "unrecognized"),
        (
            vec![&forks, "-i", six, "-e", &meeting, "--forks", "6"],
            ", e: ok=1 changed=0, 1 more host: ok=1 changed=0",
            "failed=1",
        ),
        (vec![&tags, "--", start], show, "ran one"),
        (vec![&tags, "-v", "--", "--become-method", "su", start], show, "ran one"),
    ] {
        let run = desk.run(&arguments)?;
        let printed = format!("{}{}", run.stdout, run.stderr);
        ensure!(run.code == 0 && printed.contains(present), "{arguments:?}: {run:?}");
        ensure!(!printed.contains(absent), "{arguments:?}: {run:?}");
    }
    ensure!(!desk.folder.path().join("file").exists());
    Ok(())
}

/// At -vvvv Ansible tells its arguments; the last of two counts.
#[test]
fn the_other_flags_reach_ansible_and_the_record_keeps_what_a_request_could_say() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("word", "secret")?;
    let tags = playbook("features/tags.yml");
    let mut arguments = vec![
        &*tags,
        "-vvvvv",
        "--ssh-common-args",
        "-o Some=thing",
        "--scp-extra-args=-l 9",
    ];
    let flags = "-b --become-user nobody --become-user root --become-method su -u deployer -c local --key-file key -T 7 \
                 --flush-cache --conn-pass-file word --become-pass-file word --vault-id dev@word --vault-pass-file word \
                 -M one -M two --force-handlers --ssh-extra-args -C --sftp-extra-args -f --inventory-file a,b \
                 --start-at-task=Two --timeout 600";
    arguments.extend(flags.split_whitespace());
    let run = desk.run(&arguments)?;
    let folder = desk.folder.path().canonicalize()?.display().to_string();
    let word = format!("{folder}/word");
    for told in [
        "verbosity: 5",
        "become: True",
        "become_user: root",
        "become_method: su",
        "remote_user: deployer",
        "connection: local",
        &format!("private_key_file: {folder}/key"),
        "timeout: 7",
        "flush_cache: True",
        &format!("connection_password_file: {word}"),
        &format!("become_password_file: {word}"),
        "vault_ids: ('dev@word',",
        &format!("vault_password_files: ('{word}',)"),
        &format!("module_path: ('{folder}/two', '{folder}/one')"),
        "force_handlers: True",
        "ssh_common_args: -o Some=thing",
        "ssh_extra_args: -C",
        "sftp_extra_args: -f",
        "scp_extra_args: -l 9",
        "inventory: ('a,b',)",
        "start_at_task: Two",
    ] {
        ensure!(run.stdout.lines().any(|line| line.starts_with(told)), "{told}: {run:?}");
    }
    ensure!(
        run.code == 0 && run.stdout.contains("ran two") && !run.stdout.contains("ran one"),
        "{run:?}"
    );
    let expected = json!({
        "verbosity": 4, "timeout": 600, "start_at_task": "Two", "become": true, "become_user": "root", "become_method": "su",
        "remote_user": "deployer", "connection": "local", "flush_cache": true,
    });
    let job = desk.newest()?;
    ensure!(job["options"] == expected, "{job}");
    ensure!(!job.to_string().contains("key-file"), "{job}");
    Ok(())
}
