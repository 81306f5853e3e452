//! Coalitions that a GPU evaluates.

use std::collections::BTreeMap;

use rayon::prelude::*;
use whylight_kernels::ROWS;
use whylight_kernels::coalition_trees::NONE;

use super::varying::{Solved, Varying};
use super::{Responses, Row};
use crate::data::Batch;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explain::Estimator;
use crate::explain::coalitions::Exact;
use crate::explain::method::Found;
use crate::explain::tree_shap::background::BackgroundRows;
use crate::explain::tree_shap::columns::{self, Scale};
use crate::explain::tree_shap::compile::{Compiled, Kind, rank};
use crate::gpu::Gpu;
use crate::gpu_coalitions::{GpuCoalitions, Plan};
use crate::model::Precision;

/// Bytes of what coalitions are worth that the host holds at a time.
const WORTH_BYTES: usize = 64 << 20;

/// The forest and the background on a GPU, or why they are not there.
#[derive(Debug)]
pub(super) enum OnGpu {
    Gpu(Box<GpuCoalitions>),
    Cpu(String),
}

/// The rows of a batch that have as many players.
#[derive(Debug, Default)]
struct Alike {
    /// By row of the batch.
    rows: Vec<usize>,
    /// (row, column).
    cells: Vec<f32>,
    places: Vec<u32>,
    varying: Vec<Varying>,
}

impl OnGpu {
    pub(super) fn new(gpu: &Gpu, compiled: &Compiled, responses: &Responses) -> Result<Self> {
        let (weights, others) = match &compiled.background {
            Some(rows) => (rows.weights(), rows.by_row(compiled)),
            None => (&[][..], &[][..]),
        };
        if !compiled.forest.linear.is_empty() {
            let reason = "leaves that are linear in features have no GPU kernel; the CPU evaluated \
                          the coalitions";
            return Ok(Self::Cpu(reason.to_owned()));
        }
        let background = background(compiled, others);
        let made = GpuCoalitions::new(
            gpu,
            &Plan {
                forest: &compiled.forest,
                thresholds: compiled.thresholds(scale(compiled)),
                background: &background,
                weights,
                base: &responses.base,
                response: responses.answer.response(),
            },
        );
        match made {
            Err(Error::Unsupported { what, by, .. }) => Ok(Self::Cpu(format!(
                "{by} cannot hold {what}; the CPU evaluated the coalitions"
            ))),
            made => Ok(Self::Gpu(Box::new(made?))),
        }
    }
}

/// What the cells on the GPU are, the background's and the rows'.
fn scale(compiled: &Compiled) -> Scale {
    match compiled.precision {
        Precision::F32 => Scale::Numbers,
        Precision::F64 => Scale::Ranks,
    }
}

/// The cells of the background in the scale of the GPU.
fn background(compiled: &Compiled, cells: &[f32]) -> Vec<f32> {
    let mut cells = cells.to_vec();
    let is_numbers = (compiled.background.as_ref()).is_some_and(BackgroundRows::is_numbers);
    if scale(compiled) == Scale::Ranks && is_numbers {
        let steps = &compiled.ranks().steps;
        for row in cells.chunks_mut(compiled.columns.len().max(1)) {
            for ((cell, column), steps) in row.iter_mut().zip(&compiled.columns).zip(steps) {
                if column.kind == Kind::Number && !cell.is_nan() {
                    *cell = rank(steps, f64::from(*cell)) as f32;
                }
            }
        }
    }
    cells
}

impl Responses {
    /// Has a GPU evaluate the coalitions, where the device is one.
    pub(super) fn upload(&mut self, compiled: &Compiled, device: &Device) -> Result<()> {
        if let Device::Gpu { gpu, .. } = device {
            self.on_gpu = Some(match self.estimator {
                Estimator::Rescaled => OnGpu::Cpu("the CPU compared the pairs of rows".to_owned()),
                _ => OnGpu::new(gpu, compiled, self)?,
            });
        }
        Ok(())
    }

