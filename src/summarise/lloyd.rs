//! Lloyd's iterations (Lloyd 1982): rows to their nearest centres, centres to the means of their
//! rows.

use std::collections::HashMap;

use rayon::prelude::*;
use whylight_kernels::{Block, Level, ROWS, kmeans_assign};

use crate::error::Result;
#[cfg(feature = "gpu")]
use crate::gpu_rows::GpuRows;

/// The scaled cells and the weights of all rows, in whole blocks: the rows that fill up the last one
/// have no weight, and so no part in anything.
#[derive(Debug)]
pub(super) struct Cells<'a> {
    /// (block, column, [`ROWS`])
    pub(super) scaled: &'a [f32],
    pub(super) columns: usize,
    pub(super) weights: &'a [f64],
}

/// Who finds the nearest centres.
#[derive(Debug)]
pub(super) enum Engine {
    Cpu,
    #[cfg(feature = "gpu")]
    Gpu(Box<GpuRows>),
}

/// Centres and the rows that are assigned to them.
#[derive(Debug)]
pub(super) struct State {
    /// (centre, column)
    pub(super) centres: Vec<f32>,
    /// By row.
    pub(super) nearest: Vec<u32>,
    /// Squared, by row.
    pub(super) distances: Vec<f32>,
}

impl Cells<'_> {
    pub(super) fn block(&self, block: usize) -> &[f32] {
        &self.scaled[block * self.columns * ROWS..][..self.columns * ROWS]
    }

    pub(super) fn row(&self, row: usize) -> Vec<f32> {
        let columns = self.block(row / ROWS).chunks_exact(ROWS);
        columns.map(|column| column[row % ROWS]).collect()
    }

    /// The distinct rows in the order of their first appearance, with every row's number among them,
    /// or `None` if there are more than `most`.
    pub(super) fn distinct(&self, most: usize) -> Option<(usize, Vec<u32>)> {
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut nearest = vec![0; self.weights.len()];
        let mut key = Vec::with_capacity(self.columns);
        for (row, nearest) in nearest.iter_mut().enumerate() {
            if self.weights[row] <= 0.0 {
                continue;
            }
            key.clear();
            let columns = self.block(row / ROWS).chunks_exact(ROWS);
            key.extend(columns.map(|column| column[row % ROWS].to_bits()));
            *nearest = match numbers.get(&key) {
                Some(&number) => number,
                None if numbers.len() == most => return None,
                None => {
                    let number = numbers.len() as u32;
                    numbers.insert(key.clone(), number);
                    number
                }
            };
        }
        Some((numbers.len(), nearest))
    }
}

