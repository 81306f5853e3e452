//! What a text is cut into.

use whylight::text::{Document, Span, Tokenizer, Vocabulary, VocabularyOptions, WordCounts};

fn words(text: &str) -> Vec<String> {
    let document = Document::new(text);
    let words = 0..document.words().len();
    words.map(|word| document.word(word).to_owned()).collect()
}

/// The sentences' parts of the text, which make it up.
fn sentences(text: &str) -> Vec<String> {
    let document = Document::new(text);
    check(&document);
    let parts = document.sentences().iter();
    parts
        .map(|sentence| {
            text[sentence.span.start..sentence.span.end]
                .trim()
                .to_owned()
        })
        .collect()
}

/// What holds for every document.
fn check(document: &Document) {
    let text = document.text();
    let characters: Vec<char> = text.chars().collect();
    let spans = document.character_spans();
    let mut last = 0;
    for (word, span) in document.words().iter().enumerate() {
        assert!(span.start >= last && span.end > span.start);
        last = span.end;
        assert_eq!(&text[span.start..span.end], document.word(word));
        let by_character: String = characters[spans[word].start..spans[word].end]
            .iter()
            .collect();
        assert_eq!(by_character, document.word(word));
    }
    let sentences = document.sentence_character_spans();
    let mut next = (0, 0);
    for (place, sentence) in document.sentences().iter().enumerate() {
        assert_eq!((sentence.words.start, sentence.span.start), next);
        next = (sentence.words.end, sentence.span.end);
        let by_character: String = characters[sentences[place].start..sentences[place].end]
            .iter()
            .collect();
        assert_eq!(by_character, text[sentence.span.start..sentence.span.end]);
        for word in sentence.words.clone() {
            assert_eq!(document.sentence_of()[word] as usize, place);
            let span = document.words()[word];
            assert!(span.start >= sentence.span.start && span.end <= sentence.span.end);
        }
    }
    if !document.words().is_empty() {
        assert_eq!(next, (document.words().len(), text.len()));
    }
}

#[test]
fn words_with_marks_numbers_and_emoji_stay_whole() {
    let text = "Don't pay 3.14 or 1,000 € for cafe\u{301} \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{1F1E9}\u{1F1EA} \
                well-known 1\u{FE0F}\u{20E3} — «naïve»…";
    check(&Document::new(text));
    assert_eq!(
        words(text),
        [
            "Don't",
            "pay",
            "3.14",
            "or",
            "1,000",
            "for",
            "cafe\u{301}",
            "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
            "\u{1F1E9}\u{1F1EA}",
            "well",
            "known",
            "1\u{FE0F}\u{20E3}",
            "naïve"
        ]
    );
    assert_eq!(words("你好 мир"), ["你", "好", "мир"]);
    assert_eq!(Document::new("É").form(0), "é");
}

#[test]
fn offsets_of_characters_are_those_of_code_points() {
    let document = Document::new("\u{1F600} ok é!");
    check(&document);
    assert_eq!(document.words()[1], Span { start: 5, end: 7 });
    assert_eq!(document.character_spans()[1], Span { start: 2, end: 4 });
    assert_eq!(document.character_spans()[2], Span { start: 5, end: 6 });
}

#[test]
fn sentences_end_at_stops_and_breaks_and_not_at_abbreviations() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "It works. Does it? Yes!",
            &["It works.", "Does it?", "Yes!"],
        ),
        (
            "Mr. Smith met Dr. J. Jones, e.g. this one. Good.",
            &["Mr. Smith met Dr. J. Jones, e.g. this one.", "Good."],
        ),
        ("Better than I. He left.", &["Better than I.", "He left."]),
        (
            "A great film<br /><br />Not for me",
            &["A great film<br /><br />", "Not for me"],
        ),
        (
            "A line\nthat goes on. Then",
            &["A line\nthat goes on.", "Then"],
        ),
        ("A title\r\n\r\nand a text", &["A title", "and a text"]),
        ("One... *** !!! Two", &["One... *** !!!", "Two"]),
        (
            "*** !!! \"Quoted!\" <b>Bold</b> & a < b",
            &["*** !!! \"Quoted!\"", "<b>Bold</b> & a < b"],
        ),
        ("... ?", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(sentences(text), expected, "{text}");
    }
    assert_eq!(
        words("good<br/>bad <BR class=x>a<p>b"),
        ["good", "bad", "a", "b"]
    );
}

