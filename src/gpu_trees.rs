//! Trees on a GPU: the model stays there, rows stream through it.
//!
//! A [`GpuTrees`] holds the tables and paths of a forest in the memory of a GPU. What exceeds the
//! largest buffer that a kernel may see is divided into parts, one after the other in a fixed
//! order; neither that nor the size of a batch changes a bit of the result.

mod leaves;
mod others;
mod pairs;
mod part;
mod path_pairs;
mod stream;

use std::sync::Mutex;

use whylight_kernels::tree_tables::Lanes;
use whylight_kernels::words::{COLUMN, Sets};
use whylight_kernels::{
    Forest, ROWS, predict_trees, tree_pairs, tree_quadrature, tree_quadrature_interactions,
    tree_tables,
};

use self::leaves::{Leaves, Target};
use self::others::Others;
use self::pairs::PairWalks;
use self::part::{Paths, Tables, Walks};
use self::path_pairs::PathPairs;
use self::stream::{Job, Workspace};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};

/// Bytes of rows and values on the GPU when no limit is given.
const MEMORY: u64 = 512 << 20;

/// Blocks of a batch at most: more rows do not make a GPU busier.
const MOST_BLOCKS: u64 = 256;

/// Groups of a part that aims at whole batches in the smallest buffers that GPUs offer.
const GROUPS: u32 = 4096;

/// Conditions of a tree's paths at most: 640 MB of them. A deeper tree is left to the CPU.
const MOST_CONDITIONS: u64 = 1 << 25;

/// What a [`GpuTrees`] is made from.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The trees.
    pub forest: &'a Forest,
    /// One or more kinds of thresholds, each with one number per node: which one holds is told
    /// with the rows. Equal thresholds of one kind are equal in all.
    pub thresholds: &'a [&'a [f32]],
    /// The trees that are explained by tables; all give to the lanes of these, features or pairs of them.
    pub tables: &'a tree_tables::Pack,
    /// The numbers of the trees that are explained by quadrature.
    pub quadrature: &'a [u32],
    /// The trees that are compared with background rows in other ways than by tables.
    pub background: Option<Background<'a>>,
    /// Whether [`GpuTrees::margins`] will be asked for.
    pub margins: bool,
    /// Bytes of rows and values on the GPU; the model and its background come on top, and where leaves
    /// have tables up to 192 MiB for those of a group.
    pub memory_limit: Option<u64>,
    /// Bytes of one buffer; `None` for as many as the adapter allows.
    pub buffer_limit: Option<u64>,
}

/// Trees that are compared with background rows.
#[derive(Debug, Clone, Copy)]
pub struct Background<'a> {
    /// The background rows. They stay on the GPU, with the model.
    pub rows: tree_pairs::Background<'a>,
    /// The numbers of the trees that are walked with one background row after the other.
    pub pairs: &'a [u32],
    /// The numbers of those whose leaves have tables, where values are those of features.
    pub leaves: &'a [u32],
}

/// How a model lies on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Parts of the tables, the paths, the nodes, the nodes that are walked in pairs and the
    /// background: more than one each where a buffer is too small.
    pub parts: [usize; 5],
    /// Bytes of the model.
    pub model_bytes: u64,
    /// Rows of a batch at most.
    pub batch_rows: usize,
}

/// A forest on a GPU, ready for rows.
#[derive(Debug)]
pub struct GpuTrees {
    gpu: Gpu,
    columns: u32,
    features: u32,
    /// Values of a row and output: the features, or their pairs.
    values: u32,
    outputs: u32,
    kinds: usize,
    sets: Buffer,
    tables: Vec<Tables>,
    paths: Vec<Paths>,
    path_pairs: Vec<PathPairs>,
    walks: Vec<Walks>,
    against: Option<Against>,
    left: Vec<u32>,
    groups: u32,
    batch_blocks: u64,
    workspace: Mutex<Option<Workspace>>,
}

/// Background rows, and the trees that are compared with them.
#[derive(Debug)]
struct Against {
    others: Others,
    leaves: Leaves,
    pairs: PairWalks,
}

