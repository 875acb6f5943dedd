//! How a client reaches the service, and the cookie that holds its session there.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use callboard_core::base::secret::Secret;

/// How a client reaches the service, as whatever takes the request knows it: a request extension. Without it, nothing is encrypted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transport {
    /// By HTTP.
    #[default]
    Plain,
    /// By HTTPS, be it as far as to a proxy.
    Encrypted,
}

impl Transport {
    /// Returns the name of the cookie. Browsers take one whose name begins with `__Host-` only by HTTPS and from the host itself, so that
    /// no neighbour puts its own in this place.
    fn cookie_name(self) -> &'static str {
        match self {
            Self::Plain => "callboard",
            Self::Encrypted => "__Host-callboard",
        }
    }

    /// Returns the value of the session's cookie, if there is one.
    ///
    /// # Errors
    /// There are two; says so.
    pub(super) fn cookie(self, headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let mut own = pairs.filter_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(self.cookie_name().as_bytes())?;
            std::str::from_utf8(value.strip_prefix(b"=")?).ok()
        });
        match (own.next(), own.next()) {
            (Some(_), Some(_)) => {
                Err("The request shows the cookie of a session twice; remove the cookies of this host.")
            }
            (shown, _) => Ok(shown.filter(|value| !value.is_empty())),
        }
    }

    /// Returns the header that gives a browser a session's cookie for some time.
    pub(crate) fn set_cookie(self, text: &Secret, life: Duration) -> HeaderValue {
        let name = self.cookie_name();
        let secure = match self {
            Self::Plain => "",
            Self::Encrypted => "; Secure",
        };
        let (value, seconds) = (text.expose(), life.as_secs());
        let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        // of letters and digits, so that it is always a header's value
        let mut cookie = HeaderValue::try_from(cookie).unwrap_or_else(|_| HeaderValue::from_static(""));
        cookie.set_sensitive(true);
        cookie
    }

    /// Returns the header that has a browser forget the cookie.
    pub(crate) fn forget_cookie(self) -> HeaderValue {
        self.set_cookie(&Secret::new(""), Duration::ZERO)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Transport {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl Transport {
    /// Returns how a request came.
    pub(super) fn of(parts: &Parts) -> Self {
        parts.extensions.get().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&[u8]]) -> Result<HeaderMap, axum::http::header::InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line)?);
        }
        Ok(headers)
    }

    #[test]
    fn the_cookie_is_found_among_others_by_its_whole_name() -> Result<(), Box<dyn std::error::Error>> {
        for (lines, plain, encrypted) in [
            (&[&b"callboard=a"[..]][..], Some("a"), None),
            (&[b"__Host-callboard=b; callboard=a"], Some("a"), Some("b")),
            (&[b"x=\xc3\xa4;callboard=a;y"], Some("a"), None),
            (&[b"x=1", b"y=callboard=b;  callboard=a"], Some("a"), None),
            (&[b"callboard=; callboard2=b; xcallboard=c"], None, None),
            (&[b"Callboard=a"], None, None),
            (&[], None, None),
        ] {
            let headers = headers(lines)?;
            assert_eq!(Transport::Plain.cookie(&headers)?, plain, "{headers:?}");
            assert_eq!(Transport::Encrypted.cookie(&headers)?, encrypted, "{headers:?}");
        }
        for twice in [
            &[&b"callboard=a; callboard=b"[..]][..],
            &[b"callboard=a", b"callboard=a"],
        ] {
            assert!(Transport::Plain.cookie(&headers(twice)?).is_err());
        }
        Ok(())
    }

    #[test]
    fn only_what_is_sent_by_https_is_secure() {
        let set = |transport: Transport| transport.set_cookie(&Secret::new("abcd"), Duration::from_secs(60));
        let attributes = "Path=/; Max-Age=60; HttpOnly; SameSite=Strict";
        assert_eq!(set(Transport::Plain), format!("callboard=abcd; {attributes}"));
        assert_eq!(
            set(Transport::Encrypted),
            format!("__Host-callboard=abcd; {attributes}; Secure")
        );
        assert_eq!(
            Transport::Plain.forget_cookie(),
            "callboard=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
        assert!(set(Transport::Plain).is_sensitive());
    }
}
