use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use super::*;
use crate::base::secret::Secret;

/// Names such as a kind of job may have.
const NAMES: Names = Names {
    counts: &[br#""changed""#, br#""failures""#, br#""processed""#],
    fields: &["changed", "host", "msg", "rc", "res", "stdout", "stdout_lines"],
};

fn redactor(secrets: &[&str]) -> Result<Redactor, TooLarge> {
    Redactor::new(&secrets.iter().copied().map(Secret::new).collect::<Vec<_>>())
}

#[test]
fn a_secret_is_found_as_python_shells_urls_and_markup_write_it() -> Result<(), TooLarge> {
    let redactor = redactor(&["p@ss \"w'ö🦀 &<\\\n\x7f/+?"])?;
    for text in [
        "p@ss \"w'ö🦀 &<\\\n\x7f/+?",
        "p@ss \"w'ö🦀 &<\\\r\n\x7f/+?",
        "p@ss \"w'ö🦀 &<\\\x7f/+?",
        r#"p@ss \"w'\u00f6\ud83e\udd80 &<\\\n\u007f/+?"#,
        "p@ss \\\"w'ö🦀 &<\\\\\\n\x7f/+?",
        r#"p@ss \\\"w'\\u00f6\\ud83e\\udd80 &<\\\\\\n\\u007f/+?"#,
        "p@ss \\\"w'ö🦀 \\u0026\\u003c\\\\\\n\x7f/+?",
        r#"p@ss "w\'ö🦀 &<\\\n\x7f/+?"#,
        r#"p@ss "w\'\xf6\U0001f980 &<\\\n\x7f/+?"#,
        r#"p@ss "w\'\xc3\xb6\xf0\x9f\xa6\x80 &<\\\n\x7f/+?"#,
        r#"p@ss \"w\\'ö🦀 &<\\\\\\n\\x7f/+?"#,
        "p%40ss%20%22w%27%C3%B6%F0%9F%A6%80%20%26%3C%5C%0A%7F/%2B%3F",
        "p%40ss+%22w%27%c3%b6%f0%9f%a6%80+%26%3c%5c%0a%7f%2f%2b%3f",
        "p%40ss%20%22w'%C3%B6%F0%9F%A6%80%20%26%3C%5C%0A%7F%2F%2B%3F",
        "p@ss \"w'\"'\"'ö🦀 &<\\\n\x7f/+?",
        "p@ss \"w'\\''ö🦀 &<\\\n\x7f/+?",
        "p@ss &quot;w&#x27;ö🦀 &amp;&lt;\\\n\x7f/+?",
        "p@ss &#34;w&#39;ö🦀 &amp;&lt;\\\n\x7f/+?",
        "7040737320227727c3b6f09fa68020263c5c0a7f2f2b3f",
        "7040737320227727C3B6F09FA68020263C5C0A7F2F2B3F",
    ] {
        assert_eq!(
            redactor.text(&format!("[{text}]")),
            format!("[{REPLACEMENT}]"),
            "{text:?}"
        );
    }
    Ok(())
}

#[test]
fn base64_is_found_wherever_the_secret_falls_into_threes() -> Result<(), TooLarge> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let (long, redactor) = (
        "~hunter2?>".repeat(20),
        redactor(&["~hunter2?>", &"~hunter2?>".repeat(20)])?,
    );
    for user in ["", "a:", "ab:", "abc:"] {
        let text = format!("{user}~hunter2?>\n");
        for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
            let shown = redactor.text(&encoded);
            assert!(
                shown.contains(REPLACEMENT) && shown.len() <= 8 + 8 + 6,
                "{text:?}: {shown}"
            );
        }
    }
    let wrapped: Vec<_> = STANDARD
        .encode(long)
        .into_bytes()
        .chunks(76)
        .map(<[u8]>::to_vec)
        .collect();
    let shown = redactor.text(&String::from_utf8_lossy(&wrapped.join(&b'\n')));
    assert!(
        shown
            .split('\n')
            .all(|line| line.starts_with(REPLACEMENT) && line.len() < 14),
        "{shown}"
    );
    Ok(())
}

