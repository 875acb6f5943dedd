//! The larger parts of requests: a source from a Git server, a large inventory, a large body.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use callboard_tests::program::callboard;
use callboard_tests::servers::{Mode, Part, Servers};
use callboard_tests::{Client, Service};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::jobs::stock_ansible;
use crate::report::{Report, Target, median};

const FILES: usize = 500;
const ROUNDS: usize = 20;
const HOSTS: usize = 10_000;
const LARGE_BYTES: usize = 5 * 1024 * 1024;
const PLAYBOOK: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: Hello}\n";

/// A source of many files: the same playbook from the playbooks folder, and from a Git server after it was fetched before.
pub(crate) async fn git(report: &mut Report) -> anyhow::Result<()> {
    let servers = Servers::start(&[Part::Git])?;
    let files = files();
    let tree: Vec<(&str, &str, Mode)> = files
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_str(), Mode::Plain))
        .collect();
    let commit = servers.git()?.publish("bench", &tree)?;
    let repo = format!("{}/public/bench.git", servers.git()?.url);
    let (service, _folders) = serve(&servers, &files)?;
    let client = service.client();
    let by_commit = json!({"source": {"type": "playbook", "repo": repo, "branch": commit, "path": "site.yml"}});
    let by_branch = json!({"source": {"type": "playbook", "repo": repo, "path": "site.yml"}});
    let requests = [json!({"playbook": "site.yml"}), by_commit, by_branch];
    let mut samples = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        for (request, samples) in requests.iter().zip(&mut samples) {
            let seconds = run(&client, request).await?;
            if round > 0 {
                samples.push(seconds * 1e3);
            }
        }
    }
    let [bundled, by_commit, by_branch] = samples.map(median);
    report.add(
        "git source of 500 files, second run of a commit",
        by_commit - bundled,
        "ms more",
        Target::AtMost(30.0),
        format!(
            "{bundled:.0} ms bundled, {by_commit:.0} ms by commit, {by_branch:.0} ms by branch, with its ls-remote"
        ),
    );
    Ok(())
}

/// The time to refuse a request with an inventory of many hosts, all of which is read and checked.
pub(crate) async fn validation(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let hosts: Map<String, Value> = (0..HOSTS)
        .map(|number| {
            (
                format!("host-{number:05}.example.com"),
                json!({"ansible_host": "10.0.0.1", "http_port": number}),
            )
        })
        .collect();
    let inventory = json!({"type": "inline", "data": {"web": {"hosts": hosts}}});
    let body = json!({"playbook": "hello.yml", "inventory": inventory, "options": {"forks": 0}}).to_string();
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let answer = client.post("/api/v1/jobs", body.clone()).await?;
        ensure!(answer.body["errors"][0]["pointer"] == "/options/forks", "{answer:?}");
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.add(
        "inline inventory of 10,000 hosts, refused for another field",
        median(samples),
        "ms",
        Target::AtMost(30.0),
        format!("a body of {} KB", body.len() / 1000),
    );
    Ok(())
}

/// A body of 5 MB, from its submission to its finished record, compared with `ansible-playbook` and the same inventory in a file.
pub(crate) async fn large_body(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let filler = "x".repeat(1000);
    let count = LARGE_BYTES / 1080;
    let hosts: Map<String, Value> = (0..count)
        .map(|number| (format!("h{number}"), json!({"text": filler})))
        .collect();
    let mut data = json!({"all": {"hosts": hosts}});
    data["all"]["hosts"]["h0"]["ansible_connection"] = "local".into();
    let request =
        json!({"playbook": "hello.yml", "inventory": {"type": "inline", "data": data}, "options": {"limit": "h0"}});
    let bytes = request.to_string().len();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("hosts.json");
    fs::write(&file, data.to_string())?;
    let stock = stock_ansible(&service)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        ours.push(run(&client, &request).await?);
        theirs.push(play(&stock, &file)?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    report.add(
        "a body of 5 MB, POST to finished record",
        ours / theirs,
        "ratio",
        Target::AtMost(1.0),
        format!("{ours:.2} s for {bytes} bytes against {theirs:.2} s of ansible-playbook"),
    );
    Ok(())
}

fn files() -> Vec<(String, String)> {
    let many = (1..FILES).map(|number| {
        (
            format!("roles/r{}/files/{number}.txt", number % 20),
            "line\n".repeat(400),
        )
    });
    many.chain([("site.yml".to_owned(), PLAYBOOK.to_owned())]).collect()
}

/// Starts a service with the files in its playbooks folder and with access to the Git server.
fn serve(servers: &Servers, files: &[(String, String)]) -> anyhow::Result<(Service, [TempDir; 2])> {
    let (data, playbooks) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for (path, content) in files {
        let path = playbooks.path().join(path);
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(path, content)?;
    }
    let host = servers.git()?.url.replace("https://", "");
    let mut command = callboard(data.path())?;
    command
        .env("CALLBOARD_POLICY", format!("git: [\"{host}\"]"))
        .env("SSL_CERT_FILE", servers.authority())
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks.path());
    Ok((Service::spawn(command)?, [data, playbooks]))
}

async fn run(client: &Client, request: &Value) -> anyhow::Result<f64> {
    let start = Instant::now();
    let answer = client.post("/api/v1/jobs?sync=true", request.to_string()).await?;
    ensure!(
        answer.body["status"] == "successful",
        "{:.2000}",
        answer.body.to_string()
    );
    Ok(start.elapsed().as_secs_f64())
}

fn play(stock: &Path, inventory: &Path) -> anyhow::Result<f64> {
    let start = Instant::now();
    let status = Command::new(stock)
        .arg("-i")
        .arg(inventory)
        .args(["--limit", "h0"])
        .arg(callboard_tests::playbooks().join("hello.yml"))
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "ansible-playbook failed");
    Ok(start.elapsed().as_secs_f64())
}
