//! What coalitions are worth where the output is no sum over trees: the mean, over a background, of
//! the response to the margins of the row in which the players of the coalition take the row's cells
//! and the others the background row's.
//! Twin: `shaders/coalition_trees.wgsl`
//!
//! A row and a background row walk through a tree together for as long as they take the same side.
//! Where they part, the walk goes both ways: on with the coalitions that contain the player, and with
//! those that do not. So a leaf belongs to the coalitions that contain some players (those that
//! follow the row) and none of some others.
//!
//! [`every`] coalition of up to [`MOST_PLAYERS`]: the leaf is an entry of the Möbius transform of the
//! margins, times `∏ (1 − x_j)` over the players that it must not contain, which multiplies out to
//! 2^t entries, or it is added to its coalitions one by one, whichever is less; a transform at the end
//! sums what subsets give. [`some`] coalitions of any number of players: a set of coalitions, as
//! bits, goes with the walk.

pub mod words;

use crate::binding::{bindings, params};
use crate::forest::{Forest, Players};
use crate::response::Response;

bindings! {
    outputs: Read,
    roots: Read,
    nodes: Read,
    sets: Read,
    cells: Read,
    background: Read,
    masks: Read,
    worth: Write,
}

params! {
    /// What one launch works on.
    {
        /// Rows.
        rows,
        /// Coalitions of each row.
        coalitions,
        /// Prepared columns.
        columns,
        /// Outputs, at most [`MOST_OUTPUTS`].
        outputs,
        /// Words of a coalition.
        words,
        /// First background row.
        first,
        /// End of the background rows.
        end,
        /// The number of the link.
        link,
        /// 1 for the logarithmic loss in place of the answer.
        loss,
        /// What the margin is multiplied with, as float32.
        scale,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// Outputs of a forest that the shader takes.
pub const MOST_OUTPUTS: usize = 32;

/// Players of which [`every`] coalition is taken at most.
pub const MOST_PLAYERS: usize = 16;

/// Coalitions of one call of [`some`] at most.
pub const CHUNK: usize = 512;

/// Words of a set of so many coalitions.
const WORDS: usize = CHUNK / 64;

/// Marks a player that no node tells apart, in [`Game::places`].
pub const NONE: u32 = u32::MAX;

/// A row, the rows that it is compared with, and who plays.
#[derive(Debug, Clone, Copy)]
pub struct Game<'a> {
    /// The model.
    pub forest: &'a Forest,
    /// One number per node, for the cells of the row, and for those of the background.
    pub thresholds: [&'a [f32]; 2],
    /// The cells of the row, by column.
    pub row: &'a [f32],
    /// The cells of the background (row, column).
    pub background: &'a [f32],
    /// One weight per background row.
    pub weights: &'a [f64],
    /// The margin of each output before any tree.
    pub base: &'a [f64],
    /// What is made of margins.
    pub response: Response,
    /// By feature of the forest, its bit in a coalition, or [`NONE`] where it sends the row and
    /// every background row to the same side of all of its splits, and the leaves that are linear in it
    /// find the same cells in all of them.
    pub places: &'a [u32],
}

/// Working memory, reused from call to call.
#[derive(Debug, Default)]
pub struct Scratch {
    /// (output, coalition).
    transform: Vec<f64>,
    margins: Vec<f64>,
    stack: Vec<Visit>,
    sets: Vec<(u32, [u64; WORDS])>,
    players: Players,
}

/// A node to go on from.
#[derive(Debug, Clone, Copy)]
struct Visit {
    node: u32,
    /// Players that follow the row, and the background row.
    row: u32,
    background: u32,
}

impl Game<'_> {
    /// Whether a row's cell goes left: `who` is 0 for the row, 1 for the background row.
    #[inline]
    fn left(&self, who: usize, cells: &[f32], n: u32) -> bool {
        let node = &self.forest.nodes[n as usize];
        let threshold = self.thresholds[who][n as usize];
        node.test
            .left(cells[node.column as usize], threshold, &self.forest.sets)
    }

    /// The bits of features.
    #[inline]
    fn bits(&self, features: &[u32]) -> u32 {
        let bit = |&feature: &u32| match self.places[feature as usize] {
            NONE => 0,
            place => 1 << place,
        };
        features.iter().map(bit).fold(0, |bits, bit| bits | bit)
    }

    /// The background rows that count, with their weights.
    fn others(&self) -> impl Iterator<Item = (&[f32], f64)> {
        let columns = self.row.len().max(1);
        let rows = (0..self.weights.len()).map(move |b| {
            let end = ((b + 1) * columns).min(self.background.len());
            &self.background[(b * columns).min(end)..end]
        });
        let rows = rows.zip(self.weights.iter().copied());
        rows.filter(|(_, weight)| *weight != 0.0)
    }
}

/// Adds to `worth`, laid out (number of the response, coalition), the worth of the 2^`bits`
/// coalitions from `first` on, a multiple of that. Bit p of a coalition is the player of place p.
pub fn every(game: Game<'_>, first: u32, bits: u32, scratch: &mut Scratch, worth: &mut [f64]) {
    let count = 1_usize << bits;
    let free = (count - 1) as u32;
    let outputs = game.base.len();
    for (other, weight) in game.others() {
        for list in [&mut scratch.transform, &mut scratch.margins] {
            list.clear();
            list.resize(outputs * count, 0.0);
        }
        let trees = game.forest.roots.iter().zip(&game.forest.tree_outputs);
        for (&root, &output) in trees {
            let at = output as usize * count;
            let transform = &mut scratch.transform[at..at + count];
            let margins = &mut scratch.margins[at..at + count];
            scratch.stack.push(Visit {
                node: root,
                row: first,
                background: !(first | free),
            });
            while let Some(visit) = scratch.stack.pop() {
                let visit = walk(game, other, visit, &mut scratch.stack);
                let mut pay = |value: f64, with: u32, without: u32| {
                    let (with, without) = (with & free, without & free);
                    let others = free & !(with | without);
                    if without.count_ones() <= others.count_ones() {
                        expand(value, with, without, transform);
                    } else {
                        for_subsets(others, |set| margins[(with | set) as usize] += value);
                    }
                };
                let value = game.forest.nodes[visit.node as usize].value;
                let Some(leaf) = game.forest.linear_leaf(visit.node) else {
                    pay(value, visit.row, visit.background);
                    continue;
                };
                let cells = [game.row, other];
                leaf.games(
                    value,
                    cells,
                    &mut scratch.players,
                    |value, with, without| {
                        let with = visit.row | game.bits(with);
                        let without = visit.background | game.bits(without);
                        // What needs a player to be in and out is paid to no coalition.
                        if with & without == 0 {
                            pay(value, with, without);
                        }
                    },
                );
            }
        }
        let of_output = scratch.transform.chunks_mut(count);
        for ((transform, margins), base) in of_output
            .zip(scratch.margins.chunks_mut(count))
            .zip(game.base)
        {
            sum_over_subsets(transform);
            for (margin, sum) in margins.iter_mut().zip(&*transform) {
                *margin += sum + base;
            }
        }
        game.response
            .add(&mut scratch.margins, count, weight, worth);
    }
}

/// The leaf that a walk comes to when it follows the row at every parting, and who follows whom there;
/// the ways of the background row go on the stack.
#[inline]
fn walk(game: Game<'_>, other: &[f32], mut visit: Visit, stack: &mut Vec<Visit>) -> Visit {
    loop {
        let node = &game.forest.nodes[visit.node as usize];
        if node.is_leaf() {
            return visit;
        }
        let bit = game.bits(&[node.feature]);
        let left = if visit.background & bit != 0 {
            game.left(1, other, visit.node)
        } else {
            let left = game.left(0, game.row, visit.node);
            if bit & !visit.row != 0 && left != game.left(1, other, visit.node) {
                stack.push(Visit {
                    node: if left { node.right } else { node.left },
                    row: visit.row,
                    background: visit.background | bit,
                });
                visit.row |= bit;
            }
            left
        };
        visit.node = if left { node.left } else { node.right };
    }
}

/// Adds `value ∏_{j∈with} x_j ∏_{j∈without} (1 − x_j)` to the coefficients of the monomials.
#[inline]
fn expand(value: f64, with: u32, without: u32, transform: &mut [f64]) {
    for_subsets(without, |set| {
        let sign = if set.count_ones() % 2 == 0 {
            value
        } else {
            -value
        };
        transform[(with | set) as usize] += sign;
    });
}

#[inline]
fn for_subsets(of: u32, mut f: impl FnMut(u32)) {
    let mut set = 0_u32;
    loop {
        f(set);
        set = set.wrapping_sub(of) & of;
        if set == 0 {
            return;
        }
    }
}

/// Replaces the number of each set by the sum over its subsets.
fn sum_over_subsets(sums: &mut [f64]) {
    let mut bit = 1;
    while bit < sums.len() {
        for pair in sums.chunks_exact_mut(2 * bit) {
            let (without, with) = pair.split_at_mut(bit);
            for (with, without) in with.iter_mut().zip(without) {
                *with += *without;
            }
        }
        bit *= 2;
    }
}

/// Adds to `worth`, laid out (number of the response, coalition), the worth of `count` coalitions, at
/// most [`CHUNK`]. Bit c % 64 of `members[place][c / 64]` is set if the player of that place is in
/// coalition c.
pub fn some(
    game: Game<'_>,
    members: &[[u64; CHUNK / 64]],
    count: usize,
    scratch: &mut Scratch,
    worth: &mut [f64],
) {
    let outputs = game.base.len();
    let mut all = [0; WORDS];
    for (word, set) in all.iter_mut().enumerate() {
        let bits = count.saturating_sub(64 * word).min(64);
        *set = if bits == 64 {
            u64::MAX
        } else {
            (1 << bits) - 1
        };
    }
    for (other, weight) in game.others() {
        scratch.margins.clear();
        for base in game.base {
            scratch.margins.resize(scratch.margins.len() + count, *base);
        }
        let trees = game.forest.roots.iter().zip(&game.forest.tree_outputs);
        for (&root, &output) in trees {
            let margins = &mut scratch.margins[output as usize * count..][..count];
            scratch.sets.push((root, all));
            while let Some((n, set)) = scratch.sets.pop() {
                let (n, set) = descend(game, members, other, n, set, &mut scratch.sets);
                let mut pay = |value: f64, set: [u64; WORDS]| {
                    for (word, mut set) in set.into_iter().enumerate() {
                        while set != 0 {
                            margins[64 * word + set.trailing_zeros() as usize] += value;
                            set &= set - 1;
                        }
                    }
                };
                let value = game.forest.nodes[n as usize].value;
                let Some(leaf) = game.forest.linear_leaf(n) else {
                    pay(value, set);
                    continue;
                };
                let cells = [game.row, other];
                leaf.games(
                    value,
                    cells,
                    &mut scratch.players,
                    |value, with, without| {
                        let mut set = set;
                        for (players, flip) in [(with, 0), (without, u64::MAX)] {
                            let places = players.iter().map(|p| game.places[*p as usize]);
                            for place in places.filter(|place| *place != NONE) {
                                let members = members[place as usize];
                                for (set, members) in set.iter_mut().zip(members) {
                                    *set &= members ^ flip;
                                }
                            }
                        }
                        pay(value, set);
                    },
                );
            }
        }
        game.response
            .add(&mut scratch.margins, count, weight, worth);
    }
    debug_assert_eq!(worth.len(), count * game.response.outputs(outputs));
}

/// A leaf and the coalitions that come to it; the others go on the stack.
#[inline]
fn descend(
    game: Game<'_>,
    members: &[[u64; WORDS]],
    other: &[f32],
    mut n: u32,
    mut set: [u64; WORDS],
    stack: &mut Vec<(u32, [u64; WORDS])>,
) -> (u32, [u64; WORDS]) {
    loop {
        let node = &game.forest.nodes[n as usize];
        if node.is_leaf() {
            return (n, set);
        }
        let left = game.left(0, game.row, n);
        let child = |left| if left { node.left } else { node.right };
        let place = game.places[node.feature as usize];
        let parts = place != NONE && left != game.left(1, other, n);
        n = child(left);
        if !parts {
            continue;
        }
        let members = &members[place as usize];
        let mut without = [0; WORDS];
        let (mut any_with, mut any_without) = (0, 0);
        for word in 0..WORDS {
            without[word] = set[word] & !members[word];
            set[word] &= members[word];
            any_with |= set[word];
            any_without |= without[word];
        }
        if any_with == 0 {
            (n, set) = (child(!left), without);
        } else if any_without != 0 {
            stack.push((child(!left), without));
        }
    }
}
