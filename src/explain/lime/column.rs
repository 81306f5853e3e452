//! What LIME knows of a column of the training rows: how to draw from it, and which cells are alike.

use serde::Serialize;

use super::cuts;
use super::options::{Discretizer, LimeOptions};
use crate::random::{SplitMix64, mix};

/// Draws from a normal distribution that a bin refuses in a row, before a uniform one takes its place. A bin's own mean
/// and deviation leave it at least half of the normal distribution (Bhatia & Davis 2000: the variance is at most
/// (max − mean)(mean − min)), so that so many refusals mean a bin that is as wide as rounding.
const REFUSALS: usize = 64;

/// How LIME reads a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum Bins {
    /// Categories, alike where they are the same.
    Categories {
        /// The numbers of those in the training rows, ascending.
        values: Vec<f64>,
        /// Their labels, where the column has some.
        labels: Option<Vec<String>>,
    },
    /// Numbers, alike where they lie in the same bin; missing ones are alike.
    Cuts {
        /// The ends of all bins but the last, ascending: a number belongs to the first that it does not pass.
        cuts: Vec<f64>,
    },
    /// Quantities.
    Quantity {
        /// Of the training rows.
        mean: f64,
        /// Their standard deviation; 1 where all are the same.
        scale: f64,
    },
}

/// A bin's training cells.
#[derive(Debug, Clone, Copy)]
struct Stratum {
    min: f64,
    max: f64,
    mean: f64,
    deviation: f64,
}

/// A column of the training rows.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) bins: Bins,
    /// By code, how many training rows have that code or a lower one.
    cumulated: Vec<usize>,
    /// Of cut columns, by bin.
    strata: Vec<Stratum>,
    /// Whether all training rows have the same quantity.
    is_constant: bool,
}

impl Column {
    /// Of a column's cells, which are not infinite. `labels` are those of its categories by number; `classes` those of
    /// the rows.
    pub(super) fn new(
        cells: &[f64],
        is_category: bool,
        labels: Option<&[String]>,
        options: &LimeOptions,
    ) -> Self {
        if is_category {
            return Self::categories(cells, labels);
        }
        let mut sorted: Vec<f64> = cells
            .iter()
            .copied()
            .filter(|cell| !cell.is_nan())
            .collect();
        sorted.sort_by(f64::total_cmp);
        let cuts = match options.discretizer {
            Discretizer::Quartile => cuts::quantiles(&sorted, 4),
            Discretizer::Decile => cuts::quantiles(&sorted, 10),
            Discretizer::Entropy => {
                let classes = options.labels.as_deref().unwrap_or_default();
                let there = cells.iter().zip(classes).filter(|(cell, _)| !cell.is_nan());
                let (cells, classes): (Vec<f64>, Vec<u32>) = there.unzip();
                cuts::entropy(&cells, &classes)
            }
            Discretizer::None => return Self::quantity(cells),
        };
        Self::cut(&sorted, cells.len(), cuts)
    }

    fn categories(cells: &[f64], labels: Option<&[String]>) -> Self {
        let mut values: Vec<f64> = cells
            .iter()
            .copied()
            .filter(|cell| !cell.is_nan())
            .collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let label = |&value: &f64| {
            let known = labels.and_then(|labels| labels.get(value as usize));
            known.cloned().unwrap_or_else(|| value.to_string())
        };
        let bins = Bins::Categories {
            labels: labels.map(|_| values.iter().map(label).collect()),
            values,
        };
        let mut column = Self {
            bins,
            cumulated: Vec::new(),
            strata: Vec::new(),
            is_constant: false,
        };
        column.count(cells.iter().copied());
        column
    }

    fn cut(sorted: &[f64], rows: usize, cuts: Vec<f64>) -> Self {
        let (first, last) = (sorted.first().copied(), sorted.last().copied());
        let mut strata = Vec::new();
        let mut rest = sorted;
        for bin in 0..=cuts.len() {
            let end = cuts.get(bin).copied();
            let inside = end.map_or(rest.len(), |end| rest.partition_point(|&cell| cell <= end));
            let (cells, others) = rest.split_at(inside);
            rest = others;
            let count = cells.len().max(1) as f64;
            let mean = match (cells.first(), cells.last()) {
                (Some(first), Some(last)) if first == last => *first,
                _ => cells.iter().sum::<f64>() / count,
            };
            let variance = cells.iter().map(|cell| (cell - mean).powi(2)).sum::<f64>() / count;
            let start = bin.checked_sub(1).map(|before| cuts[before]);
            strata.push(Stratum {
                min: start.or(first).unwrap_or_default(),
                max: end.or(last).unwrap_or_default(),
                mean,
                deviation: variance.sqrt(),
            });
        }
        let mut column = Self {
            bins: Bins::Cuts { cuts },
            cumulated: Vec::new(),
            strata,
            is_constant: false,
        };
        let missing = rows - sorted.len();
        column.count(sorted.iter().copied().chain((0..missing).map(|_| f64::NAN)));
        column
    }

