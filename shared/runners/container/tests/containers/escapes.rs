//! What a container cannot do, found out within it.

use anyhow::{Context, ensure};
use callboard_kind_service::registry::Registry;
use serde_json::{Value, json};

use crate::world::{IMAGE, IMAGE_WITH_VOLUME, PLAIN, World, script};

/// Each is tried within a container, and must print only the word `kept`: it was not possible.
const TRIES: &[(&str, &str)] = &[
    (
        "a capability",
        "grep -q '^Cap...:.*[1-9a-f]' /proc/self/status || echo kept",
    ),
    (
        "new privileges",
        "grep -q 'NoNewPrivs:.1' /proc/self/status && echo kept",
    ),
    ("to be root", "[ $(id -u) -gt 0 ] && [ $(id -g) -gt 0 ] && echo kept"),
    ("to write to the image", "touch /escaped 2>/dev/null || echo kept"),
    (
        "to write to its programs",
        "cp /bin/busybox /bin/x 2>/dev/null || echo kept",
    ),
    ("to mount", "mount -t tmpfs none /tmp 2>/dev/null || echo kept"),
    ("to remount the image", "mount -o remount,rw / 2>/dev/null || echo kept"),
    (
        "to make a user namespace",
        "unshare -U -r true 2>/dev/null || echo kept",
    ),
    ("to make a device", "mknod /tmp/disk b 254 0 2>/dev/null || echo kept"),
    (
        "to see a disk",
        "for disk in /dev/[svx]d[a-z]* /dev/nvme* /dev/mem; do [ -e $disk ] && echo $disk; done; echo kept",
    ),
    (
        "to run a program that it wrote",
        "cp /bin/busybox /tmp; /tmp/busybox true 2>/dev/null || echo kept",
    ),
    ("a network", "[ \"$(ls /sys/class/net)\" = lo ] && echo kept"),
    ("the socket of the engine", "find / -type s 2>/dev/null; echo kept"),
    (
        "processes of the host",
        "set -- /proc/[0-9]*; [ $# -lt 6 ] && echo kept",
    ),
    (
        "to change the kernel",
        "for knob in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do (echo x > $knob) 2>/dev/null && echo $knob; done; echo kept",
    ),
    (
        "to write to its cgroup",
        "find /sys/fs/cgroup -type f -writable 2>/dev/null | while read f; do (echo 1 > $f) 2>/dev/null && echo $f; done; echo kept",
    ),
    ("to dump its memory to disk", "[ $(ulimit -c) = 0 ] && echo kept"),
];

#[tokio::test]
async fn a_container_has_neither_privileges_nor_a_way_out() -> anyhow::Result<()> {
    let world = World::new().await?;
    let tried = TRIES.iter().map(|(what, tried)| format!("echo {what}; ({tried});"));
    let run = world
        .call(PLAIN, &script(&tried.collect::<String>()), json!({}))
        .await?;
    let kept = TRIES.iter().map(|(what, _)| format!("{what}\nkept\n"));
    ensure!(
        run.stdout == kept.collect::<String>(),
        "{} {:?}",
        run.stdout,
        run.result()?
    );
    Ok(())
}

#[tokio::test]
async fn a_container_has_a_network_of_its_own_where_the_policy_gives_it_one() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shown = script("ls /sys/class/net");
    let run = world
        .call("security_policy: {network: private}", &shown, json!({}))
        .await?;
    ensure!(run.stdout.contains("eth0"), "{}", run.stdout);
    // the host's have other names
    ensure!(
        run.stdout.split_whitespace().all(|name| ["lo", "eth0"].contains(&name)),
        "{}",
        run.stdout
    );
    ensure!(
        run.result()?["isolation"].to_string().contains("private_network"),
        "{}",
        run.result()?
    );
    Ok(())
}

#[tokio::test]
async fn a_container_stays_within_its_limits() -> anyhow::Result<()> {
    let limits = "security_policy: {resource_limits: {memory_mb: 32, processes: 12, disk_mb: 4, cpu_seconds: 1}}";
    let fork = "(while :; do sleep 600 & done) 2>/dev/null; set -- /proc/[0-9]*; echo $#";
    let hog = "dd if=/dev/zero of=/dev/null bs=200M count=1";
    let fill = "for at in /tmp /dev/shm; do dd if=/dev/zero of=$at/x bs=1M count=20 2>/dev/null; wc -c < $at/x; done";
    let spin = "while :; do :; done";
    let many = "while :; do (i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done); done";
    let world = World::new().await?;

    let run = world.call(limits, &script(fork), json!({})).await?;
    let processes: u32 = run
        .stdout
        .trim()
        .parse()
        .with_context(|| format!("{:?}", run.result()))?;
    ensure!((3..=12).contains(&processes), "{processes} processes");

    let run = world.call(limits, &script(fill), json!({})).await?;
    ensure!(run.stdout == "4194304\n4194304\n", "{} {:?}", run.stdout, run.result()?);

    for (greedy, told) in [
        (hog, "32 MiB of memory"),
        (spin, "1 s of processor time"),
        (many, "1 s of processor time"),
    ] {
        let result = world.call(limits, &script(greedy), json!({})).await?.result()?;
        ensure!(result["reason"] == "resource_limit", "{result}");
        ensure!(
            result["error"].as_str().is_some_and(|error| error.contains(told)),
            "{result}"
        );
    }
    Ok(())
}

