//! To which hosts a credential may be sent.

/// Checks that a credential that names hosts may be sent to the host of an http or https address.
///
/// # Errors
/// A sentence that names the host and those that the credential is for.
pub fn check_host(hosts: &[String], url: &str) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let host = match scheme {
        "https" => host.strip_suffix(":443").unwrap_or(&host),
        _ => host.strip_suffix(":80").unwrap_or(&host),
    };
    if hosts.is_empty() || hosts.iter().any(|known| known == host) {
        return Ok(());
    }
    Err(format!(
        "The credential may not be used for the host {host}; it is for {}.",
        hosts.join(", ")
    ))
}
