//! Removes ANSI sequences (ECMA-48) from output: colours, cursor movements, window titles.

use bytes::Bytes;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;

/// The position within a sequence. A sequence may begin in one chunk and end in another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Plain {
    /// Outside of any sequence.
    #[default]
    Text,
    /// After an escape character, or an intermediate byte between it and the sequence's last byte.
    Escape,
    /// In a control sequence, such as one that sets a colour.
    Control,
    /// In a string, such as a window title.
    String,
    /// In a string, after an escape character.
    StringEscape,
}

impl Plain {
    /// Returns the text in the next chunk.
    pub(super) fn of(&mut self, chunk: &[u8]) -> Bytes {
        chunk.iter().copied().filter(|byte| self.keeps(*byte)).collect()
    }

    /// Takes the next byte and returns whether it is text.
    fn keeps(&mut self, byte: u8) -> bool {
        let (next, is_text) = match (*self, byte) {
            (Self::String, BELL) => (Self::Text, false),
            // a string that is never terminated would swallow all the output after it
            (Self::String | Self::StringEscape, b'\n' | b'\r') => (Self::Text, true),
            (Self::String | Self::StringEscape, CANCEL | SUBSTITUTE) => (Self::Text, false),
            (Self::String, ESCAPE) => (Self::StringEscape, false),
            (Self::String, _) => (Self::String, false),
            (Self::StringEscape, b'\\') => (Self::Text, false),
            (_, ESCAPE) => (Self::Escape, false),
            (Self::Text, _) => (Self::Text, true),
            (Self::Escape | Self::StringEscape, b'[') => (Self::Control, false),
            (Self::Escape | Self::StringEscape, b']' | b'P' | b'X' | b'^' | b'_') => (Self::String, false),
            (Self::Escape, 0x20..=0x2f) => (Self::Escape, false),
            (Self::Escape | Self::StringEscape, 0x30..=0x7e) => (Self::Text, false),
            (Self::Control, 0x20..=0x3f) => (Self::Control, false),
            (Self::Control, 0x40..=0x7e) => (Self::Text, false),
            // a byte that is not allowed in a sequence ends it
            (Self::Escape | Self::Control | Self::StringEscape, _) => (Self::Text, true),
        };
        *self = next;
        is_text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sequence_is_left_wherever_chunks_begin_and_every_other_byte_is() {
        for (printed, text) in [
            ("\u{1b}[0;32mok: [größe]\u{1b}[0m\n", "ok: [größe]\n"),
            ("a\u{1b}[38;5;208mb\u{1b}[1;5Hc\u{1b}[?25ld", "abcd"),
            (
                "\u{1b}]0;title\u{7}a\u{1b}]8;;https://example.com\u{1b}\\b\u{1b}]8;;\u{1b}\\",
                "ab",
            ),
            ("\u{1b}(Ba\u{1b}7b\u{1b}=\u{1b}>c", "abc"),
            ("\u{1b}P1$r\u{1b}\\a\u{1b}]x\u{1b}[1mb", "ab"),
            ("a\u{1b}\nb\u{1b}[1\nc\r\n\t", "a\nb\nc\r\n\t"),
            ("a\u{1b}]0;title\nb\u{1b}]x\u{18}c", "a\nbc"),
            ("[0m]", "[0m]"),
            ("a\u{1b}[", "a"),
        ] {
            for length in 1..=printed.len() {
                let mut plain = Plain::default();
                let chunks = printed.as_bytes().chunks(length).map(|chunk| plain.of(chunk));
                assert_eq!(
                    chunks.collect::<Vec<_>>().concat(),
                    text.as_bytes(),
                    "{printed:?} by {length}"
                );
            }
        }
        assert_eq!(Plain::default().of(b"\xff\x1b[0m\xfe"), &b"\xff\xfe"[..]);
    }
}
