//! Checks that an attempt's output is what was written: its segments, their hashes, and what the manifest says about them.

use sha2::{Digest, Sha256};

use super::index;
use super::manifest::Manifest;
use super::segment::{Chain, SegmentHead};
use super::stream::Stream;
use crate::base::hex::hex;

/// The result of a check.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verified {
    /// The number of segments that are there and sound.
    pub sound: u64,
    /// What is wrong, in sentences that name the place; empty if all is well.
    pub faults: Vec<String>,
    /// What is worth knowing although nothing is wrong, such as truncated output.
    pub notes: Vec<String>,
}

/// Checks an attempt, segment by segment.
#[derive(Debug, Default)]
pub struct Check {
    verified: Verified,
    next: u64,
    ends: [u64; Stream::ALL.len()],
    chain: Chain,
    streams: [Sha256; 2],
}

impl Check {
    /// Starts a check.
    #[must_use]
    pub fn new() -> Self {
        Self {
            next: 1,
            ..Self::default()
        }
    }

    /// Adds a segment and its content. Segments are added in order of their numbers.
    pub fn add(&mut self, head: &SegmentHead, content: &[u8]) {
        if head.number < self.next {
            let fault = format!("There is more than one segment {}.", head.number);
            return self.verified.faults.push(fault);
        }
        if head.number > self.next {
            self.gap(head);
        } else if !head.follows(self.ends) {
            let fault = format!("Segment {} does not begin where the one before it ends.", head.number);
            self.verified.faults.push(fault);
        }
        (self.next, self.ends) = (head.number + 1, head.ends());
        self.chain.add(head);
        if !head.is_of(content) {
            let fault = format!(
                "Segment {} ({}) is damaged: its content is not what was written.",
                head.number,
                place(head)
            );
            return self.verified.faults.push(fault);
        }
        self.verified.sound += 1;
        for (hash, stream) in self.streams.iter_mut().zip(Stream::ALL) {
            let part = head.locate(stream, &head.range(stream));
            let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            hash.update(&content[index(part.start)..index(part.end)]);
        }
    }

    /// Compares the added segments with the manifest.
    #[must_use]
    pub fn finish(mut self, manifest: Option<&Manifest>) -> Verified {
        let Some(manifest) = manifest else {
            let fault =
                "There is no manifest: the output was never sealed, so what follows the last segment may be missing.";
            return self.finish_without(fault.to_owned());
        };
        let has = self.next - 1;
        if has < manifest.segments {
            let fault = match manifest.segments - has {
                1 => format!("Segment {} is missing, the last one.", manifest.segments),
                _ => format!(
                    "Segments {} to {} are missing, the last ones.",
                    has + 1,
                    manifest.segments
                ),
            };
            self.verified.faults.push(fault);
        }
        if self.verified.faults.is_empty() {
            self.compare(manifest);
        }
        if !manifest.complete {
            let fault =
                "The manifest says that the output is not complete: its worker was lost, or could not write it all.";
            self.verified.faults.push(fault.to_owned());
        }
        if manifest.truncated {
            let note = "The output is truncated: the job printed more than the limit for stored output.";
            self.verified.notes.push(note.to_owned());
        }
        self.verified
    }

    /// Ends a check that has no manifest to compare with; `fault` says why.
    #[must_use]
    pub fn finish_without(mut self, fault: String) -> Verified {
        self.verified.faults.push(fault);
        self.verified
    }

    fn compare(&mut self, manifest: &Manifest) {
        let [stdout, events, index_bytes] = self.ends;
        let [stdout_hash, events_hash] = self.streams.clone().map(|hash| hex(&hash.finalize()));
        // a release without segments wrote manifests that do not mention them
        let is_of_old = manifest.segments_sha256.is_empty();
        let differs = |found: &str, told: &Option<String>| told.as_ref().is_some_and(|told| told != found);
        let wrong = [
            ("bytes of stdout", stdout != manifest.stdout_bytes),
            ("bytes of events", events != manifest.events_bytes),
            ("number of events", index::count(index_bytes) != manifest.events),
            (
                "names of the segments",
                !is_of_old && self.chain.sha256() != manifest.segments_sha256,
            ),
            ("hash of stdout", differs(&stdout_hash, &manifest.stdout_sha256)),
            ("hash of the events", differs(&events_hash, &manifest.events_sha256)),
        ];
        for (what, _) in wrong.iter().filter(|(_, wrong)| *wrong) {
            let fault = format!("The manifest and the segments differ in the {what}.");
            self.verified.faults.push(fault);
        }
    }

