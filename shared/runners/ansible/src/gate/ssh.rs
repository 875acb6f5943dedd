//! The `ssh` of a git that may be given any address: a script that runs ssh only for what the policy lists.

use std::path::{Path, PathBuf};

use callboard_kind_ansible::policy::{AnsiblePolicy, GitRule, git_host_refusal};
use callboard_process::files::read_untrusted;

/// How much of what the script has refused is read.
const MAX_BYTES: u64 = 4096;
/// Reads what git calls the script with: options, the host, and a command with the path in quotes.
const BEGINNING: &str = r#"port=22
look() {
    while [ $# -gt 1 ]; do
        case "$1" in
        -p) port=$2; shift 2 ;;
        -o) shift 2 ;;
        -*) shift ;;
        *) host=${1#*@} command=$2; return ;;
        esac
    done
}
look "$@"
path=${command#*\'} path=${path%\'} path=${path#/}
case "/$path/" in
*//* | */./* | */../* | *[%\'\\]*) ;;
*) case "$host:$port/$path" in
"#;
const END: &str = r#"    esac ;;
esac
[ "$port" = 22 ] || host=$host:$port
printf '%s\n' "$host" >> "$0.refused"
echo "ssh: $host: the policy does not list this repository" >&2
exit 1"#;

/// Returns the body of the script.
pub(crate) fn script(policy: &AnsiblePolicy) -> String {
    let patterns = policy.git_rules().iter().flat_map(patterns);
    let cases = patterns.map(|pattern| format!("    {pattern}) exec ssh \"$@\" ;;\n"));
    format!("{BEGINNING}{}{END}", cases.collect::<String>())
}

/// Returns what the script has refused, as a sentence.
pub(crate) fn refusal(script: &Path) -> Option<String> {
    let refused = PathBuf::from(format!("{}.refused", script.display()));
    let refused = read_untrusted(&refused, 0, MAX_BYTES).ok()?;
    String::from_utf8_lossy(&refused).lines().next().map(git_host_refusal)
}

fn patterns(rule: &GitRule) -> Vec<String> {
    let (host, prefix) = match rule.host() {
        "dev.azure.com" => ("ssh.dev.azure.com", "v3/"),
        host => (host, ""),
    };
    let place = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:22")
    };
    let pattern = |below: String| format!("'{place}/{prefix}{below}'*");
    match rule.organisations() {
        [] => vec![pattern(String::new())],
        some => some
            .iter()
            .map(|organisation| pattern(format!("{organisation}/")))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use callboard_process::files::write_script;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_policy_lists_comes_to_ssh() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let azure = json!({"host": "dev.azure.com", "organisations": ["contoso/a project"]});
        let policy = json!({"git": ["github.com/acme", "git.example.com:2222", azure]});
        let policy = AnsiblePolicy::parse(&policy).unwrap_or_default();
        let (ssh, ours) = (folder.path().join("ssh"), folder.path().join("ours"));
        write_script(&ssh, "printf '%s|' \"$@\"")?;
        write_script(&ours, &script(&policy))?;
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let run = |arguments: &[&str]| Command::new(&ours).args(arguments).env("PATH", &path).output();
        for arguments in [
            &[
                "-o",
                "SendEnv=GIT_PROTOCOL",
                "git@github.com",
                "git-upload-pack '/acme/site.git'",
            ][..],
            &["git@github.com", "git-upload-pack 'acme/site.git'"],
            &["-p", "2222", "me@git.example.com", "git-upload-pack '/~any/r'"],
            &[
                "-p",
                "22",
                "git@ssh.dev.azure.com",
                "git-upload-pack 'v3/contoso/a project/r'",
            ],
        ] {
            let output = run(arguments)?;
            let told: String = arguments.iter().map(|argument| format!("{argument}|")).collect();
            assert!(output.status.success(), "{arguments:?}");
            assert_eq!(String::from_utf8(output.stdout)?, told);
        }
        assert_eq!(refusal(&ours), None);
        for arguments in [
            &["git@github.com", "git-upload-pack '/other/site.git'"][..],
            &["git@github.com", "git-upload-pack '/acme/../other/r'"],
            &["git@github.com", "git-upload-pack '/acme/%2e%2e/other/r'"],
            &["git@github.com", "git-upload-pack '/acme//r'"],
            &["git@github.com", r"git-upload-pack '/acme/'\''; id; '\''r'"],
            &["-p", "2222", "git@github.com", "git-upload-pack '/acme/site.git'"],
            &["git@git.example.com", "git-upload-pack '/r'"],
            &["-oProxyCommand=id", "git@evil.example.com", "git-upload-pack '/acme/r'"],
            &["git@github.com"],
            &[],
        ] {
            let output = run(arguments)?;
            assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        }
        let told = refusal(&ours).unwrap_or_default();
        assert!(told.contains("adding \"github.com/ORGANISATION\" to \"git\""), "{told}");
        Ok(())
    }
}
