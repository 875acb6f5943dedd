use std::fs;

use super::refusal::Change;
use super::*;

const ANSIBLE: &str = "Failed to connect to the host via ssh: ";
const FORMER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMSfNIH3MoVOc8yMlMVdiMdWLZmjBIzQSbSSvZAr7skT";
const FORMER_PRINT: &str = "SHA256:EaofoZBPVarxAEQKgS9CKaHKm1TxNfjEmAfEnpRz3eg";
const SHOWN: &str = "SHA256:JbEddYnLY4GwVoBPxURN80h2EOzBs474mssm71XjxBY";
/// OpenSSH 9.2p1 of Debian 12.
const UNKNOWN: &str = "No ED25519 host key is known for [127.0.0.1]:18922 and you have requested strict checking.\r\nHost key verification failed.";
const UNKNOWN_BY_PASSWORD: &str = "Task failed: Using a SSH password instead of a key is not possible because Host Key checking is enabled. Please add this host's fingerprint to your known_hosts file to manage this host.";
const REVOKED: &str = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@       WARNING: REVOKED HOST KEY DETECTED!               @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
The ED25519 host key for [127.0.0.1]:18922 is marked as revoked.\r
This could mean that a stolen key is being used to\r
impersonate this host.\r
ED25519 host key for [127.0.0.1]:18922 was revoked and you have requested strict checking.\r
Host key verification failed.";
const CHANGED: &str = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
Someone could be eavesdropping on you right now (man-in-the-middle attack)!\r
It is also possible that a host key has just been changed.\r
The fingerprint for the RSA key sent by the remote host is\r
SHA256:JbEddYnLY4GwVoBPxURN80h2EOzBs474mssm71XjxBY.\r
Please contact your system administrator.\r
Add correct host key in FOLDER/accepted to get rid of this message.\r
Offending ED25519 key in FOLDER/accepted:2\r
  remove with:\r
  ssh-keygen -f \"FOLDER/accepted\" -R \"[127.0.0.1]:18922\"\r
Host key for [127.0.0.1]:18922 has changed and you have requested strict checking.\r
Host key verification failed.";
/// OpenSSH 8.4 and earlier, when it also looks up a host's address.
const CHANGED_IN_8_4: &str = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@       WARNING: POSSIBLE DNS SPOOFING DETECTED!          @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
The ECDSA host key for web1 has changed,
and the key for the corresponding IP address 10.0.0.5
has a different value. This could either mean that
DNS SPOOFING is happening or the IP address for the host
and its host key have changed at the same time.
Offending key for IP in /root/.ssh/known_hosts:7
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ECDSA key sent by the remote host is
SHA256:JbEddYnLY4GwVoBPxURN80h2EOzBs474mssm71XjxBY.
Please contact your system administrator.
Add correct host key in /root/.ssh/known_hosts to get rid of this message.
Offending ECDSA key in /root/.ssh/known_hosts:6
ECDSA host key for web1 has changed and you have requested strict checking.
Host key verification failed.";

fn read(message: &str) -> Option<Refusal> {
    Refusal::read(&format!("{ANSIBLE}{message}"))
}

fn refusal(host: &str, kind: &str, why: Why) -> Option<Refusal> {
    Some(Refusal {
        host: Some(host.to_owned()),
        kind: Some(kind.to_owned()),
        why,
    })
}

#[test]
fn what_openssh_says_of_a_key_is_read_whatever_its_release() {
    let host = "[127.0.0.1]:18922";
    assert_eq!(read(UNKNOWN), refusal(host, "ED25519", Why::Unknown));
    assert_eq!(read(REVOKED), refusal(host, "ED25519", Why::Revoked));
    let changed = |file: &str, line| {
        Why::Changed(Change {
            shown: Some(SHOWN.to_owned()),
            known: Some((file.into(), line)),
        })
    };
    assert_eq!(read(CHANGED), refusal(host, "RSA", changed("FOLDER/accepted", 2)));
    let before = changed("/root/.ssh/known_hosts", 6);
    assert_eq!(read(CHANGED_IN_8_4), refusal("web1", "ECDSA", before));
    let bare = "Host key verification failed.";
    assert_eq!(read(bare), Some(Refusal::default()));
    let pipelined = "Data could not be sent to remote host \"a\". Make sure this host can be reached over ssh: ";
    assert_eq!(Refusal::read(&format!("{pipelined}{UNKNOWN}")), read(UNKNOWN));
    assert_eq!(Refusal::read(UNKNOWN_BY_PASSWORD), Some(Refusal::default()));
}

#[test]
fn what_is_said_of_something_else_is_left_as_it_is() {
    // git on a managed host runs an ssh of its own
    assert_eq!(Refusal::read(&format!("Failed to clone: {UNKNOWN}")), None);
    assert_eq!(read("Permission denied (publickey)."), None);
    assert_eq!(read("Connection refused"), None);
}

