//! Inventories in Git repositories.

use anyhow::ensure;
use callboard_tests::servers::{Area, File, Mode, Part};
use serde_json::{Value, json};

use crate::{show, site};

const HOSTS: &str = "[web]\nweb1\nweb2 rank=2\n[db]\ndb1 rank=3\n";

fn files() -> Vec<File<'static>> {
    [
        ("production/hosts.ini", HOSTS),
        ("production/group_vars/all.yml", "site: of git\n"),
        ("production/group_vars/web/main.yml", "tier: front\n"),
        ("production/host_vars/web1.yml", "rank: 1\n"),
        ("staging/hosts.yml", "all: {hosts: {staged: }}\n"),
        ("broken/hosts.yml", "all:\n  hosts:\n   - [unbalanced\n"),
        ("wrong/hosts.yml", "all: {hosts: [a, b]}\n"),
        ("empty/hosts.yml", "all: {}\n"),
    ]
    .map(|(path, content)| (path, content, Mode::Plain))
    .to_vec()
}

fn inventory(repo: &str, path: &str) -> Value {
    json!({"type": "git", "repo": repo, "path": path})
}

#[tokio::test]
async fn a_file_or_folder_comes_with_the_variables_beside_it() -> anyhow::Result<()> {
    let site = site(&[Part::Git])?;
    let git = site.servers.git()?;
    git.publish("inventories", &files())?;
    git.publish_private("inventories", &files())?;
    let token = json!({"kind": "git", "username": git.user, "token": git.token});
    site.store("git", &token).await?;
    let public = git.repository(Area::Public, "inventories")?.url().to_owned();
    let private = git.repository(Area::Private, "inventories")?.url().to_owned();
    let mut with_credential = inventory(&private, "production");
    with_credential["git_credential"] = json!("git");
    for inventory in [
        inventory(&public, "production/hosts.ini"),
        inventory(&public, "production"),
        with_credential,
    ] {
        let played = site.play(&show(&inventory)).await?;
        let expected = [
            "web1 web of git front 1",
            "web2 web of git front 2",
            "db1 db of git - 3",
        ];
        ensure!(
            played.messages() == expected,
            "{inventory}: {} {}",
            played.job,
            played.log
        );
        let told = &played.job["result"]["inventory"];
        ensure!(told["group_hosts"] == json!({"db": 1, "web": 2}), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_or_cannot_be_read_is_told_with_its_place() -> anyhow::Result<()> {
    let site = site(&[Part::Git])?;
    let git = site.servers.git()?;
    let commit = git.publish("inventories", &files())?;
    let link: File<'_> = ("outside", "/etc", Mode::Symlink);
    let linked = git.publish("linked", &[link])?;
    let url = |name| git.repository(Area::Public, name).map(|found| found.url().to_owned());
    let (url, linked_url) = (url("inventories")?, url("linked")?);
    let gone = url.replace("inventories", "gone");
    for (inventory, words) in [
        (inventory(&url, "no/such"), [url.as_str(), "no/such", &commit]),
        (
            inventory(&linked_url, "outside/hosts"),
            [&linked_url, "outside/hosts", &linked],
        ),
        (inventory(&gone, "hosts"), [&gone, "", ""]),
        (
            inventory(&url, "broken/hosts.yml"),
            ["could not be read", "broken/hosts.yml", "YAML"],
        ),
        (
            inventory(&url, "wrong/hosts.yml"),
            ["could not be read", "wrong/hosts.yml", "\"hosts\""],
        ),
        (inventory(&url, "empty/hosts.yml"), ["names no hosts", "", ""]),
    ] {
        let played = site.play(&show(&inventory)).await?;
        played.failed("inventory_invalid", &words)?;
    }
    let mut other_branch = inventory(&url, "production");
    other_branch["branch"] = json!("no-such-branch");
    let played = site.play(&show(&other_branch)).await?;
    played.failed("inventory_invalid", &[&url, "no-such-branch"])?;
    Ok(())
}