#[test]
fn the_lines_of_a_key_are_found_one_by_one_but_not_its_armour() -> Result<(), TooLarge> {
    let redactor = redactor(&["-----BEGIN KEY-----\nb3BlbnNzaC1r\nMIIEpAIB/AK+\nshort\n-----END KEY-----\n"])?;
    assert_eq!(
        redactor.text("-----BEGIN KEY-----\n  b3BlbnNzaC1r\nshort MIIEpAIB%2FAK%2B"),
        "-----BEGIN KEY-----\n  ********\nshort ********"
    );
    assert_eq!(
        redactor.text("-----BEGIN KEY-----\r\nb3BlbnNzaC1r\r\nMIIEpAIB/AK+\r\nshort\r\n-----END KEY-----\r\n"),
        "********\r\n"
    );
    Ok(())
}

#[test]
fn secrets_that_overlap_leave_nothing_of_either_and_those_that_touch_are_two() -> Result<(), TooLarge> {
    let redactor = redactor(&["abcdef", "defghi", "abcdefghi", "xyzxyz"])?;
    assert_eq!(redactor.text("<abcdefghi>"), "<********>");
    assert_eq!(redactor.text("xyzxyzxyz xyzxyzabcdef"), "******** ****************");
    Ok(())
}

#[test]
fn without_a_secret_of_some_length_nothing_is_changed_held_or_copied() -> Result<(), TooLarge> {
    let redactor = Arc::new(redactor(&["", "abc", "\n\n\n", "x\n"])?);
    assert!(redactor.is_empty());
    let mut stream: Stream<()> = Stream::new(Arc::clone(&redactor));
    let pieces = stream.push(Piece::Text(Cow::Borrowed(b"abc")));
    assert!(matches!(pieces.as_slice(), [Piece::Text(Cow::Borrowed(b"abc"))]));
    assert!(matches!(redactor.bytes(b"abc"), Cow::Borrowed(b"abc")));
    Ok(())
}

#[test]
fn only_what_may_become_a_secret_is_held_back() -> Result<(), TooLarge> {
    let mut stream = Stream::new(Arc::new(redactor(&["hunter2"])?));
    let mut push = |piece| told(stream.push(piece));
    assert_eq!(push(text(b"a prompt: hu")), ("a prompt: ".to_owned(), vec![]));
    assert_eq!(push(Piece::Mark('A')), (String::new(), vec![]));
    assert_eq!(push(text(b"h")), ("hu".to_owned(), vec![('A', 2)]));
    assert_eq!(push(text(b"unter")), (String::new(), vec![]));
    assert_eq!(push(Piece::Mark('B')), (String::new(), vec![]));
    assert_eq!(push(text(b"2")), (REPLACEMENT.to_owned(), vec![('B', 8)]));
    assert_eq!(push(Piece::Mark('C')), (String::new(), vec![('C', 0)]));
    Ok(())
}

#[test]
fn lone_surrogates_and_invalid_json_are_no_reason_to_tell_a_secret() -> Result<(), TooLarge> {
    let redactor = redactor(&["hunter2"])?;
    let told = redactor.json(
        br#"{"a": {"a": "\ud800 hunte\u0072\u0032", "hunter2": "\ud800", "b": 1.50}}"#,
        NAMES,
    );
    assert!(serde_json::from_slice::<Box<serde_json::value::RawValue>>(&told).is_ok());
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.ends_with(r#" ********", "********": "\ud800", "b": 1.50}}"#),
        "{told}"
    );
    assert_eq!(redactor.json(br#"{"a": "x hunter2\"#, NAMES), br#"{"a": "x ********\"#);
    assert_eq!(format!("{redactor:?}"), "Redactor");
    Ok(())
}

/// A password may be any word: the event can still be read, and the word is in no value.
#[test]
fn names_of_an_event_stay_and_values_and_names_that_are_data_do_not() -> Result<(), TooLarge> {
    let event = r#"{"host": "WORD", "WORD": "x WORD", "hosts_count": 4711, "duration": 4711.0,
        "res": {"changed": true, "WORD": 1, "list": [{"WORD": "WORD"}, 4711, -4711, 4711.0, 47110, 4711e2], "rc": 4711},
        "processed": {"WORD": 4711}}"#;
    for word in ["host", "task", "processed", "stats", "hunter2"] {
        let redactor = redactor(&[word, "4711"])?;
        let told = redactor.json(event.replace("WORD", word).as_bytes(), NAMES);
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        let key = if word == "host" { word } else { REPLACEMENT };
        let mut expected = json!({
            "host": REPLACEMENT, "hosts_count": 4711, "duration": 4711.0,
            "res": {"changed": true, key: 1,
                "list": [{key: REPLACEMENT}, REPLACEMENT, REPLACEMENT, REPLACEMENT, 47110, 4711e2], "rc": REPLACEMENT},
            "processed": {REPLACEMENT: 4711},
        });
        let value = if ["host", "processed"].contains(&word) {
            told[word].clone()
        } else {
            json!(format!("x {REPLACEMENT}"))
        };
        expected[word] = value;
        assert_eq!(told, expected, "{word}");
    }
    assert!(NAMES.fields.is_sorted());
    Ok(())
}

fn text<'a>(bytes: &'a [u8]) -> Piece<'a, char> {
    Piece::Text(Cow::Borrowed(bytes))
}

