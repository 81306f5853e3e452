//! One case on both devices.

use whylight::Result;
use whylight::gpu::Gpu;
use whylight::gpu_trees::{GpuTrees, Layout, Plan};
use whylight_kernels::{Block, Forest, Level, ROWS, predict_trees, tree_quadrature, tree_tables};

use crate::reference::path_dependent;
use crate::support::compare::Output;
use crate::support::forest::{self, Spec};

/// A forest and rows for it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) forest: Forest,
    pub(super) thresholds: Vec<f32>,
    pub(super) rows: usize,
    /// Prepared cells, (column, [`ROWS`]) each.
    pub(super) blocks: Vec<Vec<f32>>,
}

/// Which kernels take the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// Tables for all trees that have them.
    Tables,
    /// Quadrature for all.
    Quadrature,
}

/// Limits in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) memory: Option<u64>,
    pub(super) buffer: Option<u64>,
}

struct Packs {
    tables: tree_tables::Pack,
    walks: tree_quadrature::Pack,
    quadrature: Vec<u32>,
}

impl Case {
    pub(super) fn random(spec: Spec, seed: u64, rows: usize) -> Self {
        let (forest, thresholds) = forest::forest(spec, seed);
        let blocks = (0..rows.div_ceil(ROWS) as u64).map(|b| forest::rows(spec, seed + 1000 * b));
        Self {
            forest,
            thresholds,
            rows,
            blocks: blocks.collect(),
        }
    }

    fn width(&self) -> usize {
        self.forest.features as usize * self.forest.outputs as usize
    }

    fn packs(&self, split: Split) -> Packs {
        let forest = &self.forest;
        let mut packs = Packs {
            tables: tree_tables::Pack::default(),
            walks: tree_quadrature::Pack::default(),
            quadrature: Vec::new(),
        };
        let mut tables = Vec::new();
        let shapes = forest.shapes();
        let mut order: Vec<usize> = (0..forest.trees()).collect();
        order.sort_by_key(|&tree| forest.tree_outputs[tree]);
        for tree in order {
            let cover = match split {
                Split::Tables => tree_tables::cover(
                    forest,
                    &self.thresholds,
                    tree,
                    tree_tables::Limits::default(),
                ),
                Split::Quadrature => None,
            };
            if let Some(cover) = cover {
                tables.push((tree as u32, cover));
            } else {
                let points =
                    tree_quadrature::points(forest.index, shapes[tree].path_features as usize);
                packs.walks.push(forest, tree, points);
                packs.quadrature.push(tree as u32);
            }
        }
        packs.tables = tree_tables::Pack::new(
            forest,
            &self.thresholds,
            &tables,
            tree_tables::Lanes::Features,
            tree_tables::Game::PathDependent,
        );
        packs
    }

    /// Values (row, feature, output).
    pub(super) fn on_cpu(&self, split: Split) -> Output {
        let packs = self.packs(split);
        let features = self.forest.features as usize;
        let mut values = Vec::new();
        for (b, cells) in self.blocks.iter().enumerate() {
            let rows = ROWS.min(self.rows - b * ROWS);
            let block = Block::new(cells, rows);
            let mut sums = vec![[0.0; ROWS]; self.width()];
            for (output, sums) in (0..).zip(sums.chunks_mut(features)) {
                tree_tables::run(
                    Level::detect(),
                    &self.forest,
                    &self.thresholds,
                    &packs.tables,
                    packs.tables.trees_of(output),
                    block,
                    &mut tree_tables::Scratch::default(),
                    sums,
                );
                tree_quadrature::run(
                    Level::detect(),
                    &self.forest,
                    &self.thresholds,
                    &packs.walks,
                    packs.walks.trees_of(output),
                    block,
                    &mut tree_quadrature::Scratch::default(),
                    sums,
                );
            }
            values.extend(self.by_row(&sums, rows));
        }
        self.output("cpu", self.width(), values)
    }

