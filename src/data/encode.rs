//! Puts the columns of a table into the order and the numbers that a model reads.

mod city_hash;
mod fill;
mod label;

use std::collections::HashMap;
use std::ops::Range;

use ndarray::s;

pub(crate) use self::city_hash::city_hash;
use self::fill::{Number, Source};
use self::label::LabelMap;
pub(super) use self::label::known as known_labels;
use super::table::{check_rows, shape};
use super::view::Borrowed;
use super::{Column, View, name};
use crate::error::{Error, MEMORY, Result};
use crate::model::Feature;

/// How one kind of table is read by one model: which column each feature is, and what its labels
/// mean.
///
/// Columns are matched by name when the table has names and every feature of the model has one, by
/// position otherwise. A name of the model is also matched by a column whose name differs from it
/// only by having spaces in place of underscores, because LightGBM writes them so.
#[derive(Debug, Clone)]
pub struct Encoder {
    features: Vec<Plan>,
    /// Columns of the table.
    columns: usize,
    named: bool,
}

#[derive(Debug, Clone)]
struct Plan {
    /// The table's column.
    column: usize,
    /// The feature in messages, such as `column "age"`.
    title: String,
    labels: Option<LabelMap>,
}

/// Whether every feature has a name.
pub(super) fn all_named(features: &[Feature]) -> bool {
    !features.is_empty() && features.iter().all(|feature| feature.name.is_some())
}

impl Encoder {
    /// Matches a table's columns to the features of a model.
    ///
    /// # Errors
    /// [`Error::Shape`] that lists the columns that are missing and those that are too many.
    pub fn new(features: &[Feature], names: Option<&[String]>, columns: usize) -> Result<Self> {
        let wanted: Vec<&str> = (features.iter())
            .filter_map(|feature| feature.name.as_deref())
            .collect();
        let named = names.filter(|_| all_named(features));
        let order = match named {
            Some(names) => by_name(&wanted, names)?,
            None if columns == features.len() => (0..columns).collect(),
            None => return Err(by_position_fault(features, names, columns)),
        };
        let plan = |(feature, column): (&Feature, usize)| Plan {
            column,
            title: name::column(names, column),
            labels: feature.categories.as_ref().map(LabelMap::new),
        };
        Ok(Self {
            features: features.iter().zip(order).map(plan).collect(),
            columns,
            named: named.is_some(),
        })
    }

    /// The same for some of the features, by position: batches have these alone, in this order.
    #[must_use]
    pub(crate) fn keep(mut self, features: &[u32]) -> Self {
        let mut all: Vec<Option<Plan>> = self.features.into_iter().map(Some).collect();
        let take = |&feature: &u32| all.get_mut(feature as usize).and_then(Option::take);
        self.features = features.iter().filter_map(take).collect();
        self
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.features.len()
    }

    /// Whether columns were matched by name.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// The table's column for each feature.
    pub fn order(&self) -> Vec<usize> {
        self.features.iter().map(|plan| plan.column).collect()
    }

    /// Binds a batch: checks its types once and translates its labels, so that filling is copying.
    ///
    /// # Errors
    /// [`Error::Shape`] if the batch has another number of columns, or columns of unequal length;
    /// [`Error::Data`] if it has strings in the column of a feature without labels.
    pub fn batch<'a>(&'a self, rows: impl Into<View<'a>>) -> Result<Batch<'a>> {
        let view = rows.into();
        if view.columns() != self.columns {
            return Err(shape(
                "the columns of a batch",
                format!("{}, as in the table that was matched", self.columns),
                view.columns().to_string(),
            ));
        }
        view.check()?;
        let plain = !matches!(view.cells(), Borrowed::Columns(..));
        let sparse = matches!(view.cells(), Borrowed::Csr32(..) | Borrowed::Csr64(..));
        let mut places = vec![usize::MAX; if sparse { view.columns() } else { 0 }];
        for (feature, plan) in self.features.iter().enumerate().filter(|_| sparse) {
            places[plan.column] = feature;
        }
        let sources = (self.features.iter())
            .map(|plan| plan.source(&view))
            .collect::<Result<Vec<_>>>()?;
        let translated = (0..sources.len()).filter(|&feature| sources[feature].is_translated());
        Ok(Batch {
            plans: &self.features,
            rows: view.rows(),
            translated: if plain {
                translated.collect()
            } else {
                Vec::new()
            },
            order: if plain { self.order() } else { Vec::new() },
            places,
            view,
            sources,
        })
    }
}

