//! Turns error texts into sentences.

/// Makes a sentence of an error's text, with a capital at the beginning and one punctuation mark at the end.
#[must_use]
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let end = if text.ends_with(['!', '?']) { "" } else { "." };
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}
