//! The global ranking as a bar table.

use std::fmt::Write;

use super::text::{self, Decimals, WIDTH, bar, cut, plain};

/// Columns that names may take.
const NAME: usize = 36;

/// The first `top` features of a ranking, (feature, mean |value|) in descending order, as a table
/// of at most 80 columns with a bar for each, and what the others add up to.
pub fn ranking(features: &[String], ranking: &[(usize, f64)], top: usize) -> String {
    let decimals = Decimals::of(ranking.iter().map(|&(_, mean)| mean));
    let name = |feature: usize| features.get(feature).map_or_else(String::new, |n| plain(n));
    let mut lines: Vec<(String, f64)> = (ranking.iter().take(top))
        .map(|&(feature, mean)| (name(feature), mean))
        .collect();
    if ranking.len() > top {
        let others: f64 = ranking[top..].iter().map(|(_, mean)| mean).sum();
        lines.push((
            format!("the {} others together", ranking.len() - top),
            others,
        ));
    }
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let names = longest(&mut lines.iter().map(|(name, _)| name.chars().count()));
    let names = names.clamp("feature".len(), NAME);
    let numbers = longest(&mut lines.iter().map(|(_, mean)| decimals.show(*mean).len()));
    let numbers = numbers.max("mean |value|".len());
    let bars = WIDTH - names - numbers - 4;
    let scale = lines.iter().map(|(_, mean)| *mean).fold(0.0, f64::max);
    let mut out = format!("{:names$}  {:>numbers$}\n", "feature", "mean |value|");
    for (name, mean) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:names$}  {:>numbers$}  {}",
            cut(&name, names),
            decimals.show(mean),
            bar(mean / scale, bars)
        );
    }
    text::trimmed(&out)
}
