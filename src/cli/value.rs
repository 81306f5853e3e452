//! Values of options, from text.

use std::ops::Range;
use std::time::Duration;

use clap::ValueEnum;
use whylight::data;
use whylight::explain::MAX_THREADS;
use whylight::model::Exchange;

/// `--method`: how to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// What the model's structure allows: Tree SHAP for trees, Deep SHAP for networks that no kernel evaluates by
    /// coalitions, Kernel SHAP for others.
    Auto,
    /// Tree SHAP.
    Tree,
    /// Kernel SHAP, of any model, as a black box.
    Kernel,
    /// Deep SHAP, of networks.
    Deep,
    /// LIME, of any model.
    Lime,
    /// A surrogate that learns to answer as the model does.
    Mimic,
    /// Permutation importance, of any model, against labels.
    Permutation,
}

/// Methods whose names are taken, so that asking for one is answered and not guessed at.
const PLANNED: [&str; 1] = ["linear"];

pub(super) fn method(text: &str) -> Result<Method, String> {
    match text {
        "auto" => Ok(Method::Auto),
        "tree" => Ok(Method::Tree),
        "kernel" => Ok(Method::Kernel),
        "deep" => Ok(Method::Deep),
        "lime" => Ok(Method::Lime),
        "mimic" => Ok(Method::Mimic),
        "permutation" => Ok(Method::Permutation),
        planned if PLANNED.contains(&planned) => Err(format!(
            "this version explains trees, exactly, with `tree`, networks with `deep`, and any model with \
             `kernel`, `lime`, `permutation`, or a surrogate, `mimic`; it does not have `{planned}`"
        )),
        _ => Err("expected auto, tree, deep, kernel, lime, mimic or permutation".to_owned()),
    }
}

/// `--method` of texts.
#[cfg(feature = "text")]
pub(super) fn text_method(text: &str) -> Result<whylight::explain::text::TextMethod, String> {
    text.parse().map_err(|_| {
        "expected auto, kernel, hierarchical, lime, leave-one-out, han or random".to_owned()
    })
}

/// `--nsamples`: pairs of coalitions; none for as many as the engine takes.
pub(super) type Pairs = Option<u32>;

/// A number of coalitions, as the pairs that an estimate takes.
pub(super) fn pairs(text: &str) -> Result<Pairs, String> {
    match text {
        "auto" => Ok(None),
        _ => match text.parse::<u32>() {
            Ok(coalitions) if coalitions > 0 => Ok(Some(coalitions.div_ceil(2).max(2))),
            _ => Err("expected a number of coalitions of at least 1, or auto".to_owned()),
        },
    }
}

/// `--iterations`: the part of the model to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Iterations {
    All,
    /// Up to the one that early stopping chose.
    Best,
    Range(Range<u32>),
}

pub(super) fn iterations(text: &str) -> Result<Iterations, String> {
    let range = || {
        let (start, end) = text.split_once("..")?;
        Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
    };
    match text {
        "all" => Ok(Iterations::All),
        "best" => Ok(Iterations::Best),
        _ => range().map(Iterations::Range).ok_or_else(|| {
            "expected all, best, or A..B: from iteration A, counted from 0, up to but without B"
                .to_owned()
        }),
    }
}

/// `--model-format`: how a program is told rows.
pub(super) fn exchange(text: &str) -> Result<Exchange, String> {
    match text {
        "csv" => Ok(Exchange::Csv),
        #[cfg(feature = "arrow")]
        "arrow" => Ok(Exchange::Arrow),
        #[cfg(not(feature = "arrow"))]
        "arrow" => Err("this build of whylight is without the feature arrow".to_owned()),
        _ => Err("expected csv or arrow".to_owned()),
    }
}

/// `--header`: whether a CSV file begins with column names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Header {
    /// It does if any cell of its first row is neither a number nor missing
    Auto,
    /// It does
    Yes,
    /// Its first row is data
    No,
}

impl From<Header> for data::Header {
    fn from(header: Header) -> Self {
        match header {
            Header::Auto => data::Header::Auto,
            Header::Yes => data::Header::Yes,
            Header::No => data::Header::No,
        }
    }
}

/// A number of rows, or `all`.
pub(super) fn rows(text: &str) -> Result<u64, String> {
    match text {
        "all" => Ok(u64::MAX),
        _ => match text.parse() {
            Ok(rows) if rows > 0 => Ok(rows),
            _ => Err("expected a number of rows of at least 1, or all".to_owned()),
        },
    }
}

/// At least one row or repeat.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a whole number of at least 1".to_owned()),
    }
}

/// A time of at least a millisecond, in seconds, up to a day.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let allowed = seconds.filter(|seconds: &f64| (0.001..=86_400.0).contains(seconds));
    (allowed.map(Duration::from_secs_f64))
        .ok_or_else(|| "expected a number of seconds from 0.001 to 86400".to_owned())
}

/// A number of threads.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MAX_THREADS).contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {MAX_THREADS}")),
    }
}

/// `512MiB`, `2GB`, `1000000`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let fault = || "expected a size such as 512MiB, 2GiB or 500MB".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| fault())?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "kb" => 1e3,
        "m" | "mib" => f64::from(1 << 20),
        "mb" => 1e6,
        "g" | "gib" => f64::from(1 << 30),
        "gb" => 1e9,
        _ => return Err(fault()),
    };
    let bytes = number * unit;
    if bytes < 1.0 {
        return Err(fault());
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(bytes("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(bytes("4096"), Ok(4096));
        for bad in ["", "MiB", "-1", "0", "1TBq", "1.2.3"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn iterations_are_all_the_best_or_a_range() {
        assert_eq!(iterations("all"), Ok(Iterations::All));
        assert_eq!(iterations("best"), Ok(Iterations::Best));
        assert_eq!(iterations("3..10"), Ok(Iterations::Range(3..10)));
        for bad in ["", "3", "3..", "-1..2", "a..b"] {
            assert!(iterations(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_method_or_an_output_that_does_not_exist_is_answered() {
        assert_eq!(method("tree"), Ok(Method::Tree));
        assert_eq!(method("kernel"), Ok(Method::Kernel));
        assert_eq!(method("deep"), Ok(Method::Deep));
        assert_eq!(method("lime"), Ok(Method::Lime));
        assert_eq!(method("mimic"), Ok(Method::Mimic));
        assert_eq!(method("permutation"), Ok(Method::Permutation));
        assert!(method("linear").unwrap_err().contains("`linear`"));
        assert_eq!(
            method("shap"),
            Err("expected auto, tree, deep, kernel, lime, mimic or permutation".to_owned())
        );
    }

    #[test]
    fn coalitions_are_drawn_in_pairs() {
        assert_eq!(pairs("auto"), Ok(None));
        assert_eq!(pairs("1"), Ok(Some(2)));
        assert_eq!(pairs("2001"), Ok(Some(1001)));
        for bad in ["", "0", "-2", "1.5", "all"] {
            assert!(pairs(bad).is_err(), "{bad}");
        }
    }
}
