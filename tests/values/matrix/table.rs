//! The table of the matrix, in Markdown.

use std::path::Path;

const PAGE: &str = "python/docs/matrix.md";

const BEGIN: &str = "<!-- matrix of model files: begin (from tests/values/matrix.rs) -->\n";

const END: &str = "<!-- matrix of model files: end -->\n";

/// What the test found of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Outcome {
    /// The corpus has no such model.
    #[default]
    NoModel,
    /// Equal to the definition.
    Exact,
    /// Refused, and what was named.
    Refused(String),
}

impl Outcome {
    /// What holds of this and another model: the table cannot say that they differ.
    pub(super) fn with(&self, other: &Outcome) -> Outcome {
        match (self, other) {
            (Outcome::NoModel, one) | (one, Outcome::NoModel) => one.clone(),
            (one, other) => {
                assert_eq!(one, other);
                one.clone()
            }
        }
    }
}

/// A line of the table.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// By kind of row.
    pub(super) kinds: Vec<Outcome>,
    pub(super) interactions: Outcome,
    pub(super) gpu: Outcome,
}

/// Asserts that the page has the table of these lines, or writes it.
pub(super) fn document(lines: &[([&str; 3], Line)], has_gpu: bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let found = render(lines);
    if std::env::var_os("WHYLIGHT_WRITE_DOCS").is_some_and(|write| write == "1") {
        assert!(has_gpu, "the table has a column that takes a GPU");
        std::fs::write(&path, [before, BEGIN, &found, END, after].concat()).unwrap();
    } else if has_gpu {
        assert_eq!(table, found, "WHYLIGHT_WRITE_DOCS=1 writes {PAGE}");
    } else {
        assert_eq!(without_gpu(table), without_gpu(&found), "{PAGE}");
    }
}

/// The table without its last column, which takes a GPU.
fn without_gpu(table: &str) -> Vec<&str> {
    let lines = table.lines();
    lines
        .map(|line| line.rsplitn(3, '|').last().unwrap())
        .collect()
}

fn render(lines: &[([&str; 3], Line)]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    let mut table =
        "| library | game | output | values | missing cells | unseen category | > 1,000 \
                     categories | several outputs | interactions | GPU |\n\
                     |---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for (names, line) in lines {
        let mut cells: Vec<String> = names.iter().map(ToString::to_string).collect();
        for outcome in line.kinds.iter().chain([&line.interactions, &line.gpu]) {
            cells.push(match outcome {
                Outcome::NoModel => "—".to_owned(),
                Outcome::Exact => "exact".to_owned(),
                Outcome::Refused(reason) => {
                    let known = reasons.iter().position(|known| known == reason);
                    let number = known.unwrap_or_else(|| {
                        reasons.push(reason);
                        reasons.len() - 1
                    });
                    format!("refused {}", number + 1)
                }
            });
        }
        table += &["| ", &cells.join(" | "), " |\n"].concat();
    }
    table += "\nRefused:\n\n";
    for (number, reason) in reasons.iter().enumerate() {
        table += &[&(number + 1).to_string(), ". ", reason, "\n"].concat();
    }
    table
}
