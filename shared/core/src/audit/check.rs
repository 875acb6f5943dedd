//! Checks whether the chains of the audit log are as they were written.

use serde_json::Value;

use super::entry::{Entry, HASH, digest};
use crate::base::time::{Timestamp, seconds};

/// What a check has found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditFindings {
    /// How many entries were looked at.
    pub entries: u64,
    /// How many chains they belong to.
    pub chains: u64,
    /// How many entries are not there, between others that are.
    pub missing: u64,
    /// The last entry's number and hash, if all are of one chain, and none is missing: written down elsewhere, they are proof of all entries before.
    pub last: Option<(u64, String)>,
    /// What is remarkable and no fault.
    pub notes: Vec<String>,
    /// What is wrong: each names the entry.
    pub faults: Vec<String>,
}

/// Checks entries one after the other: chain by chain, each chain in its order.
#[derive(Debug, Default)]
pub struct AuditCheck {
    /// Whether entries may be missing.
    is_partial: bool,
    last: Option<Last>,
    found: AuditFindings,
}

/// What is known of the entry before.
#[derive(Debug)]
struct Last {
    chain: String,
    number: u64,
    at: Timestamp,
    /// The hash that the next entry must have as `previous`; `None` if this one is not what was written.
    sha256: Option<String>,
}

/// A line that was read.
struct Line {
    entry: Entry,
    /// Whether it is what was written.
    is_intact: bool,
}

impl AuditCheck {
    /// Checks lines in any order, of any chains. The same line may be there more than once.
    #[must_use]
    pub fn of_lines<'a>(lines: impl Iterator<Item = &'a str>) -> AuditFindings {
        Self::default().of(lines)
    }

    /// Checks lines as [`AuditCheck::of_lines`] does, of which others may be missing: the entries of one tenant, or those of a filter.
    #[must_use]
    pub fn of_part<'a>(lines: impl Iterator<Item = &'a str>) -> AuditFindings {
        let check = Self {
            is_partial: true,
            ..Self::default()
        };
        check.of(lines)
    }

    fn of<'a>(self, lines: impl Iterator<Item = &'a str>) -> AuditFindings {
        let (mut check, mut read) = (self, Vec::new());
        for (index, text) in lines.enumerate() {
            match Line::read(text) {
                Some(line) => read.push(line),
                None => check.fault(format!("line {}: it is no entry of the audit log", index + 1)),
            }
        }
        let place = |line: &Line| (line.entry.chain.clone(), line.entry.number, line.entry.sha256.clone());
        read.sort_by_cached_key(place);
        read.dedup_by(|one, other| one.entry == other.entry && one.is_intact == other.is_intact);
        for line in read {
            check.follow(line);
        }
        check.end()
    }

    /// Checks the next line of a store that has one chain, in which the entry is kept under a number, and found by what `finds` compares.
    pub fn add(&mut self, number: u64, text: &str, finds: impl Fn(&Entry) -> bool) {
        let Some(line) = Line::read(text) else {
            self.found.entries += 1;
            self.fault(format!("entry {number}: it was changed, and is no entry any more"));
            return self.lose(number);
        };
        if !finds(&line.entry) {
            self.fault(format!(
                "entry {number}: lists do not find it by what it says; the columns beside it were changed"
            ));
        }
        let said = line.entry.number;
        if said != number {
            self.found.entries += 1;
            self.fault(format!(
                "entry {number}: it is out of place, and says that it is entry {said}"
            ));
            return self.lose(number);
        }
        if let Some(last) = &mut self.last
            && last.chain != line.entry.chain
        {
            let told = format!("entry {number}: another chain begins there, {}", line.entry.chain);
            (last.chain, last.number, last.sha256) = (line.entry.chain.clone(), number - 1, None);
            self.fault(told);
        }
        self.follow(line);
    }

    /// Ends the check of a store that has written as many entries.
    #[must_use]
    pub fn finish(mut self, written: u64) -> AuditFindings {
        let last = self.last.as_ref().map_or(0, |last| last.number);
        if written > last {
            self.fault(format!("{}: missing at the end", entries(last + 1, written)));
        }
        self.end()
    }

    fn end(mut self) -> AuditFindings {
        let last = self.last.filter(|_| self.found.chains == 1 && self.found.missing == 0);
        self.found.last = last.and_then(|last| Some((last.number, last.sha256?)));
        self.found
    }

    fn follow(&mut self, Line { entry, is_intact }: Line) {
        self.found.entries += 1;
        let number = entry.number;
        if !is_intact {
            self.fault(format!(
                "entry {number} of {}: it was changed after it was written",
                entry.chain
            ));
        }
        let before = self.last.take().filter(|last| last.chain == entry.chain);
        match before {
            None => self.begin(&entry),
            Some(last) => self.compare(&last, &entry),
        }
        self.last = Some(Last {
            chain: entry.chain,
            number,
            at: entry.at,
            sha256: Some(entry.sha256),
        });
    }

    fn begin(&mut self, first: &Entry) {
        self.found.chains += 1;
        let Entry { chain, number, at, .. } = first;
        match (number, &first.previous) {
            (1, None) => {}
            (1, Some(_)) | (_, None) => {
                self.fault(format!(
                    "entry {number} of {chain}: what was before it is missing, or it was put there"
                ));
            }
            _ => self.found.notes.push(format!(
                "chain {chain}: it begins with entry {number}, of {at}; what was before is not kept any more"
            )),
        }
    }

    fn compare(&mut self, last: &Last, entry: &Entry) {
        let (chain, number) = (&entry.chain, entry.number);
        if number == last.number {
            self.fault(format!(
                "entry {number} of {chain}: it is there twice, with different contents"
            ));
        } else if number > last.number + 1 {
            self.found.missing += number - last.number - 1;
            if !self.is_partial {
                self.fault(format!("{} of {chain}: missing", entries(last.number + 1, number - 1)));
            }
        } else if last.sha256.is_some() && last.sha256 != entry.previous {
            self.fault(format!(
                "entry {number} of {chain}: it does not follow entry {} as that is; one of them was replaced",
                last.number
            ));
        }
        if entry.at < last.at {
            let by = seconds(last.at.since(entry.at));
            self.found.notes.push(format!(
                "entry {number} of {chain}: it is {by} s earlier than the one before; the clock was set back"
            ));
        }
    }

    /// Goes on behind an entry that is not what was written.
    fn lose(&mut self, number: u64) {
        if let Some(last) = &mut self.last {
            (last.number, last.sha256) = (number, None);
        }
    }

    fn fault(&mut self, told: String) {
        self.found.faults.push(told);
    }
}