/// Returns the text of pieces, and their marks with their places in it.
fn told<M>(pieces: Vec<Piece<'_, M>>) -> (String, Vec<(M, usize)>) {
    let (mut text, mut marks) = (Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(bytes) => text.extend_from_slice(&bytes),
            Piece::Mark(mark) => marks.push((mark, text.len())),
        }
    }
    (String::from_utf8_lossy(&text).into_owned(), marks)
}

/// A text that holds the secret fourteen times, after 0 to 13 other letters, as programs have written it.
const RECORDED: [(&str, &str); 9] = [
    ("base64", include_str!("recorded/base64.txt")),
    ("openssl base64", include_str!("recorded/base64_64.txt")),
    ("xxd -p", include_str!("recorded/xxd_plain.txt")),
    ("xxd", include_str!("recorded/xxd.txt")),
    ("xxd -u -c 24 -g 1", include_str!("recorded/xxd_upper.txt")),
    ("hexdump -C", include_str!("recorded/hexdump_canonical.txt")),
    ("hexdump", include_str!("recorded/hexdump.txt")),
    ("od -A x -t x1z", include_str!("recorded/od.txt")),
    ("od -x", include_str!("recorded/od_words.txt")),
];
const WRITTEN: &str = "correct-horse/battery";

/// Counts the parts of the secret that are left: five of its letters in a row, whatever is between them.
fn letters_left(program: &str, told: &str) -> usize {
    let parts: Vec<String> = match program {
        "base64" | "openssl base64" => {
            use base64::Engine as _;
            let known = |at: usize| base64::engine::general_purpose::STANDARD_NO_PAD.encode(&WRITTEN[at..at + 6]);
            (0..WRITTEN.len() - 6).map(known).collect()
        }
        _ => {
            let hex = |at: usize| {
                WRITTEN.as_bytes()[at..at + 5]
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect()
            };
            let plain = |at: usize| WRITTEN[at..at + 5].to_owned();
            (0..WRITTEN.len() - 5).flat_map(|at| [hex(at), plain(at)]).collect()
        }
    };
    let told = told.replace("\x1b[0;32m", "").replace("\x1b[0m", "");
    let as_is: String = told
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || "+/-*".contains(*char))
        .collect();
    let joined = as_is.to_ascii_lowercase();
    parts
        .iter()
        .filter(|part| joined.contains(*part) || as_is.contains(*part))
        .count()
}

#[test]
fn a_secret_is_found_over_the_lines_and_in_the_columns_of_what_programs_write() -> Result<(), TooLarge> {
    let redactor = Arc::new(redactor(&[WRITTEN])?);
    for (program, text) in RECORDED {
        let listed = text
            .lines()
            .map(|line| format!("        \"{line}\",\n"))
            .collect::<String>();
        let escaped = Value::from(text).to_string();
        let colored = listed
            .replace("        ", "\x1b[0;32m        ")
            .replace('\n', "\x1b[0m\n");
        for text in [
            text,
            &listed,
            &colored,
            &escaped,
            &Value::from(&*escaped).to_string(),
            &text.replace('\n', "\r\n"),
        ] {
            let told = redactor.text(text);
            assert!(
                told.contains(REPLACEMENT) && letters_left(program, &told) == 0,
                "{program}: {told}"
            );
            for width in [13, 64, 999] {
                let cuts: Vec<usize> = (0..text.len()).step_by(width).collect();
                assert_eq!(
                    run(&redactor, text.as_bytes(), &[], &cuts).0,
                    told,
                    "{program}, {width}: {text}"
                );
            }
        }
        let event = json!({"res": {"stdout": text, "stdout_lines": text.lines().collect::<Vec<_>>()}}).to_string();
        let told: Value = serde_json::from_slice(&redactor.json(event.as_bytes(), NAMES)).unwrap_or_default();
        let lines = told["res"]["stdout_lines"].as_array().cloned().unwrap_or_default();
        let joined: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
        assert_eq!(joined.len(), text.lines().count(), "{told}");
        assert_eq!(letters_left(program, &joined.join("\n")), 0, "{program}: {told}");
        assert_eq!(
            letters_left(program, &told["res"]["stdout"].to_string()),
            0,
            "{program}: {told}"
        );
    }
    Ok(())
}

