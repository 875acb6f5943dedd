//! `Range` headers with a single byte range (RFC 9110).

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

/// The range that a `Range` header asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    /// From a byte to the end.
    From(u64),
    /// From one byte to another, both inclusive.
    Between(u64, u64),
    /// The last bytes, as many as given.
    Last(u64),
}

impl Asked {
    /// Reads the header. One that cannot be parsed or has several ranges is ignored. So is one that comes with
    /// `If-Range`: output has no validator, so none can match.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key(IF_RANGE) {
            return None;
        }
        let (unit, range) = headers.get(RANGE)?.to_str().ok()?.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        match (first, last) {
            _ if !unit.eq_ignore_ascii_case("bytes") => None,
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// Returns where the range begins in content of `size` bytes.
    pub(super) fn start(self, size: u64) -> u64 {
        match self {
            Self::From(first) | Self::Between(first, _) => first,
            Self::Last(length) => size.saturating_sub(length),
        }
    }

    /// Returns the part of `size` bytes that the range covers; it is empty if the range covers nothing.
    pub(super) fn of(self, size: u64) -> Range<u64> {
        let end = match self {
            Self::Between(_, last) => size.min(last.saturating_add(1)),
            Self::From(_) | Self::Last(_) => size,
        };
        self.start(size)..end
    }
}

/// Parses digits. A number that is too large becomes a position past any end.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_header_is_read_as_rfc_9110_has_it() {
        for (text, expected) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=90-", Some(90..100)),
            ("bytes=90-1000", Some(90..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=100-", Some(100..100)),
            ("bytes=-0", Some(100..100)),
            ("BYTES=0-9", Some(0..10)),
            ("bytes=90-99999999999999999999999", Some(90..100)),
            ("bytes=+1-2", None),
            ("bytes= 0 - 1", None),
            ("bytes=9-1", None),
            ("bytes=0-1,5-6", None),
            ("bytes=x-", None),
            ("lines=0-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(text.parse().ok().map(|value| (RANGE, value)));
            assert_eq!(Asked::read(&headers).map(|asked| asked.of(100)), expected, "{text}");
        }
    }
}
