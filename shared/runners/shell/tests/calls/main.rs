//! Programs that jobs start, each with what came of it and what is kept.

mod contract;
mod world;

use anyhow::ensure;
use serde_json::json;

use crate::world::{program, script};

#[tokio::test]
async fn smoke() -> anyhow::Result<()> {
    let run = script("id; env; cat /proc/self/status | grep -i -E 'cap|seccomp|nonew'; ls -la /tmp $HOME /run /; ps aux; readlink /proc/self/exe; ls -l /proc/self/fd; cat /proc/self/cmdline").run().await?;
    println!("{}\n{}\n{}", run.stdout, run.events, run.result);
    let run = program("/bin/true", &[]).run().await?;
    println!("{}", run.result);
    ensure!(run.is_successful());
    Ok(())
}
