//! Changing examples at random.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

const LONGEST: usize = 64 * 1024;
/// What tends to matter to parsers.
const TOKENS: [&[u8]; 22] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b",",
    b":",
    b"null",
    b"-1",
    b"1e999",
    b"\0",
    b"\xff",
    b"../",
    b"18446744073709551616",
    b"[[[[[[[[",
    b"hunter2 Zq8",
    b"\n",
    b"=",
    b"2026-11-28T00:00:00Z",
];

/// An endless series of changed examples; the same for the same seed.
pub(crate) struct Mutations {
    examples: Vec<Vec<u8>>,
    seed: u64,
    draws: u64,
}

impl Mutations {
    pub(crate) fn new(examples: Vec<Vec<u8>>) -> Self {
        let seed = std::env::var("CALLBOARD_FUZZ_SEED").ok();
        let seed = seed.and_then(|text| text.parse().ok());
        Self {
            examples,
            seed: seed.unwrap_or_else(|| RandomState::new().hash_one(())),
            draws: 0,
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn next(&mut self) -> Vec<u8> {
        let index = self.draw(self.examples.len());
        let mut bytes = self.examples[index].clone();
        for _ in 0..=self.draw(6) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.draw(bytes.len() + 1);
        let end = (at + self.draw(64)).min(bytes.len());
        match self.draw(6) {
            0 if at < bytes.len() => bytes[at] ^= 1_u8 << self.draw(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let token = TOKENS[self.draw(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            3 => {
                let part = bytes[at..end].repeat(self.draw(4));
                bytes.splice(at..at, part);
            }
            4 => {
                let other = self.draw(self.examples.len());
                let from = self.draw(self.examples[other].len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&self.examples[other][from..]);
            }
            _ => bytes.insert(at, u8::try_from(self.draw(256)).unwrap_or(0)),
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        (self.seed, self.draws).hash(&mut hasher);
        self.draws += 1;
        usize::try_from(hasher.finish() % below.max(1) as u64).unwrap_or(0)
    }
}
