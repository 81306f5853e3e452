//! Models of columns that encoders make of the raw ones: numbers that are scaled, and categories.

use std::path::Path;
use std::sync::Arc;

use super::Model;
use super::kernel_machine::Kernel;
use super::trees::{Feature, Precision};
use crate::error::{Error, Result};

/// A model, and what makes its columns of the raw ones, each of a single raw column.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The raw columns. One of text has [`Feature::categories`]: its cells are category numbers, -1 for others.
    pub features: Vec<Feature>,
    /// How a cell of each raw column is read before anything is made of it.
    pub precisions: Vec<Precision>,
    /// The columns of the model.
    pub columns: Vec<Column>,
    /// Raw columns whose encoder takes no other categories than these, in ascending order.
    pub strict: Vec<(usize, Arc<[i64]>)>,
    /// What the columns of a row are divided by before the model gets them; a row of zeros stays as it is.
    pub norm: Option<Norm>,
    /// The model: machines over support vectors, or layers of neurons.
    pub model: Box<Model>,
}

/// The norm of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The sum of the absolute values.
    L1,
    /// The root of the sum of the squares.
    L2,
}

/// A column of a model: `scale · part(cell) + shift`.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The raw column.
    pub feature: usize,
    /// What is made of its cell.
    pub part: Part,
    /// What it is multiplied by.
    pub scale: f64,
    /// What is added.
    pub shift: f64,
}

/// A number that is made of a cell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// The cell.
    Cell,
    /// The cell without its fraction.
    Whole,
    /// 1 where the cell, without its fraction, is this category, else 0.
    Is(i64),
    /// What a list has for the cell.
    Lookup(Arc<Lookup>),
}

/// A number for each of some cells, and one for all others.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// Whether cells are taken without their fractions.
    whole: bool,
    /// Cells and their numbers, by cell.
    entries: Vec<(f64, f64)>,
    default: f64,
}

impl Lookup {
    /// Of cells, of which the first counts where there are equals, and their numbers.
    pub fn new(mut entries: Vec<(f64, f64)>, default: f64, whole: bool) -> Self {
        for (key, _) in &mut entries {
            *key = canonical(*key);
        }
        entries.sort_by(|a, b| a.0.total_cmp(&b.0));
        entries.dedup_by(|next, first| next.0.total_cmp(&first.0).is_eq());
        Self {
            whole,
            entries,
            default,
        }
    }

    fn of(&self, cell: f64) -> f64 {
        let cell = canonical(if self.whole { whole(cell) as f64 } else { cell });
        let found = self
            .entries
            .binary_search_by(|(key, _)| key.total_cmp(&cell));
        found.map_or(self.default, |at| self.entries[at].1)
    }

    /// Whether all its numbers are whole.
    pub(super) fn is_whole(&self) -> bool {
        let mut numbers = self.numbers();
        numbers.all(|number| number.fract() == 0.0)
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        let numbers = self.entries.iter().map(|(_, number)| *number);
        numbers.chain([self.default])
    }
}

/// The same bits for equal cells, and for all NaN.
fn canonical(cell: f64) -> f64 {
    if cell.is_nan() { f64::NAN } else { cell + 0.0 }
}

/// A cell without its fraction, as processors convert it: the least number where there is none.
pub(crate) fn whole(cell: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&cell) {
        cell as i64
    } else {
        i64::MIN
    }
}

impl Norm {
    /// What a column adds to the sum that the norm comes of.
    pub(crate) fn term(self, cell: f64) -> f64 {
        match self {
            Self::L1 => cell.abs(),
            Self::L2 => cell * cell,
        }
    }

    fn of(self, row: &[f64]) -> f64 {
        let sum: f64 = row.iter().map(|&cell| self.term(cell)).sum();
        match self {
            Self::L1 => sum,
            Self::L2 => sum.sqrt(),
        }
    }
}

