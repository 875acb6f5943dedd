//! Decides which redirects to follow: only those to the host that the caller has named, since the headers may hold secrets.

use http::header::LOCATION;
use reqwest::Response;
use url::Url;

use crate::error::FetchError;

/// Returns the next URL to fetch, or `None` if this is the answer.
pub(crate) fn next(url: &Url, answer: &Response) -> Result<Option<Url>, FetchError> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let status = answer.status();
    if status.is_success() {
        return Ok(None);
    }
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    match location.map(|text| url.join(text)) {
        Some(Ok(to)) if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) => match is_same_place(url, &to) {
            true => Ok(Some(to)),
            false => Err(FetchError::Elsewhere { host }),
        },
        _ => Err(FetchError::Status {
            host,
            status: status.as_u16(),
        }),
    }
}

fn is_same_place(from: &Url, to: &Url) -> bool {
    let scheme = from.scheme() == to.scheme() || (from.scheme() == "http" && to.scheme() == "https");
    // `port` is `None` for the scheme's default port, so http on 80 may redirect to https on 443
    scheme
        && from.host() == to.host()
        && from.port() == to.port()
        && to.username().is_empty()
        && to.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_with_its_host_and_port_and_never_loses_tls() {
        let leads = |from: &str, to: &str| {
            let from = Url::parse(from).ok();
            let to = from.as_ref().and_then(|from| from.join(to).ok());
            from.zip(to).map(|(from, to)| is_same_place(&from, &to))
        };
        for (from, to) in [
            ("https://a.example/x", "/y?z"),
            ("https://a.example/x", "https://A.example:443/y"),
            ("http://a.example/x", "https://a.example/x"),
            ("http://a.example:8080/x", "//a.example:8080/y"),
        ] {
            assert_eq!(leads(from, to), Some(true), "{from} {to}");
        }
        for (from, to) in [
            ("https://a.example/x", "http://a.example/x"),
            ("https://a.example/x", "https://b.example/x"),
            ("https://a.example/x", "https://sub.a.example/x"),
            ("https://a.example/x", "https://a.example:8443/x"),
            ("http://a.example:8080/x", "https://a.example/x"),
            ("https://a.example/x", "https://user@a.example/x"),
            ("https://a.example/x", "file:///etc/passwd"),
        ] {
            assert_eq!(leads(from, to), Some(false), "{from} {to}");
        }
    }
}
