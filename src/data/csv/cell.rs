//! One CSV cell: a number, a missing mark, or neither.

/// Tells numbers from missing marks.
#[derive(Debug)]
pub(super) struct Numbers {
    missing: Vec<String>,
    /// Whether a missing mark, such as -999 or a lone point, begins as a number does.
    numeric_marks: bool,
}

impl Numbers {
    pub(super) fn new(missing: &[String]) -> Self {
        let missing: Vec<String> = missing.iter().map(|mark| mark.trim().to_owned()).collect();
        Self {
            numeric_marks: missing.iter().any(|mark| begins_a_number(mark.as_bytes())),
            missing,
        }
    }

    pub(super) fn marks(&self) -> &[String] {
        &self.missing
    }

    pub(super) fn is_missing(&self, cell: &[u8]) -> bool {
        let cell = cell.trim_ascii();
        self.missing.iter().any(|mark| mark.as_bytes() == cell)
    }

    /// The number nearest to the decimal text, NaN for a missing mark, 1 and 0 for True and False,
    /// `None` for anything else.
    pub(super) fn parse(&self, cell: &[u8]) -> Option<f64> {
        let text = cell.trim_ascii();
        if begins_a_number(text) && !self.numeric_marks {
            return std::str::from_utf8(text).ok()?.parse().ok();
        }
        if self.is_missing(text) {
            return Some(f64::NAN);
        }
        match text {
            b"True" | b"true" | b"TRUE" => Some(1.0),
            b"False" | b"false" | b"FALSE" => Some(0.0),
            _ => std::str::from_utf8(text).ok()?.parse().ok(),
        }
    }
}

fn begins_a_number(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'0'..=b'9' | b'-' | b'+' | b'.'))
}
