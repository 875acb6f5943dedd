//! Patterns of names, as scopes have them.

use std::fmt;
use std::str::FromStr;

/// How long a pattern may be, in bytes.
const MAX_BYTES: usize = 512;
/// How many stars a pattern may have: each multiplies what a match may cost.
const MAX_STARS: usize = 6;

/// A pattern of names. `*` stands for one or more characters other than `/`, and `**` for one or more of any; everything else stands
/// for itself. So a pattern grants nothing above what it names, and nothing beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAPattern {
    /// It is empty.
    #[error("a pattern must not be empty")]
    Empty,
    /// It is too long.
    #[error("a pattern may have at most {MAX_BYTES} bytes")]
    TooLong,
    /// It has a character that patterns cannot have.
    #[error("a pattern cannot have {0:?}")]
    Character(char),
    /// It has too many stars.
    #[error("a pattern may have at most {MAX_STARS} stars; ** counts as one")]
    TooManyStars,
    /// It has three stars in a row.
    #[error("a pattern cannot have three stars in a row")]
    Stars,
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Literal(char),
    /// Any characters but `/`.
    InFolder,
    /// Any characters.
    Anything,
}

impl Pattern {
    /// Returns the pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a name is one that the pattern stands for. A path that leads through `.` or `..` is none: it is not what it
    /// seems to be.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if name.split('/').any(|part| part == "." || part == "..") {
            return false;
        }
        // which parts of the pattern may come next; a star that has begun may go on
        let parts = &self.parts;
        let mut at = vec![false; parts.len() + 1];
        let mut next = at.clone();
        at[0] = true;
        for character in name.chars() {
            next.fill(false);
            for (index, part) in parts.iter().enumerate().filter(|(index, _)| at[*index]) {
                let fits = match part {
                    Part::Literal(literal) => *literal == character,
                    Part::InFolder => character != '/',
                    Part::Anything => true,
                };
                if fits {
                    next[index + 1] = true;
                    next[index] |= !matches!(part, Part::Literal(_));
                }
            }
            std::mem::swap(&mut at, &mut next);
            if !at.contains(&true) {
                return false;
            }
        }
        at[parts.len()]
    }
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for character in text.chars() {
        match (character, parts.last()) {
            ('*', Some(Part::InFolder)) => {
                parts.pop();
                parts.push(Part::Anything);
            }
            ('*', _) => parts.push(Part::InFolder),
            (literal, _) => parts.push(Part::Literal(literal)),
        }
    }
    parts
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if text.is_empty() {
            return Err(NotAPattern::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(NotAPattern::TooLong);
        }
        let is_special = |character: &char| {
            matches!(character, ',' | '[' | ']') || character.is_control() || character.is_whitespace()
        };
        if let Some(character) = text.chars().find(is_special) {
            return Err(NotAPattern::Character(character));
        }
        if text.contains("***") {
            return Err(NotAPattern::Stars);
        }
        let parts = parts(text);
        if parts.iter().filter(|part| !matches!(part, Part::Literal(_))).count() > MAX_STARS {
            return Err(NotAPattern::TooManyStars);
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().is_ok_and(|pattern| pattern.matches(name))
    }

    #[test]
    fn a_pattern_stands_for_what_its_stars_leave_open() {
        for (pattern, name, expected) in [
            ("deploy.yml", "deploy.yml", true),
            ("deploy.yml", "deploy.yml2", false),
            ("deploy.yml", "x/deploy.yml", false),
            ("staging-*", "staging-db", true),
            ("staging-*", "staging-", false),
            ("staging-*", "staging", false),
            ("staging-*", "staging-a/b", false),
            ("web/*", "web/a.yml", true),
            ("web/*", "web/a/b.yml", false),
            ("web/*", "web", false),
            ("web/**", "web/a/b.yml", true),
            ("web/**", "web/", false),
            ("web/**", "webb/a", false),
            ("web/**", "web/../secret.yml", false),
            ("**", "a/../b", false),
            ("**", "..", false),
            ("*", "a", true),
            ("*", "", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "ace", false),
            ("*.yml", ".yml", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        for text in ["", "a*b*c*d*e*f*g*", "a,b", "a]", "a b", "a***", "\u{7}"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }

    proptest! {
        /// What is granted below a folder is neither the folder itself, nor anything above or beside it.
        #[test]
        fn a_pattern_of_a_folder_grants_neither_its_parent_nor_its_sibling(
            folder in "[a-z]{1,6}(/[a-z]{1,6}){0,3}", sibling in "[a-z]{1,6}", name in "[a-z.]{1,8}(/[a-z]{1,4}){0,2}",
        ) {
            for stars in ["*", "**"] {
                let pattern = format!("{folder}/{stars}");
                prop_assert!(!matches(&pattern, &folder));
                let mut parent = folder.as_str();
                while let Some((above, _)) = parent.rsplit_once('/') {
                    prop_assert!(!matches(&pattern, above));
                    parent = above;
                }
                let beside = match folder.rsplit_once('/') {
                    Some((above, _)) => format!("{above}/{sibling}"),
                    None => sibling.clone(),
                };
                if beside != folder {
                    let named = format!("{beside}/{name}");
                    let is_below = named.starts_with(&format!("{folder}/"));
                    prop_assert_eq!(matches(&pattern, &named) && !is_below, false);
                }
            }
        }

        /// A literal name is matched by itself only.
        #[test]
        fn a_name_without_stars_is_matched_by_itself_only(one in "[a-z/.-]{1,12}", other in "[a-z/.-]{1,12}") {
            let leads_elsewhere = one.split('/').any(|part| part == "." || part == "..");
            prop_assert_eq!(matches(&one, &one), !leads_elsewhere);
            prop_assert!(one == other || !matches(&one, &other));
        }
    }
}
