//! Helpers for reading printed output.

/// Returns text without its ANSI colours.
#[must_use]
pub fn plain(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_colour, rest)| rest));
    first + &rest.collect::<String>()
}