impl Plan {
    fn source<'a>(&'a self, view: &View<'a>) -> Result<Source<'a>> {
        let numbers = self.labels.as_ref().and_then(LabelMap::numbers);
        Ok(match view.cells() {
            Borrowed::F32(matrix) => Source::F32(matrix.slice_move(s![.., self.column]), numbers),
            Borrowed::F64(matrix) => Source::F64(matrix.slice_move(s![.., self.column]), numbers),
            Borrowed::Csr32(csr) => Source::Csr32(*csr, self.column, numbers),
            Borrowed::Csr64(csr) => Source::Csr64(*csr, self.column, numbers),
            Borrowed::Columns(columns, rows) => match &columns[self.column] {
                Column::F32(cells) => Source::F32(cells[rows.clone()].into(), numbers),
                Column::F64(cells) => Source::F64(cells[rows.clone()].into(), numbers),
                Column::Labels { codes, labels } => match &self.labels {
                    Some(known) => Source::Labels(&codes[rows.clone()], known.translate(labels)),
                    None => return Err(self.strings(codes, labels)),
                },
            },
        })
    }

    fn strings(&self, codes: &[i32], labels: &[String]) -> Error {
        let row = codes.iter().position(|&code| code >= 0);
        let found = row.map_or_else(String::new, |row| {
            let label = name::shown(&labels[codes[row] as usize]);
            format!(", such as {label} in its row {}", row + 1)
        });
        Error::Data {
            path: MEMORY.into(),
            at: self.title.clone(),
            reason: format!(
                "the column holds strings{found}, but the model has no category labels for it; \
                 write them as the numbers that the model was trained on"
            ),
        }
    }
}

/// The column of each feature, by name.
fn by_name(wanted: &[&str], names: &[String]) -> Result<Vec<usize>> {
    name::check_unique(MEMORY.as_ref(), "the column names", names)?;
    let positions: HashMap<&str, usize> = (names.iter().enumerate())
        .map(|(column, name)| (name.as_str(), column))
        .collect();
    let mut owner = vec![false; names.len()];
    let mut order: Vec<Option<usize>> = (wanted.iter())
        .map(|wanted| positions.get(wanted).copied())
        .collect();
    for &column in order.iter().flatten() {
        owner[column] = true;
    }
    let mut spaced: HashMap<String, Vec<usize>> = HashMap::new();
    for (column, name) in names.iter().enumerate().filter(|(c, _)| !owner[*c]) {
        let plain = name.replace(char::is_whitespace, "_");
        spaced.entry(plain).or_default().push(column);
    }
    for (feature, column) in order.iter_mut().enumerate().filter(|(_, c)| c.is_none()) {
        // Two columns that would both fit are a question for the user.
        if let Some([only]) = spaced.get(wanted[feature]).map(Vec::as_slice) {
            *column = Some(*only);
            owner[*only] = true;
        }
    }
    let missing: Vec<&str> = (order.iter().zip(wanted))
        .filter(|(column, _)| column.is_none())
        .map(|(_, wanted)| *wanted)
        .collect();
    let extra: Vec<&str> = (names.iter().zip(&owner))
        .filter(|(_, owned)| !**owned)
        .map(|(name, _)| name.as_str())
        .collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(order.into_iter().flatten().collect());
    }
    Err(by_name_fault(wanted.len(), names.len(), &missing, &extra))
}

fn by_name_fault(features: usize, columns: usize, missing: &[&str], extra: &[&str]) -> Error {
    let mut got = vec![format!("{columns} columns")];
    if !missing.is_empty() {
        got.push(format!(
            "missing: {}",
            name::listed(missing.iter().copied())
        ));
    }
    if !extra.is_empty() {
        let extra = name::listed(extra.iter().copied());
        got.push(format!("not in the model: {extra}"));
    }
    let near = missing.iter().take(10).filter_map(|missing| {
        let near = name::nearest(missing, extra.iter().copied())?;
        Some(format!("{} to {}", name::shown(near), name::shown(missing)))
    });
    let near = near.collect::<Vec<_>>().join(", ");
    got.push(if !near.is_empty() {
        format!("did you mean to rename {near}?")
    } else if missing.is_empty() {
        "leave out what is not in the model (in the command, --drop NAME)".to_owned()
    } else {
        "add what is missing under the model's names".to_owned()
    });
    shape(
        "the table's columns",
        format!("the model's {features} features by name"),
        got.join("; "),
    )
}

fn by_position_fault(features: &[Feature], names: Option<&[String]>, columns: usize) -> Error {
    let why = if names.is_some() {
        "by position, because the model has no feature names"
    } else {
        "by position, because the table has no column names"
    };
    let way = if columns > features.len() {
        "leave out those that are no features, such as the target (in the command, --drop)"
    } else {
        "add the columns that are missing, in the order that the model was trained on"
    };
    shape(
        "the table's columns",
        format!("the model's {} features {why}", features.len()),
        format!("{columns}; {way}"),
    )
}

/// A batch of rows, bound to the model that reads it.
#[derive(Debug)]
pub struct Batch<'a> {
    plans: &'a [Plan],
    view: View<'a>,
    rows: usize,
    /// By feature.
    sources: Vec<Source<'a>>,
    /// The features of a matrix whose numbers are labels.
    translated: Vec<usize>,
    /// The column of each feature of a matrix.
    order: Vec<usize>,
    /// The feature of each column of a sparse matrix; of one that is none, no position.
    places: Vec<usize>,
}