    fn gap(&mut self, head: &SegmentHead) {
        let lost: Vec<String> = Stream::ALL[..2]
            .iter()
            .filter(|stream| head.range(**stream).start > self.ends[**stream as usize])
            .map(|stream| {
                format!(
                    "{} {} to {}",
                    name(*stream),
                    self.ends[*stream as usize],
                    head.range(*stream).start
                )
            })
            .collect();
        let which = match head.number - self.next {
            1 => format!("Segment {} is missing", self.next),
            _ => format!("Segments {} to {} are missing", self.next, head.number - 1),
        };
        let fault = format!("{which}: bytes of {}.", lost.join(", of "));
        self.verified.faults.push(fault);
    }
}

fn place(head: &SegmentHead) -> String {
    let ranges = Stream::ALL[..2].iter().map(|stream| (*stream, head.range(*stream)));
    let told = ranges.filter(|(_, range)| !range.is_empty());
    let told = told.map(|(stream, range)| format!("{} {} to {}", name(stream), range.start, range.end));
    told.collect::<Vec<_>>().join(", ")
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Events => "events",
        Stream::EventIndex => "index of events",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::segment::Segment;

    fn segments() -> [Segment; 3] {
        [
            Segment::new(1, [0, 0, 0], [b"one\n", b"{}\n", &3_u64.to_le_bytes()]),
            Segment::new(2, [4, 3, 8], [b"two\n", b"", b""]),
            Segment::new(3, [8, 3, 8], [b"three\n", b"", b""]),
        ]
    }

    fn manifest() -> Manifest {
        let mut chain = Chain::default();
        segments().iter().for_each(|segment| chain.add(&segment.head));
        Manifest {
            stdout_bytes: 14,
            stdout_sha256: Some(hex(&Sha256::digest(b"one\ntwo\nthree\n"))),
            events_bytes: 3,
            events_sha256: Some(hex(&Sha256::digest(b"{}\n"))),
            events: 1,
            segments: 3,
            segments_sha256: chain.sha256(),
            complete: true,
            truncated: false,
        }
    }

    fn check(there: &[Segment], manifest: Option<&Manifest>) -> Verified {
        let mut check = Check::new();
        there
            .iter()
            .for_each(|segment| check.add(&segment.head, &segment.content));
        check.finish(manifest)
    }

    #[test]
    fn output_that_is_all_there_has_no_fault() {
        let found = check(&segments(), Some(&manifest()));
        assert_eq!((found.sound, found.faults), (3, Vec::new()));
    }

    #[test]
    fn whatever_is_missing_or_damaged_is_named() {
        let [one, two, three] = segments();
        let mut damaged = two.clone();
        damaged.content = "tvo\n".into();
        let other = Manifest {
            events: 2,
            ..manifest()
        };
        let unsealed = Manifest {
            complete: false,
            ..manifest()
        };
        for (there, manifest, told) in [
            (
                vec![one.clone(), three.clone()],
                Some(manifest()),
                "Segment 2 is missing: bytes of stdout 4 to 8.",
            ),
            (
                vec![one.clone(), two.clone()],
                Some(manifest()),
                "Segment 3 is missing, the last one.",
            ),
            (
                vec![one.clone(), damaged, three.clone()],
                Some(manifest()),
                "Segment 2 (stdout 4 to 8) is damaged",
            ),
            (segments().to_vec(), Some(other), "differ in the number of events"),
            (segments().to_vec(), Some(unsealed), "not complete"),
            (segments().to_vec(), None, "no manifest"),
        ] {
            let found = check(&there, manifest.as_ref());
            assert!(
                found.faults.len() == 1 && found.faults[0].contains(told),
                "{told}: {found:?}"
            );
        }
    }
}
