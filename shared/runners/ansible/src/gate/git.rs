//! The `git` of a program that may give git any address: a script that refuses addresses which a server may read otherwise
//! than git does. Git compares an address with a rule as it is written, but a server may take `%2f` for a slash.

use std::path::Path;

/// The body of the script; git itself is further down `PATH`.
pub(crate) const SCRIPT: &str = r#"for argument; do
    case "$argument" in
    *://*%2[eEfF5]* | *://*%5[cC]*)
        printf x > "$0.refused"
        exit 128 ;;
    esac
done
PATH=${PATH#*:}
exec git "$@""#;

/// Returns what the script has refused, as a sentence.
pub(crate) fn refusal(script: &Path) -> Option<String> {
    let refused = format!("{}.refused", script.display());
    let told = "a repository has an address that escapes a dot, a slash, a backslash or a percent sign";
    Path::new(&refused).exists().then(|| told.to_owned())
}