#[test]
fn other_dumps_and_digits_stay_and_are_not_held_back() -> Result<(), TooLarge> {
    let redactor = Arc::new(redactor(&["hunter2", "0123456789"])?);
    let dump = "00000000: 7468 6520 7175 6963 6b20 6272 6f77 6e20  the quick brown \n00000010: 666f 780a\n";
    for text in [
        dump,
        "SGVsbG8sIHdvcmxkISBIZWxsbywgd29y\nbGQhCg==\n",
        "deadbeef 12\n",
        "{\"a\": [\"b\", \"c\"]}",
    ] {
        assert_eq!(redactor.text(text), text);
        assert_eq!(
            run(&redactor, text.as_bytes(), &[], &(0..text.len()).collect::<Vec<_>>()).0,
            text
        );
        let mut stream = Stream::new(Arc::clone(&redactor));
        assert_eq!(told(stream.push(self::text(text.as_bytes()))).0, text);
    }
    Ok(())
}

/// Returns what should come out, by plain search at every place and with what is found in pieces.
fn model(redactor: &Redactor, text: &[u8], marks: &[usize]) -> (String, Vec<(usize, usize)>) {
    let in_pieces: Vec<_> = redactor.in_pieces(&redactor.read(text)).collect();
    let (mut out, mut told, mut covered) = (Vec::new(), Vec::new(), 0);
    for at in 0..=text.len() {
        let here = marks.iter().enumerate().filter(|(_, place)| **place == at);
        told.extend(here.map(|(number, _)| (number, out.len())));
        let Some(byte) = text.get(at) else { break };
        let starting = redactor
            .forms
            .iter()
            .filter(|form| text[at..].starts_with(form.expose().as_bytes()));
        let pieces = in_pieces
            .iter()
            .filter(|range| range.start == at)
            .map(ExactSizeIterator::len);
        let longest = starting
            .map(|form| form.expose().len())
            .chain(pieces)
            .max()
            .unwrap_or(0);
        if longest > 0 && at >= covered {
            out.extend_from_slice(REPLACEMENT.as_bytes());
        }
        covered = covered.max(at + longest);
        if at >= covered {
            out.push(*byte);
        }
    }
    (String::from_utf8_lossy(&out).into_owned(), told)
}

/// Without an asterisk, because the replacement has some.
const SECRET: &str = "[abc\"'\\\\ \n\r&<%+/=ö🦀\u{1}]{4,14}";

/// Part of a text: anything, or a form, whole or from one place to another.
#[derive(Clone, Debug)]
enum Part {
    Other(String),
    Form(Index),
    Torn(Index, Index, Index),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        "[abc\"'\\\\ \nö🦀x*]{0,6}".prop_map(Part::Other),
        any::<Index>().prop_map(Part::Form),
        any::<(Index, Index, Index)>().prop_map(|(form, from, to)| Part::Torn(form, from, to)),
    ]
}

fn assemble(redactor: &Redactor, parts: &[Part]) -> String {
    let form = |index: &Index| index.get(&redactor.forms).expose();
    let each = |part: &Part| match part {
        Part::Other(text) => text.clone(),
        Part::Form(index) => form(index).to_owned(),
        Part::Torn(index, from, to) => {
            let chars: Vec<char> = form(index).chars().collect();
            chars[from.index(chars.len())..]
                .iter()
                .take(to.index(chars.len()))
                .collect()
        }
    };
    parts.iter().map(each).collect()
}

fn run(redactor: &Arc<Redactor>, text: &[u8], marks: &[usize], cuts: &[usize]) -> (String, Vec<(usize, usize)>) {
    let mut stream = Stream::new(Arc::clone(redactor));
    let mut pieces = Vec::new();
    let mut places: Vec<usize> = marks.iter().chain(cuts).copied().chain([text.len()]).collect();
    places.sort_unstable();
    let (mut at, mut next) = (0, 0);
    for place in places {
        pieces.extend(stream.push(Piece::Text(Cow::Borrowed(&text[at..place]))));
        at = place;
        while marks.get(next) == Some(&place) {
            pieces.extend(stream.push(Piece::Mark(next)));
            next += 1;
        }
    }
    pieces.extend(stream.finish());
    told(pieces)
}