    /// As [`Responses::values`], with the coalitions of all rows that have as many players in one go.
    pub(super) fn values_on_gpu(
        &self,
        gpu: &GpuCoalitions,
        compiled: &Compiled,
        batch: &Batch<'_>,
        before: usize,
        out: &mut [f32],
        errors: &mut [f32],
    ) -> Result<Found> {
        let outputs = self.outputs();
        let width = (compiled.players.len() * outputs).max(1);
        let mut found = Found::default();
        for ((players, is_exact), alike) in self.alike(compiled, batch, before)? {
            if players == 0 {
                found.exact_rows += alike.rows.len() as u64;
                continue;
            }
            let (masks, words) = if is_exact {
                ((0..1_u32 << players).collect(), 1)
            } else {
                self.design(players)?.masks()
            };
            let worths = masks.len() / words * outputs;
            // What the coalitions of a row are worth comes back to the host, for some rows at a time.
            let at_once = (WORTH_BYTES / (8 * worths)).max(1);
            let columns = compiled.columns.len();
            let mut worth = Vec::new();
            for (at, (&row, varying)) in alike.rows.iter().zip(&alike.varying).enumerate() {
                if at % at_once == 0 {
                    let cells = at * columns..alike.rows.len().min(at + at_once) * columns;
                    let places = &alike.places[cells.clone()];
                    worth = gpu.worth(&alike.cells[cells], places, &masks, words)?;
                }
                let worth = &worth[at % at_once * worths..][..worths];
                let solved = if is_exact {
                    let mut exact = Exact::new(players, outputs, compiled.forest.index);
                    exact.add(0, players, &mut worth.to_vec());
                    Solved::exact(exact.values())
                } else {
                    self.estimated(players, worth)?
                };
                let out = &mut out[row * width..][..width];
                let errors = &mut errors[row * width..][..width];
                found = found.with(varying.write(before + row, &solved, out, errors)?);
            }
        }
        Ok(found)
    }

    /// The rows of a batch by the number of their players, and whether all of their coalitions are
    /// taken.
    fn alike(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        before: usize,
    ) -> Result<BTreeMap<(usize, bool), Alike>> {
        let scale = scale(compiled);
        let columns = compiled.columns.len();
        let player_of: Vec<u32> = (compiled.columns.iter())
            .map(|column| compiled.players.of[column.feature as usize])
            .collect();
        let block = |block: usize| -> Result<Vec<(Vec<f32>, Varying)>> {
            let start = block * ROWS;
            let rows = (batch.rows() - start).min(ROWS);
            let mut cells = vec![0.0; columns * ROWS];
            let mut scratch = columns::Scratch::default();
            compiled.fill(batch, scale, start, rows, &mut scratch, &mut cells)?;
            let row = |row: usize| {
                let own: Vec<f32> = (0..columns)
                    .map(|column| cells[column * ROWS + row])
                    .collect();
                let varying = self.varying(
                    compiled,
                    Row {
                        cells: &own,
                        thresholds: compiled.thresholds(scale),
                        number: before + start + row,
                    },
                );
                (own, varying)
            };
            Ok((0..rows).map(row).collect())
        };
        let blocks = (0..batch.rows().div_ceil(ROWS)).into_par_iter().map(block);
        let mut alike: BTreeMap<(usize, bool), Alike> = BTreeMap::new();
        let blocks = blocks.collect::<Result<Vec<_>>>()?;
        for (row, (cells, varying)) in blocks.into_iter().flatten().enumerate() {
            let count = varying.players.len();
            let is_exact = Self::is_exact_for(count, self.estimator, before + row)?;
            let group = alike.entry((count, is_exact)).or_default();
            group.rows.push(row);
            group.cells.extend(cells);
            let place = |&player: &u32| varying.places.get(player as usize).copied();
            let places = player_of.iter().map(|player| place(player).unwrap_or(NONE));
            group.places.extend(places);
            group.varying.push(varying);
        }
        Ok(alike)
    }
}
