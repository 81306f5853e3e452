//! One case against a background, on both devices.

use whylight::gpu::Gpu;
use whylight::gpu_trees::{Background, GpuTrees, Plan};
use whylight_kernels::{Block, Forest, ROWS, tree_pairs, tree_tables};

use crate::reference::interventional;
use crate::support::compare::{Output, agree};
use crate::support::forest::{self, Spec};
use crate::support::random::Random;
use crate::twins::TOLERANCE;
use crate::twins::run::{Case, Limits};

/// How the GPU compares rows.
#[derive(Debug, Clone, Copy)]
pub(in crate::twins) enum By {
    Pairs,
    Leaves,
}

/// A forest, rows, and background rows.
#[derive(Debug, Clone)]
pub(in crate::twins) struct Against {
    pub(in crate::twins) case: Case,
    /// Prepared cells of the background, (row, column).
    pub(in crate::twins) cells: Vec<f32>,
    pub(in crate::twins) weights: Vec<f64>,
    pub(in crate::twins) by: By,
}

impl Against {
    /// The cells of the background are in blocks; some rows have no weight.
    pub(in crate::twins) fn new(case: Case, blocks: &[Vec<f32>], count: usize, seed: u64) -> Self {
        let mut random = Random(seed ^ 0x77);
        let row = |i: usize| forest::row(&blocks[i / ROWS], i % ROWS);
        let weight = |i: usize| match random.unit() {
            weight if i == 0 || weight > 0.1 => weight + 0.01,
            _ => 0.0,
        };
        let mut weights: Vec<f64> = (0..count).map(weight).collect();
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Self {
            case,
            cells: (0..count).flat_map(row).collect(),
            weights,
            by: By::Pairs,
        }
    }

    pub(in crate::twins) fn random(spec: Spec, seed: u64, rows: usize, count: usize) -> Self {
        let blocks: Vec<_> = (0..count.div_ceil(ROWS) as u64)
            .map(|b| forest::rows(spec, seed + 7777 + 1000 * b))
            .collect();
        Self::new(Case::random(spec, seed, rows), &blocks, count, seed)
    }

    pub(in crate::twins) fn forest(&self) -> &Forest {
        &self.case.forest
    }

    pub(in crate::twins) fn background<'a>(
        &'a self,
        shares: &'a tree_pairs::Shares,
    ) -> tree_pairs::Background<'a> {
        tree_pairs::Background {
            cells: &self.cells,
            thresholds: &self.case.thresholds,
            weights: &self.weights,
            shares,
        }
    }

    pub(in crate::twins) fn shares(&self) -> tree_pairs::Shares {
        tree_pairs::Shares::new(self.forest().index, self.forest().features as usize)
    }

    pub(in crate::twins) fn width(&self) -> usize {
        self.forest().features as usize * self.forest().outputs as usize
    }

    /// Values (row, feature, output).
    pub(in crate::twins) fn on_cpu(&self) -> Output {
        let (forest, shares) = (self.forest(), self.shares());
        let features = forest.features as usize;
        let mut values = Vec::new();
        for (b, cells) in self.case.blocks.iter().enumerate() {
            let rows = ROWS.min(self.case.rows - b * ROWS);
            let mut sums = vec![[0.0; ROWS]; self.width()];
            for (output, sums) in (0..).zip(sums.chunks_mut(features)) {
                let trees: Vec<u32> = (0..forest.trees() as u32)
                    .filter(|&tree| forest.tree_outputs[tree as usize] == output)
                    .collect();
                tree_pairs::run(
                    forest,
                    &self.case.thresholds,
                    &trees,
                    Block::new(cells, rows),
                    self.background(&shares),
                    &mut tree_pairs::Scratch::default(),
                    sums,
                );
            }
            values.extend(self.case.by_row(&sums, rows));
        }
        self.output("cpu", values)
    }

    /// Values (row, feature, output) by their definition.
    pub(in crate::twins) fn as_defined(&self) -> Output {
        let forest = self.forest();
        let others = self.cells.chunks(forest.columns as usize);
        let others: Vec<_> = (others.zip(&self.weights))
            .map(|(cells, &weight)| (cells.to_vec(), weight))
            .collect();
        let mut values = Vec::new();
        for row in 0..self.case.rows {
            let cells = forest::row(&self.case.blocks[row / ROWS], row % ROWS);
            let by_output = interventional::values(forest, &self.case.thresholds, &cells, &others);
            for feature in 0..forest.features as usize {
                values.extend(by_output.iter().map(|values| values[feature]));
            }
        }
        self.output("definition", values)
    }

    pub(in crate::twins) fn output(&self, device: &str, values: Vec<f64>) -> Output {
        assert_eq!(values.len(), self.case.rows * self.width());
        Output {
            device: device.to_owned(),
            width: self.width(),
            values,
        }
    }

    pub(in crate::twins) fn upload(&self, gpu: &Gpu, limits: Limits) -> GpuTrees {
        let trees: Vec<u32> = (0..self.forest().trees() as u32).collect();
        let shares = self.shares();
        let (pairs, leaves) = match self.by {
            By::Pairs => (&trees[..], &[][..]),
            By::Leaves => (&[][..], &trees[..]),
        };
        let plan = Plan {
            forest: self.forest(),
            thresholds: &[&self.case.thresholds],
            tables: &tree_tables::Pack::default(),
            quadrature: &[],
            background: Some(Background {
                rows: self.background(&shares),
                pairs,
                leaves,
            }),
            margins: false,
            memory_limit: limits.memory,
            buffer_limit: limits.buffer,
        };
        GpuTrees::new(gpu, &plan).unwrap()
    }

    pub(in crate::twins) fn run(&self, trees: &GpuTrees) -> Output {
        assert!(trees.left().is_empty());
        let mut values = vec![f32::NAN; self.case.rows * self.width()];
        let fill = |start, rows, cells: &mut [f32]| {
            self.case.fill(start, rows, cells);
            Ok(())
        };
        trees.values(0, self.case.rows, fill, &mut values).unwrap();
        self.output("gpu", values.into_iter().map(f64::from).collect())
    }

    pub(in crate::twins) fn on_gpu(&self, gpu: &Gpu) -> Output {
        self.run(&self.upload(gpu, Limits::default()))
    }

    /// The largest difference of the devices.
    pub(in crate::twins) fn check(&self, gpu: &Gpu, name: &str) -> f64 {
        let worst = agree(&self.on_cpu(), &self.on_gpu(gpu), TOLERANCE);
        worst.unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}