#[test]
fn what_a_host_writes_as_it_likes_is_not_believed() -> std::io::Result<()> {
    // a banner comes after the key was accepted, and ssh then ends with other words
    assert_eq!(
        read(&format!("{CHANGED}\r\nroot@web1: Permission denied (publickey).")),
        None
    );
    for name in ["`id`", "web1;id", "-oProxyCommand=id", "[web1]:22;id", "a b", "$(id)"] {
        let said = UNKNOWN.replace("[127.0.0.1]:18922", name);
        assert_eq!(read(&said).and_then(|refusal| refusal.host), None, "{name}");
    }
    let folder = tempfile::tempdir()?;
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status()?;
    assert!(made.success());
    for file in [fifo.display().to_string(), "/dev/zero".to_owned()] {
        let said = CHANGED.replace("FOLDER/accepted:2", &format!("{file}:1"));
        let told = told(&said, Home::Private, HostKeyChecking::Strict, None)?;
        assert!(told.contains(&format!("another one is known from {file}")), "{told}");
    }
    Ok(())
}

/// The sentence about a message, with the folder of the job's host keys as `FOLDER`.
fn told(message: &str, home: Home, checking: HostKeyChecking, seen: Option<&HostKey>) -> std::io::Result<String> {
    let folder = tempfile::tempdir()?;
    let lines = format!("web1 {FORMER}\n[127.0.0.1]:18922 {FORMER}\n");
    for name in ["accepted", "credential", "policy"] {
        fs::write(folder.path().join(name), &lines)?;
    }
    let place = folder.path().display().to_string();
    let facts = Facts {
        home,
        folder: folder.path(),
        launcher: &[],
        checking,
        how_to_forget: &|host| format!("`forget '{host}'`"),
    };
    let refusal = read(&message.replace("FOLDER", &place)).unwrap_or_default();
    Ok(words::sentence(&refusal, seen, &facts).replace(&place, "FOLDER"))
}

#[test]
fn a_host_that_is_not_known_is_told_with_its_key_and_the_line_to_add() -> std::io::Result<()> {
    let (strict, new) = (HostKeyChecking::Strict, HostKeyChecking::AcceptNew);
    let seen = HostKey {
        host: "[127.0.0.1]:18922".to_owned(),
        key: FORMER.to_owned(),
    };
    let begin = "The host key of 127.0.0.1 port 18922 is not known. ";
    let sees = format!("ssh-keyscan sees the ED25519 key {FORMER_PRINT}. ");
    let compare =
        "Compare its fingerprint with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the host. ";
    let add =
        "Then add it to known_hosts of the ssh credential, of the policy or of the service's user (~/.ssh/known_hosts)";
    let line = format!("Its line: [127.0.0.1]:18922 {FORMER}");
    let scan = "Its line is what `ssh-keyscan -p 18922 127.0.0.1` prints.";
    let or = ", or set host_key_checking: accept-new in the policy. ";
    let (private, callers) = (Home::Private, Home::Callers);
    assert_eq!(
        told(UNKNOWN, private, strict, Some(&seen))?,
        format!("{begin}{sees}{compare}{add}{or}{line}")
    );
    assert_eq!(
        told(UNKNOWN, private, strict, None)?,
        format!("{begin}{compare}{add}{or}{scan}")
    );
    let elsewhere = ". StrictHostKeyChecking in ssh's configuration, ansible.cfg or the inventory takes precedence over \
                     accept-new of the policy. ";
    assert_eq!(
        told(UNKNOWN, private, new, None)?,
        format!("{begin}{compare}{add}{elsewhere}{scan}")
    );
    assert_eq!(
        told(UNKNOWN, callers, strict, None)?,
        format!("{begin}{compare}Then add it to ~/.ssh/known_hosts. {scan}")
    );
    let bare = told("Host key verification failed.", callers, strict, None)?;
    assert!(
        bare.starts_with("The host key is not known, or has changed. Compare"),
        "{bare}"
    );
    assert!(bare.ends_with("`ssh-keyscan -p PORT HOST` prints."), "{bare}");
    Ok(())
}

#[test]
fn a_key_that_has_changed_is_told_with_both_fingerprints_and_where_the_former_one_is() -> std::io::Result<()> {
    for (name, from, cure) in [
        (
            "accepted",
            "an earlier job",
            "forget the former one: `forget '[127.0.0.1]:18922'`",
        ),
        (
            "credential",
            "known_hosts of the ssh credential",
            "replace line 2 of known_hosts of the ssh credential",
        ),
        (
            "policy",
            "known_hosts of the policy",
            "replace line 2 of known_hosts of the policy",
        ),
        ("other", "FOLDER/other", "replace line 2 of FOLDER/other"),
    ] {
        let message = CHANGED.replace("FOLDER/accepted", &format!("FOLDER/{name}"));
        let told = told(&message, Home::Private, HostKeyChecking::AcceptNew, None)?;
        let known = match name {
            "other" => format!("another one is known from {from}"),
            _ => format!("known from {from} is the ssh-ed25519 key {FORMER_PRINT}"),
        };
        assert_eq!(
            told,
            format!(
                "The host key of 127.0.0.1 port 18922 has changed: it shows the RSA key {SHOWN}; {known}. Either the host was \
                 set up again, or somebody is intercepting the connection. Compare its fingerprint with what `ssh-keygen -lf \
                 /etc/ssh/ssh_host_rsa_key.pub` prints on the host. If they are the same, {cure}."
            )
        );
    }
    Ok(())
}