impl State {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            centres: Vec::new(),
            nearest: vec![0; rows],
            distances: vec![kmeans_assign::FARTHEST; rows],
        }
    }

    /// Assigns every row to its nearest centre; whether any has changed.
    #[cfg_attr(
        not(feature = "gpu"),
        expect(clippy::unnecessary_wraps, reason = "a GPU can fail")
    )]
    fn assign(&mut self, cells: &Cells<'_>, engine: &Engine) -> Result<bool> {
        let before = self.nearest.clone();
        match engine {
            Engine::Cpu => self.assign_on_cpu(cells),
            #[cfg(feature = "gpu")]
            Engine::Gpu(rows) => {
                rows.nearest(&self.centres, &mut self.nearest, &mut self.distances)?;
            }
        }
        Ok(before != self.nearest)
    }

    fn assign_on_cpu(&mut self, cells: &Cells<'_>) {
        let level = Level::detect();
        let nearest = self.nearest.par_chunks_exact_mut(ROWS);
        let distances = self.distances.par_chunks_exact_mut(ROWS);
        let blocks = nearest.zip(distances).enumerate();
        blocks.for_each(|(block, (nearest, distances))| {
            if let (Some(nearest), Some(distances)) =
                (nearest.first_chunk_mut(), distances.first_chunk_mut())
            {
                let block = Block::new(cells.block(block), ROWS);
                kmeans_assign::run(level, block, &self.centres, 0, nearest, distances);
            }
        });
    }

    /// Gives every centre without a row the one that is farthest from its own centre, of the lower
    /// number where two are, as long as one is away from its centre.
    fn refill(&mut self, cells: &Cells<'_>, clusters: usize) {
        let mut rows = vec![0_usize; clusters];
        let counted = |row: &usize| cells.weights[*row] > 0.0;
        for row in (0..self.nearest.len()).filter(counted) {
            rows[self.nearest[row] as usize] += 1;
        }
        for empty in 0..clusters {
            if rows[empty] > 0 {
                continue;
            }
            let mut farthest = None;
            let mut most = 0.0;
            for row in (0..self.nearest.len()).filter(counted) {
                // The only row of a cluster would leave another one empty.
                if self.distances[row] > most && rows[self.nearest[row] as usize] > 1 {
                    farthest = Some(row);
                    most = self.distances[row];
                }
            }
            let Some(row) = farthest else {
                return;
            };
            rows[self.nearest[row] as usize] -= 1;
            rows[empty] = 1;
            self.nearest[row] = empty as u32;
            self.distances[row] = 0.0;
        }
    }

    /// Moves every centre to the mean of its rows; one without rows stays.
    ///
    /// One thread sums a column from the first row to the last in float64: no number of threads
    /// changes a bit.
    fn update(&mut self, cells: &Cells<'_>, clusters: usize) {
        let mut weights = vec![0.0; clusters];
        for (&cluster, &weight) in self.nearest.iter().zip(cells.weights) {
            weights[cluster as usize] += weight;
        }
        let columns: Vec<Vec<f64>> = (0..cells.columns)
            .into_par_iter()
            .map(|column| {
                let mut sums = vec![0.0; clusters];
                let blocks = cells.scaled.chunks_exact(cells.columns * ROWS);
                let clusters = self.nearest.chunks_exact(ROWS);
                let blocks = blocks.zip(clusters.zip(cells.weights.chunks_exact(ROWS)));
                for (block, (clusters, weights)) in blocks {
                    let column = &block[column * ROWS..][..ROWS];
                    for ((&cell, &cluster), &weight) in column.iter().zip(clusters).zip(weights) {
                        sums[cluster as usize] += weight * f64::from(cell);
                    }
                }
                sums
            })
            .collect();
        for (cluster, centre) in self.centres.chunks_exact_mut(cells.columns).enumerate() {
            if weights[cluster] > 0.0 {
                for (cell, sums) in centre.iter_mut().zip(&columns) {
                    *cell = (sums[cluster] / weights[cluster]) as f32;
                }
            }
        }
    }

    /// Iterates until no assignment changes, or `most` times: the number of iterations, and whether
    /// they have converged. `None` if `go_on` says no.
    pub(super) fn iterate(
        &mut self,
        cells: &Cells<'_>,
        engine: &Engine,
        most: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<(usize, bool)>> {
        let clusters = self.centres.len() / cells.columns.max(1);
        let mut converged = false;
        let mut iterations = 0;
        self.refill(cells, clusters);
        while !converged && iterations < most {
            self.update(cells, clusters);
            converged = !self.assign(cells, engine)?;
            self.refill(cells, clusters);
            iterations += 1;
            if !go_on() {
                return Ok(None);
            }
        }
        Ok(Some((iterations, converged)))
    }
}

#[cfg(test)]
mod tests {
    use whylight_kernels::ROWS;

    use super::{Cells, State};

    #[test]
    fn an_empty_cluster_gets_the_farthest_row_that_another_can_spare() {
        let padded = |first: &[f64]| {
            let mut weights = first.to_vec();
            weights.resize(ROWS, 0.0);
            weights
        };
        // Row 1 is the only one of its cluster, row 2 has no weight, rows 4 and 5 are equally far.
        let weights = padded(&[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
        let cells = Cells {
            scaled: &[0.0; ROWS],
            columns: 1,
            weights: &weights,
        };
        let mut state = State::new(ROWS);
        state.nearest[..6].copy_from_slice(&[0, 2, 0, 0, 0, 0]);
        state.distances[..6].copy_from_slice(&[0.0, 9.0, 8.0, 1.0, 2.0, 2.0]);
        state.refill(&cells, 4);
        assert_eq!(state.nearest[..6], [0, 2, 0, 0, 1, 3]);
        assert_eq!(state.distances[..6], [0.0, 9.0, 8.0, 1.0, 0.0, 0.0]);
        // Nobody can give up a row that is at its centre.
        let mut state = State::new(ROWS);
        state.distances.fill(0.0);
        state.refill(&cells, 2);
        assert_eq!(state.nearest, vec![0; ROWS]);
    }
}
