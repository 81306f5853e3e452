//! Numbers and names in tables of plain text, 80 columns wide.

/// Columns of a report.
pub(super) const WIDTH: usize = 80;

/// A number with at most six significant digits.
pub(super) fn number(number: f64) -> String {
    if !number.is_finite() || number == 0.0 {
        return format!("{number}");
    }
    let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    if (1e-5..1e7).contains(&rounded.abs()) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

/// A name that cannot steer a terminal.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// At most `width` characters, the last one `…` where some are left out.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept = text.chars().take(width.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// Numbers of one column: as many decimals as the largest of them has use for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimals {
    /// `None` for numbers so large or small that they need an exponent.
    places: Option<usize>,
}

impl Decimals {
    /// Five significant digits for the number of largest magnitude.
    pub(super) fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let largest = numbers.map(f64::abs).fold(0.0, f64::max);
        let places = if largest == 0.0 {
            Some(4)
        } else if (1e-6..1e9).contains(&largest) {
            Some((4.0 - largest.log10().floor()).clamp(0.0, 10.0) as usize)
        } else {
            None
        };
        Self { places }
    }

    pub(super) fn show(self, number: f64) -> String {
        match self.places {
            // Adding zero turns -0 into 0.
            Some(places) => format!("{:.places$}", number + 0.0),
            None => format!("{number:.4e}"),
        }
    }

    /// With a sign, for a contribution.
    pub(super) fn signed(self, number: f64) -> String {
        match self.places {
            Some(places) => format!("{:+.places$}", number + 0.0),
            None => format!("{number:+.4e}"),
        }
    }
}

/// A bar of eighths from the left: `share` of `width` columns, at least a sliver for any share
/// above zero.
pub(super) fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if share.is_nan() || share <= 0.0 {
        return String::new();
    }
    let eighths = ((share.min(1.0) * width as f64 * 8.0).round() as usize).max(1);
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// Lines without blanks at their ends.
pub(super) fn trimmed(lines: &str) -> String {
    lines
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_significant_digits() {
        let shown = [
            0.0,
            2019.0,
            0.002_620_999_9,
            1.0 / 3.0,
            -1e-9,
            3e20,
            f64::NEG_INFINITY,
        ];
        assert_eq!(
            shown.map(number),
            ["0", "2019", "0.002621", "0.333333", "-1e-9", "3e20", "-inf"]
        );
    }

    #[test]
    fn decimals_follow_the_largest_number() {
        let show = |largest: f64, number| Decimals::of([largest].into_iter()).show(number);
        assert_eq!(show(1.6, -0.123_456), "-0.1235");
        assert_eq!(show(4321.0, 0.06), "0.1");
        assert_eq!(show(98_765.0, 0.06), "0");
        assert_eq!(show(1e-12, 5e-13), "5.0000e-13");
        assert_eq!(show(0.0, -0.0), "0.0000");
        assert_eq!(show(f64::INFINITY, f64::INFINITY), "inf");
    }

    #[test]
    fn a_bar_fills_its_share_and_never_vanishes() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(1e-9, 4), "▏");
        assert_eq!(bar(0.0, 4), "");
        assert_eq!(bar(f64::NAN, 4), "");
    }

    #[test]
    fn a_name_is_cut_and_cannot_steer_the_terminal() {
        assert_eq!(cut("worst perimeter", 8), "worst p…");
        assert_eq!(cut("worst", 5), "worst");
        assert_eq!(plain("a\u{1b}[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
    }
}
