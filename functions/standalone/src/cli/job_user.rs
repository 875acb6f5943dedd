//! As whom jobs run, as a flag says it.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The most users that jobs may have: many times as many as there are workers.
const MOST: u32 = 65_536;

/// As whom jobs run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum JobUser {
    /// All as one user, by name or id.
    One(String),
    /// Each as a user of its own, with one of these ids.
    Own(RangeInclusive<u32>),
}

impl FromStr for JobUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once('-') {
            // a name may have a hyphen
            Some((first, last)) if is_number(first) && is_number(last) => range(first, last).map(Self::Own),
            _ if text.is_empty() => Err("it must be a user, or a range of ids such as 20000-20031".to_owned()),
            _ => Ok(Self::One(text.to_owned())),
        }
    }
}

fn range(first: &str, last: &str) -> Result<RangeInclusive<u32>, String> {
    // the last number that fits stands for nobody
    let id = |text: &str| text.parse().ok().filter(|id| *id != u32::MAX);
    match (id(first), id(last)) {
        (Some(0), _) => Err("0 is root; begin with another id".to_owned()),
        (Some(first), Some(last)) if first <= last && last - first < MOST => Ok(first..=last),
        (Some(first), Some(last)) if first <= last => Err(format!("it must have at most {MOST} ids")),
        (Some(_), Some(_)) => Err("the first id must not be larger than the last".to_owned()),
        _ => Err(format!("ids are numbers below {}", u32::MAX)),
    }
}

impl fmt::Display for JobUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(user) => f.write_str(user),
            Self::Own(ids) => write!(f, "{}-{}", ids.start(), ids.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_a_number_and_a_range_are_told_apart() {
        for name in ["deploy", "1000", "web-1", "1-web", "-"] {
            assert_eq!(name.parse(), Ok(JobUser::One(name.to_owned())));
        }
        assert_eq!("20000-20031".parse(), Ok(JobUser::Own(20_000..=20_031)));
        for (text, why) in [
            ("", "a user"),
            ("0-9", "root"),
            ("9-5", "larger"),
            ("1-65537", "at most 65536"),
            ("1-4294967295", "below 4294967295"),
            ("1-99999999999", "below"),
        ] {
            let refused = text.parse::<JobUser>().err();
            assert!(
                refused.as_ref().is_some_and(|told| told.contains(why)),
                "{text}: {refused:?}"
            );
        }
    }
}
