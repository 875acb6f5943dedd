//! One job with every kind of secret, which tries to print each: no byte that stays anywhere has one of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::ensure;
use callboard_tests::servers::{Area, Mode, Part, Servers};
use callboard_tests::{Played, Site, program};
use serde_json::{Value, json};

use crate::forms::Forms;

/// By the names that the playbook knows them by.
fn secrets(servers: &Servers) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let keys = &servers.ssh()?.keys;
    Ok(BTreeMap::from([
        ("key", keys.encrypted.clone()),
        ("passphrase", keys.passphrase.clone()),
        ("password", "c4n4ry \"connection\" \\ <é🦀> & 100%".to_owned()),
        ("become", "c4n4ry'become'{{ 7 * 7 }}$HOME".to_owned()),
        ("vault", "c4n4ry/of+the=vault".to_owned()),
        ("git", servers.git()?.token.clone()),
        ("bearer", servers.cmdb()?.token.clone()),
        ("header", "c4n4ry~header:value;,?".to_owned()),
        ("cloud", "c4n4ry/Cloud+Key/0123456789abcdefghijklm".to_owned()),
        ("session", "c4n4ry-session//token==".to_owned()),
    ]))
}

async fn store(site: &Site, secrets: &BTreeMap<&'static str, String>) -> anyhow::Result<()> {
    let of = |name: &str| secrets.get(name).cloned().unwrap_or_default();
    for (name, credential) in [
        (
            "ssh",
            json!({"kind": "ssh", "private_key": of("key"), "passphrase": of("passphrase")}),
        ),
        ("password", json!({"kind": "password", "password": of("password")})),
        ("become", json!({"kind": "password", "password": of("become")})),
        ("vault", json!({"kind": "vault", "password": of("vault")})),
        (
            "labelled",
            json!({"kind": "vault", "password": of("vault"), "vault_id": "labelled"}),
        ),
        (
            "git",
            json!({"kind": "git", "username": site.servers.git()?.user, "token": of("git")}),
        ),
        ("bearer", json!({"kind": "bearer", "token": of("bearer")})),
        (
            "header",
            json!({"kind": "header", "header": "X-Other", "value": of("header")}),
        ),
        (
            "cloud",
            json!({
                "kind": "cloud", "access_key_id": "AKIACANARY", "secret_access_key": of("cloud"),
                "session_token": of("session"), "region": "eu-central-1",
            }),
        ),
    ] {
        site.store(name, &credential).await?;
    }
    Ok(())
}

fn request(site: &Site, secrets_file: &Path) -> anyhow::Result<Value> {
    let git = site.servers.git()?;
    let files = [
        ("canary.yml", include_str!("files/canary.yml"), Mode::Plain),
        ("ansible.cfg", include_str!("files/ansible.cfg"), Mode::Plain),
        (
            "callbacks/halves.py",
            include_str!("files/callback_halves.py"),
            Mode::Plain,
        ),
        ("processes.py", include_str!("files/processes.py"), Mode::Plain),
    ];
    git.publish_private("canary", &files)?;
    let repo = git.repository(Area::Private, "canary")?.url().to_owned();
    let url = &site.servers.cmdb()?.url;
    let local = json!({"localhost": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}});
    Ok(json!({
        "source": {"type": "playbook", "repo": repo, "path": "canary.yml", "git_credential": "git"},
        "inventory": [
            {"type": "url", "url": format!("{url}/private/inventory.yaml"), "credential": "bearer"},
            {"type": "url", "url": format!("{url}/inventory.yaml"), "headers": {"X-Other": "a ${header} b"}},
            crate::ssh::host(site.servers.ssh()?, "canary"),
            {"type": "inline", "data": {"all": {"hosts": local}}},
        ],
        "credentials": {
            "ssh": "ssh", "password": "password", "become_password": "become", "vault_password": "vault", "cloud": "cloud",
        },
        "extra_vars": {"secrets_file": secrets_file},
        "options": {"verbosity": 4, "vault_ids": ["labelled", "other@vault"]},
    }))
}

/// A cache of the test's own: the Ansible environment is in it, and nothing else.
fn own_cache(cache: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(program::cache()?).into_iter().flatten() {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("ansible-") {
            symlink(entry.path(), cache.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn no_byte_that_a_job_leaves_anywhere_has_one_of_its_secrets() -> anyhow::Result<()> {
    let (cache, own) = (tempfile::tempdir()?, tempfile::tempdir()?);
    own_cache(cache.path())?;
    let site = Site::start_with(&[Part::Git, Part::Ssh, Part::Cmdb], crate::policy, |command| {
        command.arg("--cache").arg(cache.path());
        Ok(())
    })?;
    let secrets = secrets(&site.servers)?;
    store(&site, &secrets).await?;
    let file = own.path().join("secrets.json");
    fs::write(&file, serde_json::to_string(&secrets)?)?;
    let played = site.play(&request(&site, &file)?).await?;
    has_tried(&site, &played)?;
    let texts: Vec<(&str, &str)> = secrets.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let forms = Forms::of(&texts);
    told(&site, &played, &forms).await?;
    let searched = forms.absent_below(site.data.path())?;
    ensure!(searched > 500_000, "{searched} bytes are few");
    forms.absent_below(site.work.path())?;
    forms.absent_below(cache.path())?;
    forms.absent("the service's log", site.service.log().as_bytes())
}

/// Checks that the job came to its last task, with every secret in place.
fn has_tried(site: &Site, played: &Played) -> anyhow::Result<()> {
    played.failed(
        "playbook_failed",
        &["In the last failure", "The passwords are ********"],
    )?;
    let log = &played.log;
    for words in [
        "\"processes looked at True\"",
        "\"files 6\"",
        "\"git False, become True\"",
        "ok: [canary]",
        "end of the long line",
        "SSH: EXEC ssh",
    ] {
        ensure!(log.contains(words), "the log lacks {words:?}:\n{log}");
    }
    let cmdb = site.servers.cmdb()?.log.requests()?;
    ensure!(cmdb.iter().any(|request| request.authorised == Some(true)), "{cmdb:?}");
    ensure!(
        cmdb.iter().any(|request| request.headers.contains_key("x-other")),
        "{cmdb:?}"
    );
    Ok(())
}

/// Searches everything that the API tells of the job and of the credentials.
async fn told(site: &Site, played: &Played, forms: &Forms) -> anyhow::Result<()> {
    let client = site.client();
    forms.absent("the record", played.job.to_string().as_bytes())?;
    forms.absent("the log", &client.logs(&played.id).await?)?;
    let events = client.events(&played.id).await?;
    ensure!(events.len() > 50, "{} events are few", events.len());
    for event in &events {
        forms.absent("an event", event.to_string().as_bytes())?;
        forms.absent(
            "an event's text",
            event["stdout"].as_str().unwrap_or_default().as_bytes(),
        )?;
    }
    for path in ["/api/v1/jobs", "/api/v1/credentials", "/api/v1/credentials/ssh"] {
        let answer = client.get(path).await?;
        ensure!(answer.status == 200, "{answer:?}");
        forms.absent(path, answer.body.to_string().as_bytes())?;
    }
    Ok(())
}
