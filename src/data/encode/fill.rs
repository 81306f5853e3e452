//! Copies cells into feature-major blocks.

use std::ops::Range;

use ndarray::{ArrayView1, s};

use super::label::{NumberMap, category};
use crate::data::sparse::Csr;

/// Features that are transposed together: as many streams of writes as a cache set has ways.
const STREAMS: usize = 8;

/// A float that cells are written as.
pub(super) trait Number: Copy {
    fn from_f32(cell: f32) -> Self;
    fn from_f64(cell: f64) -> Self;
}

impl Number for f32 {
    fn from_f32(cell: f32) -> Self {
        cell
    }
    fn from_f64(cell: f64) -> Self {
        cell as f32
    }
}

impl Number for f64 {
    fn from_f32(cell: f32) -> Self {
        f64::from(cell)
    }
    fn from_f64(cell: f64) -> Self {
        cell
    }
}

/// A float that cells are read as.
pub(super) trait Cell: Copy {
    fn to<T: Number>(self) -> T;
}

impl Cell for f32 {
    fn to<T: Number>(self) -> T {
        T::from_f32(self)
    }
}

impl Cell for f64 {
    fn to<T: Number>(self) -> T {
        T::from_f64(self)
    }
}

/// Where the cells of one feature come from.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// Numbers, which are labels if there is a map.
    F32(ArrayView1<'a, f32>, Option<&'a NumberMap>),
    /// Numbers, which are labels if there is a map.
    F64(ArrayView1<'a, f64>, Option<&'a NumberMap>),
    /// A column of sparse rows, whose numbers are labels if there is a map.
    Csr32(Csr<'a, f32>, usize, Option<&'a NumberMap>),
    /// As [`Source::Csr32`].
    Csr64(Csr<'a, f64>, usize, Option<&'a NumberMap>),
    /// Positions in a list of category numbers.
    Labels(&'a [i32], Vec<i32>),
}

impl Source<'_> {
    /// Whether numbers are labels here.
    pub(super) fn is_translated(&self) -> bool {
        matches!(
            self,
            Source::F32(_, Some(_))
                | Source::F64(_, Some(_))
                | Source::Csr32(.., Some(_))
                | Source::Csr64(.., Some(_))
        )
    }

    /// Whether float32 holds every cell exactly.
    pub(super) fn is_exact(&self) -> bool {
        match self {
            Source::F64(cells, None) => match cells.as_slice() {
                Some(cells) => exact(cells),
                None => cells.iter().all(|&cell| is_exact(cell)),
            },
            Source::Csr64(csr, column, None) => (0..csr.rows())
                .map(|row| csr.cell(row, *column))
                .all(is_exact),
            _ => true,
        }
    }

    /// Writes these rows; the caller has checked that they exist and that `out` is as long.
    pub(super) fn write<T: Number>(&self, rows: Range<usize>, out: &mut [T]) {
        match self {
            Source::F32(cells, map) => write(&cells.slice(s![rows]), *map, out),
            Source::F64(cells, map) => write(&cells.slice(s![rows]), *map, out),
            Source::Csr32(csr, column, map) => write_sparse(csr, *column, rows, *map, out),
            Source::Csr64(csr, column, map) => write_sparse(csr, *column, rows, *map, out),
            Source::Labels(codes, numbers) => {
                for (out, &code) in out.iter_mut().zip(&codes[rows]) {
                    let number = usize::try_from(code)
                        .ok()
                        .and_then(|code| numbers.get(code));
                    *out = T::from_f64(number.map_or(f64::NAN, |&number| f64::from(number)));
                }
            }
        }
    }
}

fn write<S: Cell, T: Number>(cells: &ArrayView1<S>, map: Option<&NumberMap>, out: &mut [T]) {
    match (map, cells.as_slice()) {
        (Some(map), _) => {
            for (out, cell) in out.iter_mut().zip(cells) {
                *out = T::from_f64(category(map, cell.to()));
            }
        }
        (None, Some(cells)) => {
            for (out, cell) in out.iter_mut().zip(cells) {
                *out = cell.to();
            }
        }
        (None, None) => {
            for (out, cell) in out.iter_mut().zip(cells) {
                *out = cell.to();
            }
        }
    }
}

fn write_sparse<S: Cell + Default, T: Number>(
    csr: &Csr<'_, S>,
    column: usize,
    rows: Range<usize>,
    map: Option<&NumberMap>,
    out: &mut [T],
) {
    for (row, out) in rows.zip(out) {
        let cell = csr.cell(row, column);
        *out = match map {
            Some(map) => T::from_f64(category(map, cell.to())),
            None => cell.to(),
        };
    }
}

/// Writes sparse rows as one run per feature, where column `c` is feature `places[c]`, if there is
/// that feature.
pub(super) fn scatter<S: Cell + Default, T: Number>(
    csr: &Csr<'_, S>,
    rows: Range<usize>,
    places: &[usize],
    out: &mut [T],
) {
    let height = rows.len();
    out.fill(csr.absent.to());
    for (r, row) in rows.enumerate() {
        for (column, cell) in csr.row(row) {
            let at = places[column].checked_mul(height).map(|run| run + r);
            if let Some(out) = at.and_then(|at| out.get_mut(at)) {
                *out = cell.to();
            }
        }
    }
}

/// Whether float32 holds every number exactly; NaN counts as held.
pub(super) fn exact(cells: &[f64]) -> bool {
    // A whole chunk without an early exit is what the compiler vectorises.
    cells
        .chunks(1024)
        .all(|chunk| chunk.iter().fold(true, |all, &cell| all & is_exact(cell)))
}

fn is_exact(cell: f64) -> bool {
    f64::from(cell as f32).to_bits() == cell.to_bits() || cell.is_nan()
}

/// Writes rows of `columns` cells as one run per feature, where feature `f` is column `order[f]`.
pub(super) fn transpose<S: Cell, T: Number>(
    cells: &[S],
    columns: usize,
    order: &[usize],
    out: &mut [T],
) {
    let height = cells.len() / columns;
    let in_order = order.iter().enumerate().all(|(f, &column)| f == column);
    for (group, (order, out)) in order
        .chunks(STREAMS)
        .zip(out.chunks_mut(STREAMS * height))
        .enumerate()
    {
        if order.len() < STREAMS {
            for (&column, out) in order.iter().zip(out.chunks_exact_mut(height)) {
                let column = cells[column..].iter().step_by(columns);
                for (out, cell) in out.iter_mut().zip(column) {
                    *out = cell.to();
                }
            }
        } else if in_order {
            let first = group * STREAMS;
            spread(cells, columns, height, out, |row| {
                std::array::from_fn(|stream| row[first + stream])
            });
        } else {
            let order: [usize; STREAMS] = std::array::from_fn(|stream| order[stream]);
            spread(cells, columns, height, out, |row| {
                order.map(|column| row[column])
            });
        }
    }
}

/// Writes [`STREAMS`] cells of every row, each to its own run of `height` cells.
fn spread<S: Cell, T: Number>(
    cells: &[S],
    columns: usize,
    height: usize,
    out: &mut [T],
    pick: impl Fn(&[S]) -> [S; STREAMS],
) {
    let mut runs = out.chunks_exact_mut(height);
    let mut runs: [&mut [T]; STREAMS] = std::array::from_fn(|_| runs.next().unwrap_or_default());
    for (r, row) in cells.chunks_exact(columns).enumerate() {
        for (run, cell) in runs.iter_mut().zip(pick(row)) {
            if let Some(out) = run.get_mut(r) {
                *out = cell.to();
            }
        }
    }
}
