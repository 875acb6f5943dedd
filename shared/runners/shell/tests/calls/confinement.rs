//! What a program tries to reach beyond what is its own.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::ensure;
use callboard_core::base::id::JobId;
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{Service, folders, python, script};

#[tokio::test]
async fn a_program_reads_and_changes_only_what_it_is_given() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("data");
    let text = format!("cat {0}; echo changed > {0}; exit 0", file.display());
    for (given, read, changed) in [
        (None, false, false),
        (Some("read_paths"), true, false),
        (Some("write_paths"), true, true),
    ] {
        fs::write(&file, "confidential")?;
        let service = script(&text);
        let service = match given {
            Some(name) => service.policy(name, json!([folder.path()])),
            None => service,
        };
        let run = service.run().await?;
        ensure!(run.output().contains("confidential") == read, "{given:?}: {run:?}");
        ensure!((fs::read_to_string(&file)? == "changed\n") == changed, "{given:?}");
    }
    let run = script("echo own > $HOME/a && mkdir b && mv a b/c && ln -s b/c d && cat d && echo > /dev/null")
        .run()
        .await?;
    ensure!(run.output() == "own\n", "{run:?}");
    Ok(())
}

#[tokio::test]
async fn a_program_finds_nothing_of_others() -> anyhow::Result<()> {
    let others = folders()?.attempt(JobId::new(), 1)?;
    let secret = others.write("secret", b"of another job")?;
    let own = fs::read_to_string("/proc/self/environ").is_ok();
    ensure!(own, "the test's own variables cannot be read even by itself");
    let pid = std::process::id();
    for reached in [
        format!("cat {}", secret.display()),
        "cat /root/.* /home/*/.*".to_owned(),
        "cat /etc/shadow /etc/ssh/ssh_host_*_key".to_owned(),
        "ls /tmp /var/tmp /var/lib /root /home /run /srv".to_owned(),
        format!("cat /proc/{pid}/environ /proc/{pid}/cmdline"),
        "cat /proc/1/environ /proc/1/mem".to_owned(),
        format!("kill -0 {pid} && echo reached"),
        "echo 1 > /proc/sys/kernel/printk && echo reached".to_owned(),
        "echo > /usr/bin/callboard-was-here && echo reached".to_owned(),
        "mount -t tmpfs none /mnt && echo reached".to_owned(),
        "unshare -Ur true && mount -t tmpfs none /mnt && echo reached".to_owned(),
        "chroot / true && echo reached".to_owned(),
        "mknod node c 1 3 && echo reached".to_owned(),
        "hostname other && echo reached".to_owned(),
    ] {
        let run = script(&format!("{reached}; exit 0")).run().await?;
        ensure!(run.is_successful() && run.output().is_empty(), "{reached}: {run:?}");
    }
    ensure!(!Path::new("/usr/bin/callboard-was-here").exists());
    let run = script("cd /proc; echo [0-9]*; ulimit -c; ulimit -n; grep -E 'NoNewPrivs|CapBnd' self/status")
        .run()
        .await?;
    let lines: Vec<&str> = run.output().lines().collect();
    ensure!(lines[0] == "1 2", "other processes are seen: {run:?}");
    ensure!(lines[1..3] == ["0", "1024"], "{run:?}");
    ensure!(
        run.output().contains("NoNewPrivs:\t1") && run.output().contains("CapBnd:\t0000000000000000"),
        "{run:?}"
    );
    // what Landlock does not see is closed as well: everything is mounted read-only but its folder
    let run = script("echo $HOME; awk '$6 ~ /^rw/ {print $5}' /proc/self/mountinfo")
        .run()
        .await?;
    let lines: Vec<&str> = run.output().lines().collect();
    ensure!(lines.len() == 2 && lines[0] == lines[1], "{run:?}");
    ensure!(run.isolation().contains("read_only"), "{run:?}");
    others.remove().await?;
    Ok(())
}

#[tokio::test]
async fn a_program_without_network_reaches_none() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("socket");
    let _listening = UnixListener::bind(&socket)?;
    let text = format!(
        "import socket\n\
         def reach(kind, address):\n\
         \x20   try:\n\
         \x20       socket.socket(kind).connect(address); print('reached', address)\n\
         \x20   except OSError as error: print('refused')\n\
         reach(socket.AF_INET, ('127.0.0.1', {port}))\n\
         reach(socket.AF_UNIX, {:?})\n",
        socket.display().to_string()
    );
    let run = python(&text).policy("network", "none").run().await?;
    ensure!(run.output() == "refused\nrefused\n", "{run:?}");
    ensure!(run.isolation().contains("network_namespace"), "{run:?}");
    // with a network it is reached, and the socket of somebody else still is not
    let run = python(&text).run().await?;
    ensure!(
        run.output() == format!("reached ('127.0.0.1', {port})\nrefused\n"),
        "{run:?}"
    );
    let given = python(&text).policy("write_paths", json!([folder.path()]));
    ensure!(given.run().await?.output().matches("reached").count() == 2);
    let addresses = script("cat /proc/net/dev | grep -c :")
        .policy("network", "none")
        .run()
        .await?;
    ensure!(
        addresses.output() == "1\n",
        "more than a loopback that is down: {addresses:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_demanded_and_cannot_be_given_keeps_the_program_from_starting() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("mark");
    let marks = |service: Service| service.policy("write_paths", json!([folder.path()]));
    let service = marks(script(&format!("echo > {}", mark.display())));
    let run = service
        .clone()
        .policy("isolation", json!(["landlock", "namespaces"]))
        .run()
        .await?;
    ensure!(run.is_successful() && mark.exists(), "{run:?}");
    ensure!(
        run.isolation().contains("landlock_") && run.isolation().contains("pid_namespace"),
        "{run:?}"
    );
    fs::remove_file(&mark)?;
    let run = service.policy("isolation", json!(["cgroup"])).run().await?;
    if run.isolation().contains("cgroup") {
        ensure!(run.is_successful() && mark.exists(), "{run:?}");
    } else {
        ensure!(
            run.reason() == "isolation_unavailable" && run.error().contains("cgroup"),
            "{run:?}"
        );
        ensure!(!mark.exists() && run.events.contains("call_failed"), "{run:?}");
    }
    Ok(())
}
