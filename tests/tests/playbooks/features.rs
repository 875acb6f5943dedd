//! Playbooks that print, count and end as the stock `ansible-playbook` of the same environment has it.

use std::fs;

use anyhow::{Context, ensure};
use callboard_tests::stock::Printed;
use callboard_tests::{Client, Service, Stock, events};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A playbook of the folder `features`, and the exit code that it ends with.
const FEATURES: [(&str, i32); 20] = [
    ("facts.yml", 0),
    ("loops.yml", 0),
    ("handlers.yml", 0),
    ("roles_play/site.yml", 0),
    ("includes/site.yml", 0),
    ("blocks.yml", 0),
    ("failing.yml", 2),
    ("ignore_errors.yml", 0),
    ("async.yml", 0),
    ("delegation.yml", 0),
    ("vault/site.yml", 0),
    ("custom_stats/site.yml", 0),
    ("serial.yml", 0),
    ("größe 大.yml", 0),
    ("write_file.yml", 0),
    ("tags.yml", 0),
    ("minimal/site.yml", 0),
    ("oneline/site.yml", 0),
    ("plugins/site.yml", 0),
    ("warnings/site.yml", 0),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playbook_prints_counts_and_ends_as_with_ansible_playbook() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let (client, stock) = (service.client(), Stock::of(&service)?);
    let inventory = crate::hosts(&json!({"one": {}, "bad-zwölf": {}}));
    for (playbook, code) in FEATURES {
        let (ours, theirs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let reference = tokio::task::spawn_blocking({
            let (stock, inventory) = (stock.clone(), inventory.clone());
            move || reference(&stock, playbook, &inventory, &theirs)
        });
        let request = json!({
            "playbook": format!("features/{playbook}"), "inventory": inventory, "options": {"forks": 1},
            "extra_vars": {"dir": ours.path(), "greeting": "Grüße, 世界"},
        });
        let job = client.run(&request).await?;
        compare(&client, &job, code, &reference.await??)
            .await
            .context(playbook)?;
    }
    Ok(())
}

fn reference(stock: &Stock, playbook: &str, inventory: &Value, folder: &TempDir) -> anyhow::Result<Printed> {
    let hosts = folder.path().join("hosts.json");
    fs::write(&hosts, inventory["data"].to_string())?;
    let dir = folder.path().join("dir");
    fs::create_dir(&dir)?;
    let vars = json!({"dir": dir, "greeting": "Grüße, 世界"});
    let arguments = [
        "--forks=1".to_owned(),
        format!("--inventory={}", hosts.display()),
        format!("--extra-vars={vars}"),
    ];
    let path = callboard_tests::playbooks().join("features").join(playbook);
    stock.play(&path, &arguments)
}

async fn compare(client: &Client, job: &Value, code: i32, reference: &Printed) -> anyhow::Result<()> {
    let id = job["job_id"].as_str().context("a job has an id")?;
    let log = client.logs(id).await?;
    let (ours, theirs) = (without_job_ids(&log), without_job_ids(&reference.output));
    for (ours, theirs) in ours.split('\n').zip(theirs.split('\n')) {
        ensure!(ours == theirs, "Callboard: {ours:?}; ansible-playbook: {theirs:?}");
    }
    ensure!(
        ours.len() == theirs.len(),
        "Callboard: {ours:?}; ansible-playbook: {theirs:?}"
    );
    ensure!(
        job["result"]["rc"] == code && reference.code == code,
        "{job} {reference:?}"
    );
    ensure!((job["status"] == "successful") == (code == 0), "{job}");
    let told = client.events(id).await?;
    events::check(&told, &log)?;
    ensure!(events::of_kind(&told, "playbook_on_stats").len() == 1, "{told:?}");
    recap_tells(&theirs, &job["result"]["stats"])
}

/// Ansible numbers asynchronous tasks by chance.
fn without_job_ids(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut parts = text.split("jid=");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.trim_start_matches(|c: char| c == 'j' || c == '.' || c.is_ascii_digit()));
    first + &rest.collect::<String>()
}

/// The counts of the record are those that Ansible prints at the end.
fn recap_tells(output: &str, stats: &Value) -> anyhow::Result<()> {
    let Some((_, recap)) = output.split_once("PLAY RECAP") else {
        return Ok(());
    };
    let names = [
        ("ok=", "ok"),
        ("changed=", "changed"),
        ("unreachable=", "dark"),
        ("failed=", "failures"),
        ("skipped=", "skipped"),
        ("rescued=", "rescued"),
        ("ignored=", "ignored"),
    ];
    for line in recap.lines().filter(|line| line.contains("unreachable=")) {
        let host = if line.contains("one") { "one" } else { "bad-zwölf" };
        for (printed, counted) in names {
            let count = &stats[host][counted];
            ensure!(
                line.contains(&format!("{printed}{count} ")),
                "{host} {counted}: {stats} {line:?}"
            );
        }
    }
    Ok(())
}