impl GpuTrees {
    /// Lays a forest out and uploads it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if a single row, or the tables of a single tree, exceed what the GPU
    /// can hold; [`Error::Gpu`] if the GPU fails.
    pub fn new(gpu: &Gpu, plan: &Plan<'_>) -> Result<Self> {
        let forest = plan.forest;
        let limits = &gpu.adapter().limits;
        let limit = limits.binding_bytes.min(limits.buffer_bytes);
        let limit = plan.buffer_limit.unwrap_or(limit).min(limit);
        let iterations = limits.iterations;
        let refuse = |what: &str, instead: &str| Error::Unsupported {
            what: what.to_owned(),
            by: format!("GPU {} with buffers of {limit} bytes", gpu.adapter().name),
            instead: instead.to_owned(),
        };
        let sets = Sets::new(forest);
        let lanes = plan.tables.lanes;
        let values = lanes.values(forest.features);
        let width = u64::from(values) * u64::from(forest.outputs);
        let block = 4 * ROWS as u64 * width.max(u64::from(forest.columns)).max(1);
        if block > limit || forest.columns > COLUMN || sets.words.len() as u64 * 4 > limit {
            return Err(refuse(
                &format!(
                    "{} columns, {values} values of a row, {} outputs",
                    forest.columns, forest.outputs
                ),
                "use device cpu",
            ));
        }
        let kinds = plan.thresholds;
        let tables = tree_tables::words::divide(
            forest,
            kinds,
            &sets,
            plan.tables,
            tree_tables::words::Limits {
                bytes: limit,
                groups: GROUPS,
                slots: iterations.min(u64::from(u32::MAX >> 1)) as u32,
            },
        )
        .ok_or_else(|| refuse("a tree with such large tables", "explain it by quadrature"))?;
        let path_limits = tree_quadrature::words::Limits {
            bytes: limit,
            conditions: MOST_CONDITIONS,
            work: iterations / 4,
            features: match lanes {
                Lanes::Features => u32::MAX,
                Lanes::Pairs => tree_quadrature_interactions::MOST_FEATURES,
            },
            centred: false,
        };
        let (paths, mut left) =
            tree_quadrature::words::divide(forest, kinds, &sets, plan.quadrature, path_limits);
        let (paths, path_pairs) = match lanes {
            Lanes::Features => (paths, Vec::new()),
            Lanes::Pairs => (Vec::new(), paths),
        };
        let mut walks = Vec::new();
        if plan.margins {
            let (parts, too_large) =
                predict_trees::words::divide(forest, kinds, &sets, limit, iterations);
            if !too_large.is_empty() {
                return Err(refuse("a tree with so many nodes", "use device cpu"));
            }
            walks = parts;
        }
        let against = plan.background.and_then(|background| {
            let rows = &background.rows;
            let trees = (background.pairs, rows);
            let (pairs, too_deep) =
                PairWalks::new(gpu, forest, kinds, &sets, trees, (lanes, limit));
            left.extend(too_deep);
            let kinds = [kinds, &[rows.thresholds]].concat();
            let (leaves, too_deep) =
                Leaves::new(gpu, forest, &kinds, &sets, background.leaves, path_limits);
            left.extend(too_deep);
            (leaves.parts() + pairs.parts() > 0).then(|| Against {
                others: Others::new(gpu, rows, forest.columns, limit),
                leaves,
                pairs,
            })
        });
        let groups = tables.iter().map(|part| part.groups).max().unwrap_or(0);
        let mut trees = Self {
            columns: forest.columns,
            features: forest.features,
            values,
            outputs: forest.outputs,
            kinds: kinds.len(),
            sets: gpu.upload("sets", &sets.words),
            tables: (tables.into_iter())
                .map(|part| Tables::new(gpu, part))
                .collect(),
            paths: paths.iter().map(|part| Paths::new(gpu, part)).collect(),
            path_pairs: (path_pairs.iter())
                .map(|part| PathPairs::new(gpu, part))
                .collect(),
            walks: (walks.into_iter())
                .map(|part| Walks::new(gpu, part))
                .collect(),
            against,
            left,
            groups,
            batch_blocks: 0,
            workspace: Mutex::new(None),
            gpu: gpu.clone(),
        };
        gpu.check("uploading the model")?;
        trees.batch_blocks = trees.blocks_within(plan.memory_limit.unwrap_or(MEMORY), limit);
        Ok(trees)
    }

    /// Blocks of a batch under a memory limit, at least one.
    fn blocks_within(&self, memory: u64, limit: u64) -> u64 {
        let cells = 4 * ROWS as u64 * u64::from(self.columns);
        let values = 4 * ROWS as u64 * u64::from(self.values) * u64::from(self.outputs);
        let patterns = ROWS as u64 * u64::from(self.groups);
        // Cells are staged on their way in, values on their way out, two batches at a time; the
        // values are pairs.
        let block = 3 * cells + 4 * values + patterns;
        let largest = cells.max(values).max(patterns);
        (memory / block.max(1))
            .min(limit / largest.max(1))
            .clamp(1, MOST_BLOCKS)
    }

    /// The trees of [`Plan::quadrature`] and [`Plan::background`] whose paths are too long for the GPU:
    /// their values are not in the result of [`GpuTrees::values`], and the caller adds them.
    pub fn left(&self) -> &[u32] {
        &self.left
    }

