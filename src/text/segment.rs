//! Where words are, and where sentences end: Unicode Standard Annex 29, with rules for what it does not know.

use unicode_properties::UnicodeEmoji;
use unicode_segmentation::UnicodeSegmentation;

use super::Span;

/// Tags that begin a new line.
const BREAKS: [&str; 16] = [
    "br",
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "tr",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "table",
];

/// Bytes of a tag at most: what is longer is no line break.
const TAG: usize = 200;

/// What a full stop follows without an end of the sentence, in lower case.
const ABBREVIATIONS: [&str; 25] = [
    "mr", "mrs", "ms", "mx", "dr", "prof", "rev", "hon", "gen", "col", "capt", "cmdr", "lt", "sgt",
    "sen", "rep", "gov", "st", "mt", "vs", "e.g", "i.e", "cf", "fig", "approx",
];

/// A text of as many bytes in which a single line end is a space, and an empty line or a tag that begins a new line is
/// line ends alone.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if next == '<' {
            let length = tag(rest);
            out.extend(std::iter::repeat_n('\n', length));
            length
        } else if next.is_ascii_whitespace() {
            let length = rest.len()
                - rest
                    .trim_start_matches(|c: char| c.is_ascii_whitespace())
                    .len();
            let white = &rest[..length];
            let ends = white.matches('\n').count().max(white.matches('\r').count());
            let mask = if ends > 1 { '\n' } else { ' ' };
            out.extend(std::iter::repeat_n(mask, length));
            length
        } else {
            0
        };
        if length > 0 {
            rest = &rest[length..];
            continue;
        }
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    out
}

/// Bytes of the tag that a text begins with, if it begins a new line; else 0.
fn tag(text: &str) -> usize {
    let bytes = &text.as_bytes()[..text.len().min(TAG)];
    let Some(end) = bytes.iter().position(|&byte| byte == b'>') else {
        return 0;
    };
    let inside = text[1..end].trim_start_matches('/');
    let name: String = (inside.chars())
        .take_while(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let follows = inside[name.len()..].chars().next();
    let is_whole = follows.is_none_or(|c| c == '/' || c.is_ascii_whitespace());
    if is_whole && BREAKS.contains(&name.as_str()) {
        end + 1
    } else {
        0
    }
}

/// The segments that hold a letter, a digit or an emoji.
pub(super) fn words(masked: &str) -> Vec<Span> {
    let is_word = |segment: &str| {
        (segment.chars()).any(|c| c.is_alphanumeric() || !c.is_ascii() && c.is_emoji_char())
    };
    masked
        .split_word_bound_indices()
        .filter(|(_, segment)| is_word(segment))
        .map(|(start, segment)| Span {
            start,
            end: start + segment.len(),
        })
        .collect()
}

/// The bytes after the sentences, which may have no words; the last is the length of the text.
pub(super) fn sentence_ends(masked: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    for segment in masked.split_sentence_bounds() {
        start += segment.len();
        if !segment.ends_with('\n') && is_abbreviated(segment) && start < masked.len() {
            continue;
        }
        ends.push(start);
    }
    ends
}

/// Whether a segment ends with an abbreviation, and not with its sentence.
fn is_abbreviated(segment: &str) -> bool {
    let Some(before) = segment.trim_end().strip_suffix('.') else {
        return false;
    };
    let last = before.rsplit(char::is_whitespace).next().unwrap_or(before);
    let last = last.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut characters = last.chars();
    let is_initial =
        characters.next().is_some_and(char::is_uppercase) && characters.next().is_none();
    // The pronoun is a word of its own.
    is_initial && last != "I" || ABBREVIATIONS.contains(&last.to_lowercase().as_str())
}