impl Column {
    /// Of a raw column as it is.
    pub fn of(feature: usize) -> Self {
        Self {
            feature,
            part: Part::Cell,
            scale: 1.0,
            shift: 0.0,
        }
    }

    /// What it is for a cell of its raw column.
    pub fn value(&self, cell: f64) -> f64 {
        let part = match &self.part {
            Part::Cell => cell,
            Part::Whole => whole(cell) as f64,
            Part::Is(category) => f64::from(u8::from(whole(cell) == *category)),
            Part::Lookup(lookup) => lookup.of(cell),
        };
        self.scale * part + self.shift
    }

    pub(super) fn is_scaled(&self) -> bool {
        (self.scale, self.shift) != (1.0, 0.0)
    }
}

impl Encoded {
    /// Checks that the parts fit together and that all numbers are finite; `path` only names the model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the part and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: &str, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: self.model.format(),
                at: at.to_owned(),
                reason,
            })
        };
        match &*self.model {
            Model::KernelMachine(machine) => machine.check(path)?,
            Model::Mlp(mlp) => mlp.check(path)?,
            other => {
                let reason = format!("a model of {} after them", other.format());
                return fail("its encoders", reason);
            }
        }
        if let (Some(norm), Model::KernelMachine(machine)) = (self.norm, &*self.model) {
            let is_function_of_products = match &machine.kernel {
                Kernel::Rbf(gammas) => {
                    norm == Norm::L2 && gammas.windows(2).all(|pair| pair[0] == pair[1])
                }
                kernel => matches!(kernel, Kernel::Polynomial { .. } | Kernel::Sigmoid { .. }),
            };
            if !is_function_of_products {
                let reason =
                    "a distance of rows that are normalised otherwise than by L2, or of several γ";
                return fail("its kernel", reason.to_owned());
            }
        }
        let (features, columns) = (self.features.len(), self.columns.len());
        let wanted = self.model.features().len();
        if columns != wanted || features == 0 || self.precisions.len() != features {
            let reason = format!(
                "{columns} columns of {features} raw ones, of which {} say how they are read; expected {wanted}, and \
                 as many as raw ones",
                self.precisions.len()
            );
            return fail("its encoders", reason);
        }
        let named = self.columns.iter().map(|column| column.feature);
        let mut named = named.chain(self.strict.iter().map(|(feature, _)| *feature));
        if let Some(feature) = named.find(|&feature| feature >= features) {
            let reason = format!("raw column {feature} of {features}");
            return fail("its encoders", reason);
        }
        for (place, column) in self.columns.iter().enumerate() {
            let ends = [column.scale, column.shift].into_iter();
            let numbers: Vec<f64> = match &column.part {
                Part::Lookup(lookup) => ends.chain(lookup.numbers()).collect(),
                _ => ends.collect(),
            };
            if let Some(number) = numbers.iter().find(|&&n| !(n as f32).is_finite()) {
                let reason = format!("{number} is not a finite number of float32");
                return fail(&format!("column {place} of its encoders"), reason);
            }
        }
        Ok(())
    }

    /// The columns of the model, of a raw row.
    pub fn row(&self, raw: &[f64]) -> Vec<f64> {
        let value = |column: &Column| {
            column.value(self.precisions[column.feature].read(raw[column.feature]))
        };
        let mut row: Vec<f64> = self.columns.iter().map(value).collect();
        if let Some(norm) = self.norm {
            let norm = norm.of(&row);
            for cell in row.iter_mut().filter(|_| norm != 0.0) {
                *cell /= norm;
            }
        }
        row
    }

    /// The first raw column whose cell is a category that its encoder does not take.
    pub(crate) fn unknown(&self, raw: &[f64]) -> Option<usize> {
        let is_unknown = |(feature, categories): &&(usize, Arc<[i64]>)| {
            let category = whole(self.precisions[*feature].read(raw[*feature]));
            categories.binary_search(&category).is_err()
        };
        self.strict
            .iter()
            .find(is_unknown)
            .map(|(feature, _)| *feature)
    }
}