    /// The sums of a block, (output, feature), by row: (row, feature, output).
    pub(super) fn by_row(&self, sums: &[[f64; ROWS]], rows: usize) -> Vec<f64> {
        let (features, outputs) = (self.forest.features as usize, self.forest.outputs as usize);
        let cell =
            |row: usize, feature: usize, output: usize| sums[output * features + feature][row];
        let mut values = Vec::new();
        for row in 0..rows {
            for feature in 0..features {
                values.extend((0..outputs).map(|output| cell(row, feature, output)));
            }
        }
        values
    }

    /// Values (row, feature, output) by their definition.
    pub(super) fn as_defined(&self) -> Output {
        let mut values = Vec::new();
        for row in 0..self.rows {
            let cells = forest::row(&self.blocks[row / ROWS], row % ROWS);
            let by_output = path_dependent::values_by_paths(&self.forest, &self.thresholds, &cells);
            for feature in 0..self.forest.features as usize {
                values.extend(by_output.iter().map(|values| values[feature]));
            }
        }
        self.output("definition", self.width(), values)
    }

    pub(super) fn margins_on_cpu(&self) -> Output {
        let outputs = self.forest.outputs as usize;
        let mut values = Vec::new();
        for (b, cells) in self.blocks.iter().enumerate() {
            let rows = ROWS.min(self.rows - b * ROWS);
            let mut margins = vec![[0.0; ROWS]; outputs];
            let block = Block::new(cells, rows);
            predict_trees::run(&self.forest, &self.thresholds, block, &mut margins);
            for row in 0..rows {
                values.extend(margins.iter().map(|margins| margins[row]));
            }
        }
        self.output("cpu", outputs, values)
    }

    fn output(&self, device: &str, width: usize, values: Vec<f64>) -> Output {
        assert_eq!(values.len(), self.rows * width);
        Output {
            device: device.to_owned(),
            width,
            values,
        }
    }

    pub(super) fn upload(&self, gpu: &Gpu, split: Split, limits: Limits) -> Result<GpuTrees> {
        let packs = self.packs(split);
        let plan = Plan {
            forest: &self.forest,
            thresholds: &[&self.thresholds],
            tables: &packs.tables,
            quadrature: &packs.quadrature,
            background: None,
            margins: true,
            memory_limit: limits.memory,
            buffer_limit: limits.buffer,
        };
        let trees = GpuTrees::new(gpu, &plan)?;
        assert!(trees.left().is_empty());
        Ok(trees)
    }

    pub(super) fn layout_on_gpu(&self, gpu: &Gpu, split: Split, limits: Limits) -> Layout {
        self.upload(gpu, split, limits).unwrap().layout()
    }

    pub(super) fn on_gpu(&self, gpu: &Gpu, split: Split, limits: Limits) -> Output {
        let trees = self.upload(gpu, split, limits).unwrap();
        let mut values = vec![f32::NAN; self.rows * self.width()];
        let fill = |start, rows, cells: &mut [f32]| {
            self.fill(start, rows, cells);
            Ok(())
        };
        trees.values(0, self.rows, fill, &mut values).unwrap();
        let values = values.into_iter().map(f64::from).collect();
        self.output("gpu", self.width(), values)
    }

    pub(super) fn margins_on_gpu(&self, gpu: &Gpu, limits: Limits) -> Output {
        let trees = self.upload(gpu, Split::Quadrature, limits).unwrap();
        let outputs = self.forest.outputs as usize;
        let mut margins = vec![f64::NAN; self.rows * outputs];
        let fill = |start, rows, cells: &mut [f32]| {
            self.fill(start, rows, cells);
            Ok(())
        };
        trees.margins(0, self.rows, fill, &mut margins).unwrap();
        self.output("gpu", outputs, margins)
    }

    pub(super) fn fill(&self, start: usize, rows: usize, cells: &mut [f32]) {
        assert!(start.is_multiple_of(ROWS) && rows <= self.rows - start);
        cells.copy_from_slice(&self.blocks[start / ROWS]);
    }
}
