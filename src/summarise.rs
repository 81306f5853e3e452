//! A background in few rows: weighted k-means, or medians.
//!
//! Explainers that average over a background cost time in proportion to its rows. [`kmeans`] replaces
//! many rows by a few centres, each with a weight: the share of the rows that it stands for;
//! [`medians`] by a single row. What follows is about the former.
//!
//! - **Distance**: Euclidean, over columns in units of their standard deviations, so that no column
//!   counts for more because of its unit. Constant columns do not count.
//! - **Missing cells** (NaN) are at their column's mean; a column without a number does not count, and
//!   stays NaN.
//! - **First centres**: k-means++ (Arthur & Vassilvitskii, "k-means++: the advantages of careful
//!   seeding", 2007), drawn by `SplitMix64` from the seed, always on the CPU.
//! - **Iterations**: Lloyd's ("Least squares quantization in PCM", 1982), until no row changes its
//!   centre. A cluster that loses its last row gets the row that is farthest from its own centre.
//! - **Rounding**: each cell of a centre becomes the nearest number that occurs in its column, the
//!   lower one of two, so that integers stay integers. The row as a whole need not occur.
//!
//! The distances are float32, on the CPU or on a GPU. The means are float64 sums in the order of the
//! rows, always on the CPU: they take one addition per cell, less than reading the cell takes, where
//! the distances take three operations per cell and centre. So a result has the same bits on any
//! number of threads. On another device it is the same but where a row is, within the rounding of
//! float32, equally far from two centres.
//!
//! Memory: 4 bytes per cell and 20 per row beside the table, and 8 per row on each thread of the caller's
//! rayon pool. There is no matrix of rows times centres.

mod lloyd;
mod median;
mod scale;
mod seed;

use whylight_kernels::ROWS;

use self::lloyd::{Cells, Engine};
pub use self::median::medians;
use self::scale::Scale;
use crate::data::{Table, View};
use crate::device::Device;
use crate::error::{Error, MEMORY, Result};
#[cfg(feature = "gpu")]
use crate::gpu_rows::GpuRows;

/// How to cluster.
#[derive(Debug, Clone)]
pub struct KMeans {
    /// Clusters at most, at least 1: there are fewer where fewer rows differ.
    pub clusters: usize,
    /// What the first centres are drawn from.
    pub seed: u64,
    /// Whether the cells of centres are rounded to numbers that occur in their columns.
    pub round: bool,
    /// Iterations at most, at least 1.
    pub max_iterations: usize,
    /// A weight per row, from 0; the sum need not be 1. A row of weight 2 counts as two rows, one of
    /// weight 0 as none. `None` for equal weights.
    pub weights: Option<Vec<f64>>,
    /// Where the distances are computed.
    pub device: Device,
}

impl KMeans {
    /// The defaults for a number of clusters on a device: seed 0, rounded, 100 iterations, equal
    /// weights.
    pub fn new(clusters: usize, device: Device) -> Self {
        Self {
            clusters,
            seed: 0,
            round: true,
            max_iterations: 100,
            weights: None,
            device,
        }
    }
}

/// The clusters of a table.
#[derive(Debug, Clone)]
pub struct Clusters {
    /// The centres, one per row, with the names and the precision of the clustered table.
    pub table: Table,
    /// The share of each cluster in the weight of all rows: positive, with the sum 1.
    pub weights: Vec<f64>,
    /// Rows of each cluster, those of weight 0 left out.
    pub rows: Vec<usize>,
    /// Iterations done.
    pub iterations: usize,
    /// Whether the last iteration changed nothing; if not, `max_iterations` ended it.
    pub converged: bool,
    /// The device that computed the distances.
    pub device: String,
    /// What is worth knowing, such as why another device than the one asked for did the work.
    pub notes: Vec<String>,
}

/// What the rows are to the clusters.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    weights: &'a [f64],
    nearest: &'a [u32],
}

/// Clusters rows (rows, columns) of numbers around centres (clusters, columns).
///
/// # Errors
/// [`Error::Parameter`] for no clusters, no iterations, or weights that are negative, not finite, or
/// all 0; [`Error::Shape`] for another number of weights than of rows, and as [`View::check`];
/// [`Error::Data`] for a table without rows, a column of labels, and an infinite cell;
/// [`Error::Gpu`] if the GPU fails.
pub fn kmeans(rows: &View<'_>, options: &KMeans) -> Result<Clusters> {
    match kmeans_while(rows, options, &mut |_| true)? {
        Some(clusters) => Ok(clusters),
        None => unreachable!("invariant: nobody stops it"),
    }
}