    /// How the model lies on the GPU.
    pub fn layout(&self) -> Layout {
        let tables = self.tables.iter().map(Tables::bytes).sum::<u64>();
        let paths = self.paths.iter().map(Paths::bytes).sum::<u64>()
            + self.path_pairs.iter().map(PathPairs::bytes).sum::<u64>();
        let walks = self.walks.iter().map(Walks::bytes).sum::<u64>();
        let against = self.against.as_ref();
        let bytes = against.map_or(0, |against| {
            against.others.bytes() + against.leaves.bytes() + against.pairs.bytes()
        });
        let [leaves, nodes, others] = against.map_or([0; 3], |against| {
            let others = against.others.parts().len();
            [against.leaves.parts(), against.pairs.parts(), others]
        });
        Layout {
            parts: [
                self.tables.len(),
                self.paths.len() + self.path_pairs.len() + leaves,
                self.walks.len(),
                nodes,
                others,
            ],
            model_bytes: self.sets.bytes() + tables + paths + walks + bytes,
            batch_rows: self.batch_blocks as usize * ROWS,
        }
    }

    /// Writes the values of `rows` rows to `out`, laid out (row, feature, output), or those of the pairs of
    /// features (row, pair, output).
    ///
    /// `kind` is a position in [`Plan::thresholds`]. `fill` writes the prepared cells of a block:
    /// it is given the first row, the number of rows (at most [`ROWS`]) and the cells to write,
    /// laid out (column, [`ROWS`]), NaN where missing. It is called from several threads.
    ///
    /// # Errors
    /// [`Error::Shape`] if `out` does not have that many numbers; what `fill` says;
    /// [`Error::Gpu`] if the GPU fails.
    pub fn values<F>(&self, kind: usize, rows: usize, fill: F, out: &mut [f32]) -> Result<()>
    where
        F: Fn(usize, usize, &mut [f32]) -> Result<()> + Sync,
    {
        let width = self.values as usize * self.outputs as usize;
        self.expect(kind, "values", rows * width, out.len())?;
        let job = Job {
            doing: "explaining rows",
            width: width as u64,
            pairs: false,
            patterns: self.groups,
            entries: self
                .against
                .as_ref()
                .map_or(0, |against| against.leaves.entries()),
        };
        self.stream(
            &job,
            rows,
            &fill,
            &|batch, space, rows| {
                let blocks = rows.div_ceil(ROWS as u32);
                for part in &self.tables {
                    part.launch(self, kind, batch, space, blocks)?;
                }
                for part in &self.paths {
                    part.launch(self, kind, batch, space, blocks)?;
                }
                for part in &self.path_pairs {
                    part.launch(self, kind, batch, space, blocks)?;
                }
                if let Some(against) = &self.against {
                    let others = &against.others;
                    let target = Target {
                        model: self,
                        kind,
                        space,
                        others,
                        blocks,
                    };
                    against.leaves.launch(&target, batch)?;
                    (against.pairs).launch(self, kind, batch, (space, others), rows)?;
                }
                Ok(())
            },
            &mut |start, rows, high, _| {
                let out = &mut out[start * width..][..rows * width];
                stream::transpose(high, width, out);
            },
        )
    }

    /// Writes the raw margins of `rows` rows, without any base, to `out`, laid out (row, output).
    /// `kind` and `fill` as for [`GpuTrees::values`].
    ///
    /// # Errors
    /// As [`GpuTrees::values`]; [`Error::Parameter`] if the plan did not ask for margins.
    pub fn margins<F>(&self, kind: usize, rows: usize, fill: F, out: &mut [f64]) -> Result<()>
    where
        F: Fn(usize, usize, &mut [f32]) -> Result<()> + Sync,
    {
        let width = self.outputs as usize;
        self.expect(kind, "margins", rows * width, out.len())?;
        let job = Job {
            doing: "predicting rows",
            width: width as u64,
            pairs: true,
            patterns: 0,
            entries: 0,
        };
        self.stream(
            &job,
            rows,
            &fill,
            &|batch, space, rows| {
                let blocks = rows.div_ceil(ROWS as u32);
                let mut parts = self.walks.iter();
                parts.try_for_each(|part| part.launch(self, kind, batch, space, blocks))
            },
            &mut |start, rows, high, low| {
                for row in 0..rows {
                    for output in 0..width {
                        let at = (row / ROWS * width + output) * ROWS + row % ROWS;
                        out[(start + row) * width + output] =
                            f64::from(high[at]) + f64::from(low[at]);
                    }
                }
            },
        )
    }

    fn expect(&self, kind: usize, what: &str, expected: usize, got: usize) -> Result<()> {
        if kind >= self.kinds {
            return Err(Error::Parameter {
                name: "kind",
                got: kind.to_string(),
                allowed: format!("there are {} kinds of thresholds", self.kinds),
            });
        }
        if expected != got {
            return Err(Error::Shape {
                what: format!("the buffer for the {what}"),
                expected: format!("{expected} numbers"),
                got: format!("{got}"),
            });
        }
        Ok(())
    }
}
