//! Computing the table of a group.

use std::sync::OnceLock;

use super::leaf_game::LeafGame;
use super::pack::Draft;
use super::{Entry, Game, MAX_ENTRIES, SLOTS};
use crate::forest::{Forest, Node};
use crate::legendre::Rule;

/// The table of a group in float64, lane by lane, and the memory to compute it.
pub(super) struct Table {
    lanes: [[f64; MAX_ENTRIES]; SLOTS],
    game: LeafGame,
}

/// One feature of a leaf's path: satisfied by the patterns with `pattern & mask == want`.
struct Condition {
    lane: usize,
    fraction: f64,
    mask: u8,
    want: u8,
    /// False if the path takes both sides of one test: no row satisfies it.
    possible: bool,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            lanes: [[0.0; MAX_ENTRIES]; SLOTS],
            game: LeafGame::new(),
        }
    }

    /// Writes the table of a group; the weights of a background are those of its patterns.
    pub(super) fn fill(
        &mut self,
        forest: &Forest,
        thresholds: &[f32],
        draft: &Draft,
        game: Game<'_>,
        entries: &mut [Entry],
    ) {
        let len = entries.len();
        for lane in &mut self.lanes {
            lane[..len].fill(0.0);
        }
        let mut path = draft.path.clone();
        for &depth in &draft.beside {
            let (n, side) = path[depth as usize];
            let node = &forest.nodes[n as usize];
            let leaf = if side { node.right } else { node.left };
            let mut path = path[..depth as usize].to_vec();
            path.push((n, !side));
            let conditions = conditions(forest, thresholds, draft, &path, leaf);
            self.add_leaf(&conditions, forest.nodes[leaf as usize].value, game, len);
        }
        let base = path.len();
        let mut stack = vec![(draft.top, base, true)];
        while let Some((n, depth, side)) = stack.pop() {
            path.truncate(depth);
            if depth > base {
                path[depth - 1].1 = side;
            }
            let node = &forest.nodes[n as usize];
            if node.is_leaf() {
                let conditions = conditions(forest, thresholds, draft, &path, n);
                self.add_leaf(&conditions, node.value, game, len);
            } else {
                path.push((n, true));
                stack.push((node.right, depth + 1, false));
                stack.push((node.left, depth + 1, true));
            }
        }
        for (lane, sums) in self.lanes.iter().enumerate() {
            for (entry, &sum) in entries.iter_mut().zip(sums) {
                entry[lane] = sum as f32;
            }
        }
    }

    /// Adds the values that one leaf gives to the features of its path, for every pattern.
    fn add_leaf(&mut self, conditions: &[Condition], value: f64, game: Game<'_>, len: usize) {
        let mut met = [0_u8; MAX_ENTRIES];
        for (k, condition) in conditions.iter().enumerate() {
            if condition.possible {
                for (pattern, met) in met[..len].iter_mut().enumerate() {
                    let is_met = pattern as u8 & condition.mask == condition.want;
                    *met |= u8::from(is_met) << k;
                }
            }
        }
        let rule = rule(conditions.len());
        match game {
            Game::PathDependent => {
                let mut fractions = [0.0; SLOTS];
                for (fraction, condition) in fractions.iter_mut().zip(conditions) {
                    *fraction = condition.fraction;
                }
                let fractions = &fractions[..conditions.len()];
                self.game.path_dependent(rule, fractions, value);
            }
            Game::Interventional(patterns) => {
                let mut weights = [0.0; MAX_ENTRIES];
                for (&met, weight) in met.iter().zip(patterns) {
                    weights[usize::from(met)] += weight;
                }
                let count = conditions.len();
                self.game.interventional(rule, count, &weights, value);
            }
        }
        for (condition, values) in conditions.iter().zip(&self.game.values) {
            let lane = &mut self.lanes[condition.lane][..len];
            for (sum, &met) in lane.iter_mut().zip(&met) {
                *sum += values[usize::from(met)];
            }
        }
    }
}

/// The conditions of a leaf, one per distinct feature on its path.
fn conditions(
    forest: &Forest,
    thresholds: &[f32],
    draft: &Draft,
    path: &[(u32, bool)],
    leaf: u32,
) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::with_capacity(SLOTS);
    let children = path[1.min(path.len())..].iter().map(|&(n, _)| n);
    for (&(n, side), child) in path.iter().zip(children.chain([leaf])) {
        let node: &Node = &forest.nodes[n as usize];
        let fraction = forest.nodes[child as usize].fraction;
        let Some(bit) = draft.bit(forest, thresholds, n) else {
            continue;
        };
        let Ok(lane) = draft.features.binary_search(&node.feature) else {
            continue;
        };
        let mask = 1_u8 << bit;
        let want = if side { mask } else { 0 };
        match conditions.iter_mut().find(|known| known.lane == lane) {
            Some(known) => {
                known.fraction *= fraction;
                known.possible &= known.mask & mask == 0 || known.want & mask == want;
                known.mask |= mask;
                known.want |= want;
            }
            None => conditions.push(Condition {
                lane,
                fraction,
                mask,
                want,
                possible: true,
            }),
        }
    }
    conditions
}

/// Rules for up to [`SLOTS`] features, computed once.
fn rule(features: usize) -> &'static Rule {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    &RULES.get_or_init(|| (0..=SLOTS).map(Rule::for_path).collect())[features]
}