/// As [`kmeans`]; after each pass over the rows, `go_on` is told the number of passes done and says
/// whether to go on. `None` if it says no. There is a pass per cluster and one per iteration.
///
/// # Errors
/// As [`kmeans`].
pub fn kmeans_while(
    rows: &View<'_>,
    options: &KMeans,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Clusters>> {
    check(rows, options)?;
    let weights = weights(rows.rows(), options.weights.as_deref());
    let scales = Scale::of(rows, &weights)?;
    let varying: Vec<usize> = (0..scales.len()).filter(|&c| scales[c].varies()).collect();
    let scaled = scale::scaled(rows, &scales, &varying)?;
    let cells = Cells {
        scaled: &scaled,
        columns: varying.len(),
        weights: &weights,
    };
    let mut passes = 0;
    let mut go_on = || {
        passes += 1;
        go_on(passes)
    };
    let mut found = Found {
        device: options.device.name(),
        converged: true,
        ..Found::default()
    };
    if let Some((clusters, nearest)) = cells.distinct(options.clusters) {
        found.clusters = clusters;
        found.nearest = nearest;
    } else {
        let Some(mut state) = seed::draw(&cells, options.clusters, options.seed, &mut go_on) else {
            return Ok(None);
        };
        let engine = engine(&cells, options, &mut found)?;
        let most = options.max_iterations;
        let Some((iterations, converged)) = state.iterate(&cells, &engine, most, &mut go_on)?
        else {
            return Ok(None);
        };
        found.clusters = options.clusters;
        found.nearest = state.nearest;
        (found.iterations, found.converged) = (iterations, converged);
    }
    found
        .finish(rows, &scales, &weights, options.round)
        .map(Some)
}

/// What the iterations found.
#[derive(Debug, Default)]
struct Found {
    clusters: usize,
    nearest: Vec<u32>,
    iterations: usize,
    converged: bool,
    device: String,
    notes: Vec<String>,
}

impl Found {
    /// The clusters in the table's own units.
    fn finish(
        mut self,
        view: &View<'_>,
        scales: &[Scale],
        weights: &[f64],
        round: bool,
    ) -> Result<Clusters> {
        let mut counts = vec![0; self.clusters];
        let mut sums = vec![0.0; self.clusters];
        for (&cluster, &weight) in self.nearest.iter().zip(weights) {
            if weight > 0.0 {
                counts[cluster as usize] += 1;
                sums[cluster as usize] += weight;
            }
        }
        // A cluster without rows is left where float32 tells fewer rows apart than were asked for.
        let kept: Vec<usize> = (0..self.clusters).filter(|&c| counts[c] > 0).collect();
        let mut numbers = vec![0; self.clusters];
        for (number, &cluster) in (0..).zip(&kept) {
            numbers[cluster] = number;
        }
        for cluster in &mut self.nearest {
            *cluster = numbers[*cluster as usize];
        }
        let total: f64 = kept.iter().map(|&cluster| sums[cluster]).sum();
        let rows = Rows {
            weights,
            nearest: &self.nearest,
        };
        let centres = scale::centres(view, scales, &rows, kept.len(), round)?;
        Ok(Clusters {
            table: view.with_numbers(&centres),
            weights: kept.iter().map(|&cluster| sums[cluster] / total).collect(),
            rows: kept.iter().map(|&cluster| counts[cluster]).collect(),
            iterations: self.iterations,
            converged: self.converged,
            device: self.device,
            notes: self.notes,
        })
    }
}

/// Refuses what cannot be clustered, but for what only the cells can tell.
fn check(rows: &View<'_>, options: &KMeans) -> Result<()> {
    let refused = |name: &'static str, got: String, allowed: &str| {
        Err(Error::Parameter {
            name,
            got,
            allowed: allowed.to_owned(),
        })
    };
    if options.clusters == 0 {
        return refused("clusters", "0".to_owned(), "at least 1");
    }
    if options.max_iterations == 0 {
        return refused("max_iterations", "0".to_owned(), "at least 1");
    }
    check_rows(rows)?;
    let Some(weights) = &options.weights else {
        return Ok(());
    };
    if weights.len() != rows.rows() {
        return Err(Error::Shape {
            what: "weights".to_owned(),
            expected: format!("one for each of the {} rows", rows.rows()),
            got: weights.len().to_string(),
        });
    }
    let bad = |weight: &f64| !weight.is_finite() || *weight < 0.0;
    if let Some(row) = weights.iter().position(bad) {
        let got = format!("{} for row {}", weights[row], row + 1);
        return refused("weights", got, "finite numbers from 0");
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return refused(
            "weights",
            "0 for every row".to_owned(),
            "some weight above 0",
        );
    }
    Ok(())
}

/// Refuses a table whose parts do not fit, and one without rows.
fn check_rows(rows: &View<'_>) -> Result<()> {
    rows.check()?;
    if rows.rows() > 0 {
        return Ok(());
    }
    Err(Error::Data {
        path: MEMORY.into(),
        at: "its end".to_owned(),
        reason: "no rows; expected the rows to summarise".to_owned(),
    })
}

/// A weight per row, and 0 for those that fill up the last block.
fn weights(rows: usize, given: Option<&[f64]>) -> Vec<f64> {
    let mut weights = match given {
        None => vec![1.0; rows],
        Some(given) => {
            // No sum of them leaves float64, and their ratios keep every bit.
            let unit = scale::power_of_two(given.iter().copied().fold(0.0, f64::max));
            given.iter().map(|weight| weight / unit).collect()
        }
    };
    weights.resize(rows.next_multiple_of(ROWS), 0.0);
    weights
}

#[cfg(feature = "gpu")]
fn engine(cells: &Cells<'_>, options: &KMeans, found: &mut Found) -> Result<Engine> {
    let Device::Gpu { gpu, .. } = &options.device else {
        return Ok(Engine::Cpu);
    };
    let refused = match GpuRows::new(gpu, cells.scaled, cells.columns, None) {
        Ok(rows) if rows.most_centres() >= options.clusters => {
            return Ok(Engine::Gpu(Box::new(rows)));
        }
        Ok(_) => format!(
            "a buffer of GPU {} cannot hold {} centres of {} columns",
            gpu.adapter().name,
            options.clusters,
            cells.columns
        ),
        Err(Error::Unsupported { what, by, .. }) => format!("{by} cannot hold {what}"),
        Err(error) => return Err(error),
    };
    found.device = Device::cpu().name();
    let note = format!("{refused}; the CPU found the nearest centres");
    found.notes.push(note);
    Ok(Engine::Cpu)
}

#[cfg(not(feature = "gpu"))]
#[expect(clippy::unnecessary_wraps, reason = "a GPU can fail")]
fn engine(_: &Cells<'_>, _: &KMeans, _: &mut Found) -> Result<Engine> {
    Ok(Engine::Cpu)
}
