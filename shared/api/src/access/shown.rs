//! What a request shows.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::transport::Transport;
use crate::problem::{Kind, Problem};

/// What a request shows.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// A key or a token.
    Bearer(&'a str),
    /// The cookie of a session.
    Cookie(&'a str),
}

impl<'a> Shown<'a> {
    /// Reads what a request shows. A cookie is sent by the browser, whoever has it ask: it counts where nothing else is shown.
    pub(super) fn by(headers: &'a HeaderMap, transport: Transport) -> Result<Self, Problem> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = given.next() else {
            let cookie = transport.cookie(headers).map_err(unauthenticated)?;
            return cookie.map(Self::Cookie).ok_or_else(|| {
                unauthenticated(
                    "The request shows neither an API key nor a token. Send one in the header `Authorization: Bearer KEY`; `callboard \
                     keys create` makes a key.",
                )
            });
        };
        let wrong = || unauthenticated("The header Authorization must be `Bearer KEY`, and be sent once.");
        if given.next().is_some() {
            return Err(wrong());
        }
        let (scheme, shown) = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .ok_or_else(wrong)?;
        let shown = shown.trim();
        let fits = scheme.eq_ignore_ascii_case("bearer") && !shown.is_empty();
        fits.then_some(Self::Bearer(shown)).ok_or_else(wrong)
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Kind::Unauthenticated, detail)
}