impl Batch<'_> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.sources.len()
    }

    /// The column of a feature in messages, such as `column "age"`; empty for a feature that does
    /// not exist.
    pub fn title(&self, feature: usize) -> &str {
        self.plans.get(feature).map_or("", |plan| &plan.title)
    }

    /// Whether the cells of this feature are float32 numbers or category numbers, which float32
    /// holds exactly.
    pub fn is_f32(&self, feature: usize) -> bool {
        let wide =
            |source: &Source| matches!(source, Source::F64(_, None) | Source::Csr64(.., None));
        (self.sources.get(feature)).is_some_and(|source| !wide(source))
    }

    /// Whether every cell of this batch is exactly a float32 number; NaN is.
    pub fn exact_f32(&self) -> bool {
        match self.view.cells() {
            // Rows lie together, so whole rows are tested, not one column after the other.
            Borrowed::F64(matrix) if self.translated.is_empty() => match matrix.as_slice() {
                Some(cells) => fill::exact(cells),
                None => self.sources.iter().all(Source::is_exact),
            },
            Borrowed::Csr64(csr) if self.translated.is_empty() => {
                fill::exact(csr.entries()) && fill::exact(&[csr.absent])
            }
            _ => self.sources.iter().all(Source::is_exact),
        }
    }

    /// Writes the cells of one feature: numbers as they are, categories as their numbers, unseen
    /// ones as -1, missing ones as NaN. `out` is as long as `rows`.
    ///
    /// # Errors
    /// [`Error::Shape`] for a feature or rows that do not exist, and for an `out` of another
    /// length.
    pub fn column(&self, feature: usize, rows: Range<usize>, out: &mut [f64]) -> Result<()> {
        self.write(feature, rows, out)
    }

    /// As [`Batch::column`], rounded to float32.
    ///
    /// # Errors
    /// As [`Batch::column`].
    pub fn column_f32(&self, feature: usize, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        self.write(feature, rows, out)
    }

    /// Writes all features, each as in [`Batch::column`], one after the other: `out` is (features,
    /// rows). Blocks of some hundred rows stay in the cache.
    ///
    /// # Errors
    /// As [`Batch::column`].
    pub fn fill(&self, rows: Range<usize>, out: &mut [f64]) -> Result<()> {
        self.fill_all(rows, out)
    }

    /// As [`Batch::fill`], rounded to float32.
    ///
    /// # Errors
    /// As [`Batch::column`].
    pub fn fill_f32(&self, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        self.fill_all(rows, out)
    }

    fn write<T: Number>(&self, feature: usize, rows: Range<usize>, out: &mut [T]) -> Result<()> {
        let Some(source) = self.sources.get(feature) else {
            return Err(shape(
                "a feature",
                format!("one of {}, from 0", self.features()),
                feature.to_string(),
            ));
        };
        self.check(&rows, 1, out.len())?;
        source.write(rows, out);
        Ok(())
    }

    fn fill_all<T: Number>(&self, rows: Range<usize>, out: &mut [T]) -> Result<()> {
        self.check(&rows, self.features(), out.len())?;
        let height = rows.len();
        if height == 0 || self.features() == 0 {
            return Ok(());
        }
        let columns = self.view.columns();
        let cut = rows.start * columns..rows.end * columns;
        match self.view.cells() {
            Borrowed::F32(matrix) if matrix.is_standard_layout() => {
                let cells = matrix.as_slice().unwrap_or_default();
                fill::transpose(&cells[cut], columns, &self.order, out);
            }
            Borrowed::F64(matrix) if matrix.is_standard_layout() => {
                let cells = matrix.as_slice().unwrap_or_default();
                fill::transpose(&cells[cut], columns, &self.order, out);
            }
            Borrowed::Csr32(csr) => fill::scatter(csr, rows.clone(), &self.places, out),
            Borrowed::Csr64(csr) => fill::scatter(csr, rows.clone(), &self.places, out),
            _ => {
                for (source, out) in self.sources.iter().zip(out.chunks_exact_mut(height)) {
                    source.write(rows.clone(), out);
                }
                return Ok(());
            }
        }
        for &feature in &self.translated {
            let out = &mut out[feature * height..][..height];
            self.sources[feature].write(rows.clone(), out);
        }
        Ok(())
    }

    fn check(&self, rows: &Range<usize>, features: usize, out: usize) -> Result<()> {
        check_rows(rows, self.rows)?;
        if features.checked_mul(rows.len()) == Some(out) {
            return Ok(());
        }
        Err(shape(
            "the space for encoded cells",
            format!("{features} × {} cells", rows.len()),
            out.to_string(),
        ))
    }
}

#[cfg(test)]
mod tests;