/// An image can declare a volume, which an engine makes on its disk, without a limit.
#[tokio::test]
async fn what_an_image_declares_gives_it_nothing() -> anyhow::Result<()> {
    let world = World::new().await?;
    let tried = "id -u; mount | grep ' /data '; dd if=/dev/zero of=/data/x bs=1M count=20 2>/dev/null; wc -c < /data/x";
    let config = json!({"image": IMAGE_WITH_VOLUME, "pull": "never", "args": [tried], "success_codes": [0, 1]});
    let limits = "security_policy: {resource_limits: {disk_mb: 4}}";
    let run = world
        .call(limits, &format!("runner_config: {config}"), json!({}))
        .await?;
    let lines: Vec<&str> = run.stdout.lines().collect();
    ensure!(
        lines.len() == 3 && lines[0] == "65534" && lines[2] == "4194304",
        "{}",
        run.stdout
    );
    ensure!(
        lines[1].starts_with("tmpfs ") && lines[1].contains("noexec"),
        "{}",
        run.stdout
    );
    Ok(())
}

#[test]
fn a_registry_that_would_weaken_a_container_is_refused() {
    let image = format!("image: {IMAGE}");
    let with = |more: &str| format!("{image}, {more}");
    for (config, pointer) in [
        (with("privileged: true"), "/runner_config/privileged is not known"),
        (with("volumes: ['/:/host']"), "/runner_config/volumes is not known"),
        (with("binds: ['/:/host']"), "/runner_config/binds is not known"),
        (with("mounts: []"), "/runner_config/mounts is not known"),
        (with("devices: [/dev/sda]"), "/runner_config/devices is not known"),
        (with("cap_add: [SYS_ADMIN]"), "/runner_config/cap_add is not known"),
        (
            with("security_opt: ['seccomp=unconfined']"),
            "/runner_config/security_opt is not known",
        ),
        (with("network: host"), "/runner_config/network is not known"),
        (with("network_mode: host"), "/runner_config/network_mode is not known"),
        (with("pid: host"), "/runner_config/pid is not known"),
        (with("ipc: host"), "/runner_config/ipc is not known"),
        (with("userns: host"), "/runner_config/userns is not known"),
        (with("host_config: {}"), "/runner_config/host_config is not known"),
        (with("user: '0'"), "/runner_config/user must not be root"),
        (with("user: '00:1000'"), "/runner_config/user must not be root"),
        (with("user: '1000:0'"), "/runner_config/user must not be root"),
        (with("user: root"), "/runner_config/user must be numbers"),
        (
            with("command: ['{program}']"),
            "/runner_config/command/0 must not hold a field",
        ),
        (with("args: ['{file}']"), "/runner_config/args/0 begins with a field"),
        (
            with("environment: {LD_PRELOAD: /tmp/x}"),
            "/runner_config/environment/LD_PRELOAD is not allowed",
        ),
        (
            "image: --privileged".to_owned(),
            "/runner_config/image must be an image",
        ),
        (
            "image: 'tool?x=/../y'".to_owned(),
            "/runner_config/image must be an image",
        ),
        (
            "image: 'tool@sha256:12'".to_owned(),
            "/runner_config/image must be an image",
        ),
        (
            "image: elsewhere/tool".to_owned(),
            "/runner_config/image is not in the allowed_images",
        ),
    ] {
        let told = faults("allowed_images: [callboard-test/tool], network: none", &config);
        assert!(told.contains(pointer), "{config}: {told}");
    }
    let told = faults("network: host", &image);
    assert!(told.contains("/security_policy/network"), "{told}");
}

fn faults(policy: &str, config: &str) -> String {
    let text = format!(
        "services:\n  - name: a\n    execution_type: container\n    security_policy: {{{policy}}}\n    runner_config: {{{config}}}\n    operations: [{{name: x}}]\n"
    );
    let parsed = Registry::parse(&[("services.yml".to_owned(), text)]);
    parsed.map_or_else(|faults| format!("{faults:?}"), |_| Value::Null.to_string())
}
