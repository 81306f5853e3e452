//! The walk of a row and a background row through a tree together.

use super::{Background, Shares};
use crate::block::Block;
use crate::forest::{Forest, Players};

/// What leaves give to the features on their path, summed over the leaves below a parting.
pub(crate) trait Given: Copy {
    /// What one leaf gives with so many features following the row alone, and the background row
    /// alone.
    fn of(value: f64, row: usize, background: usize, shares: &Shares) -> Self;

    /// The sum.
    fn and(self, other: Self) -> Self;
}

/// Whom a feature follows on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// Row and background row have taken the same sides so far.
    Both,
    Row,
    Background,
}

/// A node at which the two part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parting<G> {
    pub(crate) feature: u32,
    /// The child that the background row goes to.
    child: u32,
    /// Features that follow the row alone, and the background row alone, above.
    row: usize,
    background: usize,
    /// What the leaves below the row's child give, once they have been visited.
    done: Option<G>,
}

impl<G> Parting<G> {
    /// Whether the walk is below the row's child, where the feature follows the row alone.
    pub(crate) fn follows_row(&self) -> bool {
        self.done.is_none()
    }
}

/// What is given to features in a walk.
pub(crate) enum Gives<'a, G> {
    /// To the feature of a parting, and to its pairs with those above: what the leaves below the row's
    /// child, and below the background row's, give.
    Parted(&'a Parting<G>, &'a [Parting<G>], [G; 2]),
    /// By a linear leaf, to features that no parting of its path has, of which some follow the row and
    /// some the background row, and to their pairs with each other and with those of the path.
    Beyond(&'a [Parting<G>], &'a [u32], &'a [u32], G),
}

/// Working memory of a walk.
#[derive(Debug)]
pub(crate) struct Working<G> {
    follows: Vec<Follows>,
    partings: Vec<Parting<G>>,
    row: Vec<f32>,
    linear: Linear,
}

/// Working memory of linear leaves.
#[derive(Debug, Default)]
struct Linear {
    players: Players,
    /// Those that no parting of the path has, by whom they follow.
    with: Vec<u32>,
    without: Vec<u32>,
}

impl<G> Default for Working<G> {
    fn default() -> Self {
        Self {
            follows: Vec::new(),
            partings: Vec::new(),
            row: Vec::new(),
            linear: Linear::default(),
        }
    }
}

/// What all pairs share.
pub(crate) struct Walk<'a, G> {
    forest: &'a Forest,
    /// For the cells of the row and of the background row.
    thresholds: [&'a [f32]; 2],
    background: Background<'a>,
    follows: &'a mut [Follows],
    partings: &'a mut Vec<Parting<G>>,
    row: &'a mut Vec<f32>,
    linear: &'a mut Linear,
}

impl<'a, G: Given> Walk<'a, G> {
    pub(crate) fn new(
        forest: &'a Forest,
        thresholds: &'a [f32],
        background: Background<'a>,
        working: &'a mut Working<G>,
    ) -> Self {
        let features = forest.features as usize;
        working.follows.resize(features, Follows::Both);
        Self {
            forest,
            thresholds: [thresholds, background.thresholds],
            background,
            follows: &mut working.follows,
            partings: &mut working.partings,
            row: &mut working.row,
            linear: &mut working.linear,
        }
    }

    /// Takes a row of a block.
    pub(crate) fn take(&mut self, block: Block<'_>, row: usize) {
        self.row.clear();
        let columns = 0..self.forest.columns;
        self.row
            .extend(columns.map(|column| block.column(column)[row]));
    }

    /// Walks the row through a tree with every background row of any weight. `add` gets the weight, and
    /// what is given to features against this row.
    #[inline]
    pub(crate) fn against_all(&mut self, tree: u32, mut add: impl FnMut(f64, Gives<'_, G>)) {
        let root = self.forest.roots[tree as usize];
        let Background { cells, weights, .. } = self.background;
        let others = cells.chunks(self.forest.columns.max(1) as usize);
        for (other, &weight) in others.zip(weights) {
            if weight != 0.0 {
                self.pair(root, other, |gives| add(weight, gives));
            }
        }
    }

    #[inline]
    fn pair(&mut self, root: u32, other: &[f32], mut add: impl FnMut(Gives<'_, G>)) {
        let mut n = root;
        let (mut row, mut background) = (0, 0);
        loop {
            let node = &self.forest.nodes[n as usize];
            if !node.is_leaf() {
                let cells = [&self.row[..], other];
                let left = |who: usize| {
                    let cell = cells[who][node.column as usize];
                    let threshold = self.thresholds[who][n as usize];
                    node.test.left(cell, threshold, &self.forest.sets)
                };
                let child = |left| if left { node.left } else { node.right };
                let follows = &mut self.follows[node.feature as usize];
                n = match follows {
                    Follows::Row => child(left(0)),
                    Follows::Background => child(left(1)),
                    Follows::Both => {
                        let side = left(0);
                        if side != left(1) {
                            *follows = Follows::Row;
                            self.partings.push(Parting {
                                feature: node.feature,
                                child: child(!side),
                                row,
                                background,
                                done: None,
                            });
                            row += 1;
                        }
                        child(side)
                    }
                };
                continue;
            }
            let mut given = if self.forest.linear_leaf(n).is_some() {
                self.linear(n, other, (row, background), &mut add)
            } else {
                G::of(node.value, row, background, self.background.shares)
            };
            // Up to the next parting whose other way is still to go.
            loop {
                let Some((parting, above)) = self.partings.split_last_mut() else {
                    return;
                };
                let follows = &mut self.follows[parting.feature as usize];
                let Some(first) = parting.done else {
                    parting.done = Some(given);
                    *follows = Follows::Background;
                    (row, background) = (parting.row, parting.background + 1);
                    n = parting.child;
                    break;
                };
                add(Gives::Parted(parting, above, [first, given]));
                given = first.and(given);
                *follows = Follows::Both;
                self.partings.pop();
            }
        }
    }

    /// What a linear leaf gives to the features on its path, of which so many follow the row, and the
    /// background row: the games that it is a sum of are leaves of longer paths.
    #[cold]
    fn linear(
        &mut self,
        n: u32,
        other: &[f32],
        (row, background): (usize, usize),
        add: &mut impl FnMut(Gives<'_, G>),
    ) -> G {
        let shares = self.background.shares;
        let mut given = G::of(0.0, row, background, shares);
        let Some(leaf) = self.forest.linear_leaf(n) else {
            return given;
        };
        let Linear {
            players,
            with,
            without,
        } = &mut *self.linear;
        let (follows, path) = (&*self.follows, &*self.partings);
        let follows = |player: &u32| follows[*player as usize];
        let value = self.forest.nodes[n as usize].value;
        leaf.games(value, [self.row, other], players, |value, all, none| {
            // A game that needs a player on the other side of the path is paid to no coalition.
            let misses = |players: &[u32], side| players.iter().any(|p| follows(p) == side);
            if misses(all, Follows::Background) || misses(none, Follows::Row) {
                return;
            }
            for (beyond, players) in [(&mut *with, all), (&mut *without, none)] {
                beyond.clear();
                beyond.extend(players.iter().filter(|p| follows(p) == Follows::Both));
            }
            let (row, background) = (row + with.len(), background + without.len());
            let game = G::of(value, row, background, shares);
            given = given.and(game);
            if !(with.is_empty() && without.is_empty()) {
                add(Gives::Beyond(path, with, without, game));
            }
        });
        given
    }
}
