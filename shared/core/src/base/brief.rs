//! Shortens a text where there is no room for all of it.

/// How many characters of an error a list shows.
const MAX_CHARS: usize = 300;

/// Returns a text of at most 300 characters; one that was cut ends in `…`.
#[must_use]
pub(crate) fn brief(text: &str) -> String {
    if text.chars().nth(MAX_CHARS).is_none() {
        return text.to_owned();
    }
    text.chars().take(MAX_CHARS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_long_is_cut() {
        let fits = "ü".repeat(MAX_CHARS);
        assert_eq!(brief(&fits), fits);
        let cut = brief(&format!("{fits}x"));
        assert!(cut.ends_with("ü…") && cut.chars().count() == MAX_CHARS, "{cut}");
    }
}
