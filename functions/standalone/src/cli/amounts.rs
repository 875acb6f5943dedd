//! Amounts that flags take.

/// Reads a number of bytes: digits, or digits and a unit.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    parse_size::parse_size(text)
        .map_err(|_| "it must be a number of bytes, with a unit if you like, such as 6291456, 6MiB or 1GB".to_owned())
}

/// Reads the largest size of a body. It is in memory several times while it is checked.
pub(super) fn body_bytes(text: &str) -> Result<usize, String> {
    const MOST: usize = 256 << 20;
    match usize::try_from(bytes(text)?) {
        Ok(number) if number <= MOST => Ok(number),
        _ => Err("it must be at most 256MiB".to_owned()),
    }
}

/// Reads a number of seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "it must be a whole number of seconds, without a unit, such as 30".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_may_have_a_unit() {
        for (text, expected) in [
            ("0", 0),
            ("6291456", 6 << 20),
            ("6MiB", 6 << 20),
            ("1 GB", 1_000_000_000),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "six", "-1", "6 apples", "99999999999999999999999"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
