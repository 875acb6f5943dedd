//! Several inventories in one request, merged in their order.

use std::fs;

use anyhow::ensure;
use callboard_tests::Stock;
use callboard_tests::servers::{Area, Mode, Part};
use callboard_tests::text::plain;
use serde_json::json;

use crate::{SHOW, show, site};

const FIRST: &str = "[web]\nw1 rank=1\nw2 rank=1\n[web:vars]\ntier=first\nsite=first\n";
const SECOND: &str = "all: {children: {web: {vars: {tier: second}}, db: {hosts: {w2: {rank: 2}, d1: }}}}\n";

#[tokio::test]
async fn several_are_merged_as_ansible_merges_several_flags() -> anyhow::Result<()> {
    let site = site(&[Part::Git])?;
    let git = site.servers.git()?;
    git.publish("first", &[("hosts.ini", FIRST, Mode::Plain)])?;
    git.publish("second", &[("hosts.yml", SECOND, Mode::Plain)])?;
    let folder = tempfile::tempdir()?;
    let place = |name: &str| folder.path().join(name);
    for (name, content) in [("hosts.ini", FIRST), ("hosts.yml", SECOND), ("show.yml", SHOW)] {
        fs::write(place(name), content)?;
    }
    let first = json!({"type": "git", "repo": git.repository(Area::Public, "first")?.url(), "path": "hosts.ini"});
    let second = json!({"type": "git", "repo": git.repository(Area::Public, "second")?.url(), "path": "hosts.yml"});
    let inline = json!({"type": "inline", "hosts": ["w1"], "host_vars": {"w1": {"rank": 9}}});
    fs::write(place("inline.json"), r#"{"all": {"hosts": {"w1": {"rank": 9}}}}"#)?;
    let file = |name: &str| place(name).display().to_string();
    for (inventories, sources) in [
        (json!([first, second]), vec![file("hosts.ini"), file("hosts.yml")]),
        (json!([second, first]), vec![file("hosts.yml"), file("hosts.ini")]),
        (
            json!([first, "x1,w2,", second, inline]),
            vec![
                file("hosts.ini"),
                "x1,w2,".to_owned(),
                file("hosts.yml"),
                file("inline.json"),
            ],
        ),
    ] {
        let mut arguments = vec!["--forks=1".to_owned()];
        arguments.extend(sources.iter().flat_map(|source| ["-i".to_owned(), source.clone()]));
        let stock = Stock::of(&site.service)?.play(&place("show.yml"), &arguments)?;
        let played = site.play(&show(&inventories)).await?;
        let (ours, stock) = (&played.log, plain(&stock.output));
        ensure!(*ours == stock, "{inventories}:\n{ours}\n--- stock\n{stock}");
        ensure!(
            played.messages().len() == played.job["result"]["inventory"]["hosts"],
            "{}",
            played.job
        );
    }
    Ok(())
}

#[tokio::test]
async fn one_of_several_that_cannot_be_read_fails_the_job() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let url = &site.servers.cmdb()?.url;
    let wrong = json!({"type": "url", "url": format!("{url}/not-an-inventory")});
    let gone = json!({"type": "url", "url": format!("{url}/gone")});
    for inventories in [json!(["a,", wrong]), json!([gone, "a,"])] {
        let played = site.play(&show(&inventories)).await?;
        played.failed("inventory_invalid", &[])?;
        ensure!(played.messages().is_empty(), "{}", played.log);
    }
    Ok(())
}
