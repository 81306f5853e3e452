//! Rows of trees on a GPU that take the cells of some columns from other rows: the trees and the ranks of all rows stay
//! there, orders go in, sums of leaves come back.

use whylight_kernels::shuffled_trees::{Params, Trees};

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};
use crate::kernel;

/// Loop iterations of all invocations of one submission: a fraction of a second on a small GPU, whose driver kills what
/// takes longer than a few seconds.
const WORK: u64 = 1 << 31;

/// Bytes of the sums of the shuffles that go at a time, when no memory limit is given.
const MEMORY: u64 = 256 << 20;

/// Trees, and the ranks of some rows' cells, on a GPU.
#[derive(Debug)]
pub struct GpuShuffles {
    gpu: Gpu,
    rows: usize,
    outputs: usize,
    /// Shuffles at a time.
    at_once: usize,
    /// By tree, the loop iterations of a row.
    levels: Vec<u64>,
    roots: Buffer,
    steps: Buffer,
    sets: Buffer,
    values: Buffer,
    ranks: Buffer,
}

impl GpuShuffles {
    /// Uploads trees, and by column the ranks of rows' cells. What sums and orders take is at most `memory_limit` bytes,
    /// or what one shuffle takes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if a buffer of the GPU cannot hold them, or a tree is too deep for its loops;
    /// [`Error::Gpu`] if the GPU fails.
    pub fn new(
        gpu: &Gpu,
        trees: &Trees,
        ranks: &[Vec<i32>],
        rows: usize,
        memory_limit: Option<u64>,
    ) -> Result<Self> {
        let limits = &gpu.adapter().limits;
        let limit = limits.binding_bytes.min(limits.buffer_bytes);
        let levels = trees.levels();
        let one = 8 * (rows * trees.outputs.max(1)) as u64;
        let held = [
            size_of_val(&*trees.steps) as u64,
            8 * trees.values.len() as u64,
            4 * trees.sets.len() as u64,
            4 * (ranks.len() * rows) as u64,
            one,
        ];
        let deepest = levels.iter().max().copied().unwrap_or_default();
        if held.iter().any(|bytes| *bytes > limit) || deepest > limits.iterations {
            return Err(Error::Unsupported {
                what: format!(
                    "{} trees of {} nodes, and {rows} rows of {} columns",
                    trees.roots.len(),
                    trees.steps.len(),
                    ranks.len()
                ),
                by: format!("GPU {} with buffers of {limit} bytes", gpu.adapter().name),
                instead: "use device cpu".to_owned(),
            });
        }
        // Sums are there twice: where they are made, and where the host reads them.
        let of_one = 2 * one + 4 * rows as u64;
        let memory = memory_limit.unwrap_or(MEMORY) / of_one;
        let at_once = memory.min(limit / one).min(u64::from(u32::MAX) / one);
        let made = Self {
            rows,
            outputs: trees.outputs,
            at_once: at_once.max(1) as usize,
            levels,
            roots: gpu.upload("roots", &trees.roots),
            steps: gpu.upload("steps", &trees.steps),
            sets: gpu.upload("sets", &trees.sets),
            values: gpu.upload("values", &trees.values),
            ranks: gpu.upload("ranks", &ranks.concat()),
            gpu: gpu.clone(),
        };
        gpu.check("uploading trees and rows")?;
        Ok(made)
    }

    /// The sums of leaves for every shuffle, (shuffle, output, row): all repeats of a player, then those of the next.
    /// `players` has by column the player that shuffles it, or
    /// [`NONE`](whylight_kernels::shuffled_trees::NONE); `orders` by shuffle the row from which each row takes its cells.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the GPU fails.
    pub fn sums(&self, players: &[u32], repeats: usize, orders: &[&[u32]]) -> Result<Vec<i64>> {
        let players = self.gpu.upload("players", players);
        let mut sums = Vec::with_capacity(orders.len() * self.outputs * self.rows);
        for (part, orders) in orders.chunks(self.at_once).enumerate() {
            self.part(part * self.at_once, (&players, repeats), orders, &mut sums)?;
        }
        Ok(sums)
    }

    fn part(
        &self,
        shuffle: usize,
        (players, repeats): (&Buffer, usize),
        orders: &[&[u32]],
        to: &mut Vec<i64>,
    ) -> Result<()> {
        let gpu = &self.gpu;
        let invocations = (orders.len() * self.rows) as u64;
        let bytes = 8 * invocations * self.outputs as u64;
        let (sums, readable) = (gpu.storage("sums", bytes), gpu.readable("readable", bytes));
        let shuffles = orders.len() as u32;
        let orders = gpu.upload("orders", &orders.concat());
        let mut batch = gpu.batch();
        batch.clear(&sums, bytes);
        let most = (WORK / invocations.max(1)).clamp(1, gpu.adapter().limits.iterations);
        let mut first = 0;
        while first < self.levels.len() {
            let (mut end, mut levels) = (first + 1, self.levels[first]);
            while end < self.levels.len() && levels + self.levels[end] <= most {
                levels += self.levels[end];
                end += 1;
            }
            kernel::shuffled_trees.launch(
                gpu,
                &mut batch,
                Params {
                    rows: self.rows as u32,
                    shuffles,
                    repeats: repeats as u32,
                    shuffle: shuffle as u32,
                    outputs: self.outputs as u32,
                    first: first as u32,
                    end: end as u32,
                },
                &[
                    &self.roots,
                    &self.steps,
                    &self.sets,
                    &self.values,
                    &self.ranks,
                    players,
                    &orders,
                    &sums,
                ],
                invocations,
            )?;
            gpu.pace(&mut batch, levels * invocations, WORK);
            first = end;
        }
        batch.copy(&sums, &readable, 0, bytes);
        let ticket = gpu.submit(batch, &readable, bytes);
        let doing = "kernel shuffled_trees";
        gpu.check(doing)?;
        gpu.read(doing, ticket, &readable, bytes, |words| {
            let words = words.chunks_exact(2);
            to.extend(words.map(|word| {
                let [low, high] = [word[0], word[1]].map(|word| u64::from(word.to_bits()));
                (high << 32 | low) as i64
            }));
        })
    }
}