impl Line {
    fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let entry: Entry = serde_json::from_value(value.clone()).ok()?;
        // of a name that is there twice, one would not be covered
        let written = value.to_string();
        let Value::Object(mut fields) = value else { return None };
        fields.shift_remove(HASH);
        Some(Self {
            is_intact: written == text && digest(fields) == entry.sha256,
            entry,
        })
    }
}

fn entries(first: u64, last: u64) -> String {
    match first == last {
        true => format!("entry {first}"),
        false => format!("entries {first} to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::deed::Deed;
    use super::super::entry::{NewEntry, Tip};
    use super::*;

    fn chain(length: u64) -> Result<Vec<String>, serde_json::Error> {
        let (mut tip, mut lines) = (Tip::begin(), Vec::new());
        for number in 0..length {
            let mut new = NewEntry::of_nobody(Deed::JobCancel);
            new.object = Some(format!("job \"{number}\" \u{1} \u{e9}"));
            let entry = tip.next(new, Timestamp::from_millis(1_790_000_000_000))?;
            tip = Tip::from(&entry);
            lines.push(serde_json::to_string(&entry)?);
        }
        Ok(lines)
    }

    fn check(lines: &[String]) -> Vec<String> {
        let mut check = AuditCheck::default();
        for (number, line) in (1..).zip(lines) {
            check.add(number, line, |_| true);
        }
        check.finish(lines.len() as u64).faults
    }

    proptest! {
        /// Whatever character of whatever entry is changed: it is told, and the entry is named.
        #[test]
        fn no_character_can_be_changed(at in 0_usize..3, place in 0.0_f64..1.0, with in "[a-z0-9\" ]") {
            let mut lines = chain(3).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let mut characters: Vec<char> = lines[at].chars().collect();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the length")]
            let place = (place * characters.len() as f64) as usize;
            let with = with.chars().next().unwrap_or_default();
            prop_assume!(characters[place] != with);
            characters[place] = with;
            lines[at] = characters.into_iter().collect();
            let faults = check(&lines);
            let named = format!("entry {}", at + 1);
            prop_assert!(faults.iter().any(|fault| fault.starts_with(&named)), "{:?}", faults);
            prop_assert!(!AuditCheck::of_lines(lines.iter().map(String::as_str)).faults.is_empty());
        }
    }

    #[test]
    fn a_chain_is_whole_and_its_lines_may_come_in_any_order_and_twice() -> Result<(), serde_json::Error> {
        let (lines, others) = (chain(4)?, chain(2)?);
        assert!(check(&lines).is_empty());
        let mixed: Vec<&str> = lines
            .iter()
            .chain(&others)
            .chain(&lines)
            .rev()
            .map(String::as_str)
            .collect();
        let found = AuditCheck::of_lines(mixed.into_iter());
        assert_eq!((found.faults.len(), found.notes.len()), (0, 0), "{found:?}");
        assert_eq!((found.entries, found.chains), (6, 2));
        Ok(())
    }

    #[test]
    fn what_is_removed_put_in_or_begins_later_is_told() -> Result<(), serde_json::Error> {
        let (lines, other) = (chain(5)?, chain(5)?);
        let told = |lines: &[&String]| AuditCheck::of_lines(lines.iter().map(|line| line.as_str()));
        let [one, two, _, four, five] = &lines[..] else {
            return Ok(());
        };
        let found = told(&[one, two, five]);
        assert_eq!(found.faults.len(), 1, "{found:?}");
        assert!(found.faults[0].starts_with("entries 3 to 4 of"), "{found:?}");
        let part = AuditCheck::of_part([one, two, five].iter().map(|line| line.as_str()));
        assert_eq!((part.faults.len(), part.missing, part.last), (0, 2, None));
        let changed = two.replace("job.cancel", "job.submit");
        let part = AuditCheck::of_part([one, &changed, five].iter().map(|line| line.as_str()));
        assert_eq!(part.faults.len(), 1, "{part:?}");
        let later = told(&[four, five]);
        assert_eq!((later.faults.len(), later.notes.len()), (0, 1), "{later:?}");
        let twice = four.replace("job.cancel", "job.submit");
        assert_eq!(told(&[four, &twice, five]).faults.len(), 2, "changed, and there twice");
        let mut forged = lines.clone();
        forged[2] = other[2].clone();
        let faults = check(&forged);
        assert!(faults[0].starts_with("entry 3: another chain begins"), "{faults:?}");
        let faults = check(&lines[..4]);
        assert!(faults.is_empty(), "{faults:?}");
        Ok(())
    }
}
