//! Events do not depend on the stdout callback, and what a callback prints is what it prints with `ansible-playbook`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::aws::endpoints::collections;
use callboard_tests::{Service, Stock, events};
use serde_json::{Value, json};

/// Where Ansible's own callbacks and one of the playbook's are named; those of the collections are found in their folders.
const NAMES: [&str; 4] = ["default", "minimal", "oneline", "answers_itself"];
/// They move the cursor, or print dots, instead of ending lines, so their events' lines cannot be told apart.
const WITHOUT_LINES: [&str; 2] = ["community.general.dense", "community.general.selective"];
const NAMESPACES: [&str; 2] = ["ansible.posix", "community.general"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stdout_callback_prints_as_with_ansible_playbook_and_leaves_the_events_as_they_are() -> anyhow::Result<()>
{
    let (data, playbooks) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let names = names()?;
    ensure!(names.len() > 12, "{names:?}");
    for name in &names {
        let folder = playbooks.path().join(name);
        copy(&callboard_tests::playbooks().join("callbacks"), &folder)?;
        let path = collections()?.display().to_string();
        let settings = format!("[defaults]\nstdout_callback={name}\ncollections_path={path}\n");
        fs::write(folder.join("ansible.cfg"), settings)?;
    }
    let service = Service::start_with(data.path(), playbooks.path(), &[])?;
    let (client, stock) = (service.client(), Stock::of(&service)?);
    let inventory = crate::hosts(&json!({"good": {}, "bad": {}}));
    let hosts = playbooks.path().join("hosts.json");
    fs::write(&hosts, inventory["data"].to_string())?;

    let mut first: Option<(Vec<Value>, Value)> = None;
    for name in names {
        let request = json!({"playbook": format!("{name}/site.yml"), "inventory": inventory, "options": {"forks": 1}});
        let job = client.run(&request).await?;
        let id = job["job_id"].as_str().context("a job has an id")?;
        ensure!(job["result"]["rc"] == 2, "{name}: {job}");
        let error = r#"1 of 2 hosts failed: bad in task "Fail" "#;
        ensure!(
            job["error"].as_str().is_some_and(|told| told.starts_with(error)),
            "{name}: {job}"
        );

        let log = client.logs(id).await?;
        let told = client.events(id).await?;
        if !WITHOUT_LINES.contains(&name.as_str()) {
            events::check(&told, &log).context(name.clone())?;
        }
        let seen = (results(&told), job["result"]["stats"].clone());
        ensure!(
            first.as_ref().is_none_or(|first| *first == seen),
            "{name}: {seen:?}; {first:?}"
        );
        first.get_or_insert(seen);

        let arguments = ["--forks=1".to_owned(), format!("--inventory={}", hosts.display())];
        let printed = stock.play(&playbooks.path().join(&name).join("site.yml"), &arguments)?;
        let (ours, theirs) = (stable(&log), stable(&printed.output));
        for (ours, theirs) in ours.lines().zip(theirs.lines()) {
            ensure!(
                ours == theirs,
                "{name}: Callboard {ours:?}, ansible-playbook {theirs:?}"
            );
        }
        ensure!(ours.len() == theirs.len(), "{name}: {ours}\n---\n{theirs}");
    }
    Ok(())
}

/// Every stdout callback there is.
fn names() -> anyhow::Result<BTreeSet<String>> {
    let mut names: BTreeSet<String> = NAMES.into_iter().map(str::to_owned).collect();
    for namespace in NAMESPACES {
        let folder = collections()?
            .join("ansible_collections")
            .join(namespace.replace('.', "/"));
        for entry in fs::read_dir(folder.join("plugins/callback"))? {
            let path = entry?.path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            let name = path.file_stem().and_then(|name| name.to_str()).context("a name")?;
            let stdout = ["'stdout'", "\"stdout\""]
                .iter()
                .any(|quoted| text.contains(&format!("CALLBACK_TYPE = {quoted}")));
            if stdout {
                names.insert(format!("{namespace}.{name}"));
            }
        }
    }
    Ok(names)
}

/// What the tasks came to, in order for each host; a host may begin a task while the items of another are still told.
fn results(told: &[Value]) -> Vec<Value> {
    let of_a_task = |event: &&Value| {
        let name = event["event"].as_str().unwrap_or_default();
        name.starts_with("playbook_") || name.starts_with("runner_")
    };
    let mut kept: Vec<&Value> = told.iter().filter(of_a_task).collect();
    kept.sort_by_key(|event| event["event_data"]["host"].as_str());
    let shown = kept.iter().map(|event| {
        let data = &event["event_data"];
        json!([
            event["event"],
            data["host"],
            data["task"],
            event["rescued"],
            data["ignore_errors"]
        ])
    });
    shown.collect()
}

/// Leaves out what differs from run to run: the ids that JSON callbacks print, and digits.
fn stable(output: &[u8]) -> String {
    const ID: &str = "\"id\": \"";
    let output = String::from_utf8_lossy(output).replace("\"id\":\"", ID);
    let mut parts = output.split(ID);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(ID);
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '-'));
    }
    let mut digits = text.chars().peekable();
    let mut stable = String::new();
    while let Some(character) = digits.next() {
        let number = character.is_ascii_digit();
        while number && digits.next_if(char::is_ascii_digit).is_some() {}
        stable.push(if number { '0' } else { character });
    }
    stable
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