/// Redacts the strings of a value, and its names except for the outermost.
fn redacted(redactor: &Redactor, value: &Value, outermost: bool) -> Value {
    match value {
        Value::String(text) => Value::String(redactor.text(text)),
        Value::Array(items) => items.iter().map(|item| redacted(redactor, item, false)).collect(),
        Value::Object(entries) => {
            let name = |key: &String| if outermost { key.clone() } else { redactor.text(key) };
            let entry = |(key, item): (&String, &Value)| (name(key), redacted(redactor, item, false));
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_chunks_the_same_comes_out_and_no_form_is_in_it(
        secrets in prop::collection::vec(SECRET, 1..3),
        parts in prop::collection::vec(part(), 0..8),
        marks in prop::collection::vec(any::<Index>(), 0..4),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let redactor = Arc::new(redactor(&secrets)?);
        prop_assume!(!redactor.is_empty());
        let text = assemble(&redactor, &parts);
        let place = |index: &Index| index.index(text.len() + 1);
        let mut marks: Vec<usize> = marks.iter().map(place).collect();
        marks.sort_unstable();
        let expected = model(&redactor, text.as_bytes(), &marks);
        for cuts in [vec![], cuts.iter().map(place).collect(), (0..text.len()).collect()] {
            prop_assert_eq!(&run(&redactor, text.as_bytes(), &marks, &cuts), &expected, "{:?}", cuts);
        }
        prop_assert_eq!(&redactor.text(&text), &expected.0);
        let told = |form: &&Secret| expected.0.contains(form.expose());
        prop_assert!(redactor.forms.iter().find(told).is_none());
        let unchanged = !redactor.forms.iter().any(|form| text.contains(form.expose()));
        let unchanged = unchanged && redactor.in_pieces(&redactor.read(text.as_bytes())).next().is_none();
        prop_assert_eq!(unchanged, expected.0 == text);
    }

    /// The secret may be anywhere in a text that is written as base64 or hex with lines of some width, or as a dump.
    #[test]
    fn a_text_in_lines_is_redacted_as_a_whole_whatever_the_chunks(
        before in "[a-z ]{0,80}", after in "[a-z \n]{0,80}", width in 60..77_usize, crlf: bool, spaces in 0..9_usize,
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        use base64::Engine as _;
        let redactor = Arc::new(redactor(&[WRITTEN])?);
        let text = format!("{before}{WRITTEN}{after}");
        let gap = format!("{}{}", if crlf { "\r\n" } else { "\n" }, " ".repeat(spaces));
        let lines = |digits: &str| digits.as_bytes().chunks(width).map(String::from_utf8_lossy).collect::<Vec<_>>().join(&gap);
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let row = |(number, bytes): (usize, &[u8])| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
            format!("{:08x}  {hex} |{}|", number * 16, String::from_utf8_lossy(bytes).replace('\n', "."))
        };
        let dump: Vec<String> = text.as_bytes().chunks(16).enumerate().map(row).collect();
        for written in [lines(&base64::engine::general_purpose::STANDARD.encode(&text)), lines(&hex), dump.join(&gap)] {
            let told = redactor.text(&written);
            prop_assert!(told.contains(REPLACEMENT), "{}", written);
            prop_assert_eq!(letters_left("", &told), 0, "{}", told);
            let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(written.len() + 1)).collect();
            prop_assert_eq!(run(&redactor, written.as_bytes(), &[], &cuts).0, told);
        }
    }

    #[test]
    fn json_is_redacted_as_its_strings_are_and_all_else_stays_as_it_is_written(
        secret in SECRET,
        parts in prop::collection::vec(prop::collection::vec(part(), 0..4), 3),
        ascii: bool,
        pretty: bool,
    ) {
        let redactor = redactor(&[&secret])?;
        prop_assume!(!redactor.is_empty());
        let texts: Vec<String> = parts.iter().map(|parts| assemble(&redactor, parts)).collect();
        let value = json!({"n": [1, -2.5e3, null], &texts[0]: [&texts[1], {"deep": {&texts[2]: &texts[0]}}]});
        let mut written = if pretty { format!("{value:#}") } else { value.to_string() };
        if ascii {
            written = forms::escape_unicode(&written);
        }
        let told = redactor.json(written.as_bytes(), NAMES);
        let read: Value = serde_json::from_slice(&told)?;
        prop_assert_eq!(&read, &redacted(&redactor, &value, true));
        prop_assert!(read != value || told == written.as_bytes());
    }
}