    fn quantity(cells: &[f64]) -> Self {
        let count = cells.len().max(1) as f64;
        let mean = cells.iter().sum::<f64>() / count;
        let variance = cells.iter().map(|cell| (cell - mean).powi(2)).sum::<f64>() / count;
        let is_constant = cells.iter().all(|cell| *cell == cells[0]);
        let scale = variance.sqrt();
        let scale = if is_constant || scale == 0.0 {
            1.0
        } else {
            scale
        };
        Self {
            bins: Bins::Quantity { mean, scale },
            cumulated: Vec::new(),
            strata: Vec::new(),
            is_constant,
        }
    }

    fn count(&mut self, cells: impl Iterator<Item = f64>) {
        let mut counts = vec![0; self.codes()];
        for cell in cells {
            if let Some(code) = self.code(cell) {
                counts[code] += 1;
            }
        }
        let mut total = 0;
        self.cumulated = counts
            .into_iter()
            .map(|count| {
                total += count;
                total
            })
            .collect();
    }

    /// As [`Bins::codes`].
    pub(super) fn codes(&self) -> usize {
        self.bins.codes()
    }

    /// As [`Bins::code`].
    pub(super) fn code(&self, cell: f64) -> Option<usize> {
        self.bins.code(cell)
    }

    /// The mean and the scale of a quantity.
    pub(super) fn scale(&self) -> Option<(f64, f64)> {
        match &self.bins {
            Bins::Quantity { mean, scale } => Some((*mean, *scale)),
            _ => None,
        }
    }

    /// So many cells, drawn as the training rows have them: codes by their frequency, and of a bin a number from the
    /// normal distribution of its cells, cut at its ends. Of a quantity, normal deviates, of standard deviation 1; 0
    /// where all training rows have the same.
    pub(super) fn draw(&self, samples: usize, seed: u64, place: usize) -> (Vec<usize>, Vec<f64>) {
        let mut random = SplitMix64::new(mix(seed ^ mix(place as u64 + 1)));
        if self.codes() == 0 {
            let deviate = |_| {
                if self.is_constant {
                    0.0
                } else {
                    normal(&mut random)
                }
            };
            return (Vec::new(), (0..samples).map(deviate).collect());
        }
        let rows = self.cumulated.last().copied().unwrap_or_default();
        let mut one = || {
            let row = random.below(rows);
            let code = self.cumulated.partition_point(|&end| end <= row);
            let cell = match &self.bins {
                _ if code + 1 == self.codes() => f64::NAN,
                Bins::Categories { values, .. } => values[code],
                _ => self.strata[code].draw(&mut random),
            };
            (code, cell)
        };
        (0..samples).map(|_| one()).unzip()
    }
}

impl Bins {
    /// How many codes cells have: a bin or category each, and one for missing ones. A quantity has none.
    pub fn codes(&self) -> usize {
        match self {
            Self::Categories { values, .. } => values.len() + 1,
            Self::Cuts { cuts } => cuts.len() + 2,
            Self::Quantity { .. } => 0,
        }
    }

    /// The code of a cell; `None` for a category that no training row has, and for a quantity.
    pub fn code(&self, cell: f64) -> Option<usize> {
        match self {
            Self::Quantity { .. } => None,
            _ if cell.is_nan() => Some(self.codes() - 1),
            Self::Cuts { cuts } => Some(cuts.partition_point(|&cut| cut < cell)),
            Self::Categories { values, .. } => {
                values.binary_search_by(|value| value.total_cmp(&cell)).ok()
            }
        }
    }

    /// What is true of all cells that are like this one of a column of this name, such as `age <= 28.0`.
    pub fn rule(&self, name: &str, cell: f64) -> String {
        match self {
            Self::Quantity { .. } => name.to_owned(),
            _ if cell.is_nan() => format!("{name} is missing"),
            Self::Cuts { cuts } => match cuts.partition_point(|&cut| cut < cell) {
                _ if cuts.is_empty() => name.to_owned(),
                0 => format!("{name} <= {}", short(cuts[0])),
                bin if bin == cuts.len() => format!("{name} > {}", short(cuts[bin - 1])),
                bin => format!("{} < {name} <= {}", short(cuts[bin - 1]), short(cuts[bin])),
            },
            Self::Categories { labels, .. } => {
                let label = labels.as_ref().zip(self.code(cell));
                let label = label.and_then(|(labels, code)| labels.get(code));
                match label {
                    Some(label) => format!("{name}={label}"),
                    None => format!("{name}={cell}"),
                }
            }
        }
    }
}

/// A number with at most six significant digits.
fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    format!("{rounded:?}")
}

impl Stratum {
    fn draw(&self, random: &mut SplitMix64) -> f64 {
        if self.min >= self.max || self.deviation == 0.0 {
            // All of its training cells are this one.
            return self.mean;
        }
        for _ in 0..REFUSALS {
            let cell = self.mean + self.deviation * normal(random);
            if (self.min..=self.max).contains(&cell) {
                return cell;
            }
        }
        self.min + random.unit() * (self.max - self.min)
    }
}

/// A normal deviate, by the polar method (Marsaglia & Bray 1964).
fn normal(random: &mut SplitMix64) -> f64 {
    loop {
        let (x, y) = (2.0 * random.unit() - 1.0, 2.0 * random.unit() - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}
