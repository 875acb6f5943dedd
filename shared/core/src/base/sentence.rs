//! Turns error texts into sentences, and lists into parts of them.

/// How many items of a list a sentence names.
const MOST_NAMED: usize = 5;

/// Makes a sentence of an error's text, with a capital at the beginning and one punctuation mark at the end.
#[must_use]
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let end = if text.ends_with(['!', '?']) { "" } else { "." };
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}

/// Names items of a list, of which any would do: the first ones, and how many more there are.
#[must_use]
pub fn some_of(items: impl Iterator<Item = String>) -> String {
    let mut named: Vec<String> = items.collect();
    let more = named.len().saturating_sub(MOST_NAMED);
    named.truncate(MOST_NAMED);
    let named = named.join(" or ");
    match more {
        0 => named,
        more => format!("{named} (and {more} more)"),
    }
}