#[test]
fn texts_without_words_and_very_long_ones_are_documents() {
    for text in ["", " ", "...", "\n\n", "<br />"] {
        let document = Document::new(text);
        assert!(document.words().is_empty() && document.sentences().is_empty());
        assert_eq!(document.text(), text);
    }
    let long = "A sentence of six words, \u{1F600}. ".repeat(2000);
    let document = Document::new(long.as_str());
    check(&document);
    assert_eq!(
        (document.words().len(), document.sentences().len()),
        (12_000, 2000)
    );
    let endless = "word ".repeat(10_000);
    let document = Document::new(endless);
    check(&document);
    assert_eq!(
        (document.words().len(), document.sentences().len()),
        (10_000, 1)
    );
}

#[test]
fn a_vocabulary_numbers_words_by_frequency_and_the_others_by_hash() {
    let documents = ["b a b c", "B a, d!", ""].map(Document::new);
    let counts = WordCounts::of(&documents);
    let shown: Vec<(&str, u64)> = counts
        .counts()
        .iter()
        .map(|(word, n)| (&**word, *n))
        .collect();
    assert_eq!(shown, [("b", 3), ("a", 2), ("c", 1), ("d", 1)]);
    let options = VocabularyOptions {
        min_count: 2,
        most: None,
        buckets: 3,
    };
    let vocabulary = Vocabulary::new(&counts, &options).unwrap();
    assert_eq!(vocabulary.words(), ["b", "a"]);
    assert_eq!(vocabulary.len(), 5);
    let (words, sentences) = vocabulary.encode(&Document::new("A b. Unseen c"));
    assert_eq!(words[..2], [1, 0]);
    assert!(words[2..].iter().all(|id| (2..5).contains(id)), "{words:?}");
    assert_eq!(sentences, [2, 2]);
    // FNV-1a, as its authors publish it: 0xaf63dc4c8601ec8c for "a".
    assert_eq!(
        vocabulary.id("c"),
        2 + (0xaf63_de4c_8601_eff2_u64 % 3) as u32
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocabulary.json");
    vocabulary.save(&path).unwrap();
    assert_eq!(Vocabulary::load(&path).unwrap(), vocabulary);
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, says) in [
        ("\"a\"", "\"b\"", "1 of them distinct"),
        ("\"buckets\":3", "\"buckets\":0", "its buckets"),
        ("\"version\":1", "\"version\":7", "of version 7"),
        ("{", "[", "its JSON"),
    ] {
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Vocabulary::load(&path).unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains("vocabulary.json"),
            "{error}"
        );
    }
    let none = VocabularyOptions {
        buckets: 0,
        ..options
    };
    assert!(Vocabulary::new(&counts, &none).is_err());
    let most = VocabularyOptions {
        most: Some(1),
        ..options
    };
    assert_eq!(Vocabulary::new(&counts, &most).unwrap().words(), ["b"]);
}

/// A tokenizer of word pieces that knows a few.
pub(super) fn pieces(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("tokenizer.json");
    let names = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "good", "un", "##seen", "film", "bad", "##ly", ".",
    ];
    let vocab: serde_json::Map<String, serde_json::Value> = names
        .iter()
        .enumerate()
        .map(|(id, name)| ((*name).to_owned(), id.into()))
        .collect();
    let special = |id: usize| {
        serde_json::json!({"id": id, "content": names[id], "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    let sequence = |id: &str| serde_json::json!({"SpecialToken": {"id": id, "type_id": 0}});
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": (0..4).map(special).collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [sequence("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, sequence("[SEP]")],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab}
    });
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    path
}

#[test]
fn a_tokenizer_file_cuts_into_its_tokens_and_cuts_nothing_off() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = Tokenizer::read(&pieces(folder.path())).unwrap();
    let document = tokenizer
        .document("A good, UNSEEN film. Badly \u{1F600}ed")
        .unwrap();
    check(&document);
    let found: Vec<&str> = (0..document.words().len())
        .map(|word| document.word(word))
        .collect();
    assert_eq!(
        found,
        [
            "A",
            "good",
            ",",
            "UN",
            "SEEN",
            "film",
            ".",
            "Bad",
            "ly",
            "\u{1F600}ed"
        ]
    );
    assert_eq!(document.sentences().len(), 2);
    let same = Tokenizer::default().documents(&["a b", "c"]).unwrap();
    assert_eq!(same, [Document::new("a b"), Document::new("c")]);

    let path = folder.path().join("bad.json");
    std::fs::write(&path, "{\"model\": 3}").unwrap();
    let error = Tokenizer::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("bad.json") && error.contains("expected a tokenizer.json"),
        "{error}"
    );
}
