//! A forest as boosting makes them, and rows for it, the same in every run.

use whylight_kernels::legendre::Index;
use whylight_kernels::tree_tables::{Game, Lanes};
use whylight_kernels::{
    Block, Forest, Level, Node, ROWS, Test, forest::LEAF, tree_quadrature, tree_tables,
};

/// Distinct thresholds of a feature, as histogram-based training leaves them.
const BINS: u64 = 255;
/// Chance that a node above the depth is split, below the third level.
const SPLIT: f64 = 0.9;
/// Chance that a cell is missing.
const MISSING: f64 = 0.05;

/// A forest and rows for it.
pub(crate) struct Case {
    pub(crate) forest: Forest,
    pub(crate) thresholds: Vec<f32>,
    pub(crate) rows: usize,
    trees: usize,
    depth: usize,
    /// Prepared cells, (block, column, [`ROWS`]).
    cells: Vec<f32>,
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Case {
    pub(crate) fn new(rows: usize, features: usize, trees: usize, depth: usize) -> Self {
        let mut random = Random(0x5EED);
        let mut case = Self {
            forest: Forest {
                columns: features as u32,
                features: features as u32,
                outputs: 1,
                ..Forest::default()
            },
            thresholds: Vec::new(),
            rows,
            trees,
            depth,
            cells: Vec::new(),
        };
        for _ in 0..trees {
            case.grow(&mut random);
        }
        let cell = |_| match random.unit() {
            missing if missing < MISSING => f32::NAN,
            _ => random.unit() as f32,
        };
        case.cells = (0..rows.div_ceil(ROWS) * features * ROWS)
            .map(cell)
            .collect();
        case
    }

    fn grow(&mut self, random: &mut Random) {
        let root = self.leaf(1.0, random);
        self.forest.roots.push(root);
        self.forest.tree_outputs.push(0);
        let mut open = vec![(root, 0)];
        while let Some((node, level)) = open.pop() {
            if level == self.depth || level >= 3 && random.unit() >= SPLIT {
                continue;
            }
            let fraction = 0.1 + 0.8 * random.unit();
            let left = self.leaf(fraction, random);
            let right = self.leaf(1.0 - fraction, random);
            let feature = (random.next() % u64::from(self.forest.features)) as u32;
            let bin = random.next() % BINS;
            self.thresholds[node as usize] = (bin as f32 + 0.5) / BINS as f32;
            let split = &mut self.forest.nodes[node as usize];
            *split = Node {
                feature,
                column: feature,
                test: Test::Below {
                    missing_left: random.next().is_multiple_of(2),
                },
                left,
                right,
                value: 0.0,
                ..*split
            };
            open.extend([(left, level + 1), (right, level + 1)]);
        }
    }

    fn leaf(&mut self, fraction: f64, random: &mut Random) -> u32 {
        self.forest.nodes.push(Node {
            feature: LEAF,
            column: 0,
            test: Test::Below {
                missing_left: false,
            },
            left: 0,
            right: 0,
            fraction,
            value: random.unit() - 0.5,
        });
        self.thresholds.push(0.0);
        self.forest.nodes.len() as u32 - 1
    }

    /// What an id says of the rows and the model.
    pub(crate) fn name(&self) -> String {
        format!("{}x{}", self.rows, self.model())
    }

    /// What an id says of the model.
    pub(crate) fn model(&self) -> String {
        format!("{}x{}x{}", self.forest.features, self.trees, self.depth)
    }

    /// The cells of all blocks, one after the other.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &[f32]> {
        self.cells.chunks(self.forest.columns as usize * ROWS)
    }

    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let blocks = self.cells().enumerate();
        blocks
            .map(|(block, cells)| Block::new(cells, ROWS.min(self.rows - block * ROWS)))
            .collect()
    }

    /// The tables of all trees.
    pub(crate) fn tables(&self) -> tree_tables::Pack {
        let trees = self.covers(tree_tables::Limits::default());
        self.pack(&trees, Lanes::Features, Game::PathDependent)
    }

    /// The tables of the interactions of all trees, no larger than their leaves' own tests.
    pub(crate) fn pair_tables(&self) -> tree_tables::Pack {
        let limits = tree_tables::Limits {
            bits: self.depth,
            ..tree_tables::Limits::default()
        };
        self.pack(&self.covers(limits), Lanes::Pairs, Game::PathDependent)
    }

    /// The tables of all trees against the rows as background: counted, then computed.
    pub(crate) fn background_tables(&self) -> tree_tables::Pack {
        let trees = self.covers(tree_tables::Limits::default());
        let (forest, thresholds) = (&self.forest, &self.thresholds);
        let lanes = Lanes::Features;
        let mut pack = tree_tables::Pack::without_tables(forest, thresholds, &trees, lanes);
        let all = 0..trees.len();
        let mut histograms = vec![0.0; pack.entries_of(all.clone()).end];
        let mut scratch = tree_tables::Scratch::default();
        let weights = vec![1.0 / self.rows as f64; ROWS];
        for block in self.blocks() {
            tree_tables::histogram(
                Level::detect(),
                forest,
                thresholds,
                &pack,
                all.clone(),
                (block, &weights[..block.rows()]),
                &mut scratch,
                &mut histograms,
            );
        }
        pack.fill(
            forest,
            thresholds,
            &trees,
            Game::Interventional(&histograms),
        );
        pack
    }

    fn covers(&self, limits: tree_tables::Limits) -> Vec<(u32, tree_tables::Cover)> {
        let (forest, thresholds) = (&self.forest, &self.thresholds);
        let cover = |tree: usize| {
            let cover = tree_tables::cover(forest, thresholds, tree, limits);
            cover.expect("invariant: trees of the cases for tables have tables")
        };
        (0..self.trees)
            .map(|tree| (tree as u32, cover(tree)))
            .collect()
    }

    fn pack(
        &self,
        trees: &[(u32, tree_tables::Cover)],
        lanes: Lanes,
        game: Game<'_>,
    ) -> tree_tables::Pack {
        tree_tables::Pack::new(&self.forest, &self.thresholds, trees, lanes, game)
    }

    /// The cells (row, column).
    pub(crate) fn by_row(&self) -> Vec<f32> {
        let blocks = self.blocks().into_iter();
        let columns = 0..self.forest.columns;
        let row = |(block, row): (Block<'_>, usize)| {
            let cells = columns.clone().map(|column| block.column(column)[row]);
            cells.collect::<Vec<f32>>()
        };
        blocks
            .flat_map(|block| (0..block.rows()).map(move |row| (block, row)))
            .flat_map(row)
            .collect()
    }

    /// The factors of all trees.
    pub(crate) fn factors(&self) -> tree_quadrature::Pack {
        let mut pack = tree_quadrature::Pack::default();
        for (tree, shape) in self.forest.shapes().iter().enumerate() {
            let points = tree_quadrature::points(Index::Shapley, shape.path_features as usize);
            pack.push(&self.forest, tree, points);
        }
        pack
    }

    /// Tree numbers with the features of their longest path.
    pub(crate) fn paths(&self) -> Vec<(u32, u32)> {
        let shapes = self.forest.shapes();
        (0..)
            .zip(shapes.iter().map(|shape| shape.path_features))
            .collect()
    }
}
