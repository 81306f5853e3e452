//! Texts with their words highlighted, as a page that needs nothing else.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Words;
use crate::explain::text::TextExplanation;

/// Orange raises, blue lowers: apart for the colour-blind, too, and by their lines where there are no colours.
const RAISES: (&str, &str) = ("213,94,0", "solid");
const LOWERS: (&str, &str) = ("0,114,178", "dashed");

/// The alpha of the largest |value|, under which the text can be read.
const STRONGEST: f64 = 0.55;

/// The part of the largest |value| from which a word is highlighted.
const LEAST: f64 = 0.02;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>whylight</title>\n\
    <style>\nbody{font:16px/1.9 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\n\
    section{margin:0 0 2em}\nh2{font-size:1em;color:#444;margin:0}\np{margin:0;white-space:pre-wrap}\n\
    mark{color:inherit;padding:1px 0}\n</style>\n</head>\n<body>\n";

pub(super) fn write(explanation: &TextExplanation, out: &mut impl Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    let key = |text: &str, raises: bool| mark(text, text, STRONGEST, raises);
    writeln!(
        out,
        "<p>{}: {} {}</p>",
        escaped(&explanation.model),
        key("raises the output", true),
        key("lowers the output", false)
    )?;
    for (document, values) in explanation.documents.iter().enumerate() {
        let words = Words::new(values);
        for (output, name) in explanation.output_names.iter().enumerate() {
            writeln!(
                out,
                "<section>\n<h2>Document {document}, {}: {:.4} → {:.4}</h2>\n<p>{}</p>\n</section>",
                escaped(name),
                values.base_values[output],
                values.answers[output],
                text(&words, output)
            )?;
        }
    }
    out.write_all(b"</body>\n</html>\n")?;
    out.flush()
}

fn text(words: &Words<'_>, output: usize) -> String {
    let document = &words.of.document;
    let all = document.text();
    let values = words.values.column(output);
    let largest = values
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let (mut out, mut last) = (String::new(), 0);
    for (word, span) in document.words().iter().enumerate() {
        out += &escaped(&all[last..span.start]);
        last = span.end;
        let (value, shown) = (values[word], escaped(document.word(word)));
        if largest == 0.0 || value.abs() < LEAST * largest {
            out += &shown;
            continue;
        }
        let mut title = format!("{value:+.4}");
        if let Some(errors) = &words.errors {
            let _ = write!(title, " ± {:.4}", errors[[word, output]]);
        }
        out += &mark(
            &shown,
            &title,
            STRONGEST * value.abs() / largest,
            value > 0.0,
        );
    }
    out + &escaped(&all[last..])
}

/// A word that is escaped, on a ground.
fn mark(word: &str, title: &str, alpha: f64, raises: bool) -> String {
    let (colour, line) = if raises { RAISES } else { LOWERS };
    format!(
        "<mark style=\"background:rgba({colour},{alpha:.2});border-bottom:2px {line} rgb({colour})\" \
         title=\"{title}\">{word}</mark>"
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(character),
            // What steers a reader's terminal or browser is shown as unknown.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
