//! What a GPU makes of shuffled rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::Array2;
use rayon::prelude::*;
use whylight_kernels::shuffled_trees::Trees;

use super::PermutationOptions;
use super::engine::{Engine, Place, Shuffled};
use super::rows::Rows;
use super::units::one_layer;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explain::answers::Answers;
use crate::explain::kernel_shap::native::gpu::upload;
use crate::explain::kernel_shap::native::lower::Lowered;
use crate::gpu_games::{GpuGames, Shuffle, ShuffledRows};
use crate::gpu_shuffles::GpuShuffles;
use crate::model::Model;

/// Trees, and the ranks of rows.
#[derive(Debug)]
pub(super) struct Shuffles(GpuShuffles);

impl Shuffles {
    /// Uploads trees and the ranks of rows, where the device is a GPU.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the GPU cannot hold them; [`Error::Gpu`] if the GPU fails.
    pub(super) fn new(
        trees: &Trees,
        ranks: &[Vec<i32>],
        rows: usize,
        options: &PermutationOptions,
    ) -> Result<Option<Self>> {
        let Device::Gpu { gpu, .. } = &options.device else {
            return Ok(None);
        };
        let made = GpuShuffles::new(gpu, trees, ranks, rows, options.memory_limit)?;
        Ok(Some(Self(made)))
    }

    /// The sums of leaves, (shuffle, output, row).
    pub(super) fn sums(
        &self,
        players: &[u32],
        repeats: usize,
        orders: &[&[u32]],
    ) -> Result<Vec<i64>> {
        self.0.sums(players, repeats, orders)
    }
}

/// Models that begin with sums or products over columns, and neighbours.
#[derive(Debug)]
pub(super) struct Games {
    answers: Answers,
    on_gpu: GpuGames,
    rows: ShuffledRows,
    /// By feature, whether what its player gives depends on the row.
    reads: Vec<bool>,
    place: Place,
}

impl Games {
    /// Uploads a model and what rows give to its units, where the device is a GPU and the model is of this kind.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the GPU cannot hold them; [`Error::Gpu`] if the GPU fails.
    pub(super) fn new(
        model: &Arc<Model>,
        rows: &Rows,
        answers: &Answers,
        options: &PermutationOptions,
    ) -> Result<Option<Self>> {
        let Device::Gpu { gpu, .. } = &options.device else {
            return Ok(None);
        };
        let linear = one_layer(model);
        let Ok(lowered) = Lowered::new(linear.as_ref().unwrap_or(model), options.output) else {
            return Ok(None);
        };
        let (players, limit) = (rows.players.len(), options.memory_limit);
        let Some(games) = upload(&options.device, &lowered, limit)? else {
            return Ok(None);
        };
        let refuse = |what: String| Error::Unsupported {
            what,
            by: format!("GPU {}", gpu.adapter().name),
            instead: "use device cpu".to_owned(),
        };
        if !games.holds_rows(rows.height, players, options.n_repeats, limit) {
            return Err(refuse(format!(
                "what {} rows of {players} players give to {} units",
                rows.height,
                lowered.units()
            )));
        }
        let mut start = lowered.start.clone();
        lowered.finish(&mut start);
        let first: Vec<Vec<f64>> = (0..players)
            .map(|player| terms(&lowered, rows, player, 0))
            .collect();
        let moves: Vec<AtomicBool> = (0..players).map(|_| AtomicBool::new(false)).collect();
        let of_row = |row: usize| -> Vec<f64> {
            let mut of_row = Vec::with_capacity(players * start.len());
            for player in 0..players {
                let terms = terms(&lowered, rows, player, row);
                if terms != first[player] {
                    moves[player].store(true, Ordering::Relaxed);
                }
                of_row.extend(terms);
            }
            of_row
        };
        let held = games.shuffled_rows(rows.height, players, &start, of_row);
        let held = held.ok_or_else(|| refuse("numbers beyond the range of float32".to_owned()))?;
        let reads = |&player: &u32| moves[player as usize].load(Ordering::Relaxed);
        Ok(Some(Self {
            answers: answers.clone(),
            on_gpu: games,
            rows: held,
            reads: rows.players.of.iter().map(reads).collect(),
            place: (options.device.clone(), options.device.reason()),
        }))
    }
}

/// What a player gives to each unit, in a row.
fn terms(lowered: &Lowered, rows: &Rows, player: usize, row: usize) -> Vec<f64> {
    let mut terms = vec![0.0; lowered.units()];
    for &feature in &rows.members[player] {
        lowered.add(feature, rows.column(feature)[row], &mut terms);
    }
    lowered.finish(&mut terms);
    terms
}

impl Engine for Games {
    fn name(&self) -> &'static str {
        "units"
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn base(&self, rows: &Rows) -> Result<Array2<f64>> {
        let all = Array2::from_shape_fn((rows.height, rows.features()), |(row, feature)| {
            rows.column(feature)[row]
        });
        self.answers.to(all)
    }

    fn answers(&self, rows: &Rows, shuffled: &Shuffled) -> Result<Vec<Array2<f64>>> {
        let shuffles: Vec<Shuffle<'_>> = (shuffled.iter())
            .flat_map(|(player, orders)| orders.iter().map(|order| (*player, order.as_slice())))
            .collect();
        let answers = self.on_gpu.shuffled_answers(&self.rows, &shuffles)?;
        let (outputs, count) = (self.on_gpu.outputs(), shuffles.len());
        let of_shuffle = |shuffle: usize| {
            Array2::from_shape_fn((rows.height, outputs), |(row, output)| {
                answers[(row * outputs + output) * count + shuffle]
            })
        };
        Ok((0..count).into_par_iter().map(of_shuffle).collect())
    }

    fn reads(&self, feature: usize) -> bool {
        self.reads[feature]
    }
}
