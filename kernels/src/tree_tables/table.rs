//! Computing the table of a group.

use std::sync::OnceLock;

use super::pack::Draft;
use super::{Entry, Game, Lanes, MAX_BITS, MAX_ENTRIES, PAIRS, SLOTS};
use crate::forest::{Forest, Node};
use crate::leaf_game::{LeafGame, pair};
use crate::legendre::{Index, Rule};

/// The table of a group in float64, lane by lane, and the memory to compute it.
pub(super) struct Table {
    lanes: Vec<[f64; MAX_ENTRIES]>,
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
            lanes: vec![[0.0; MAX_ENTRIES]; PAIRS],
            game: LeafGame::new(MAX_BITS, PAIRS),
        }
    }

    /// Writes the tables of a draft, one for each of its groups, one after the other; the weights of a
    /// background are those of its patterns.
    pub(super) fn fill(
        &mut self,
        forest: &Forest,
        thresholds: &[f32],
        draft: &Draft,
        game: Game<'_>,
        lanes: Lanes,
        entries: &mut [Entry],
    ) {
        let len = 1 << draft.tests.len();
        let width = draft.width(lanes);
        for lane in &mut self.lanes[..width] {
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
            let value = forest.nodes[leaf as usize].value;
            self.add_leaf(forest.index, &conditions, value, game, lanes, draft);
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
                self.add_leaf(forest.index, &conditions, node.value, game, lanes, draft);
            } else {
                path.push((n, true));
                stack.push((node.right, depth + 1, false));
                stack.push((node.left, depth + 1, true));
            }
        }
        for (lane, sums) in self.lanes[..width].iter().enumerate() {
            let entries = &mut entries[lane / SLOTS * len..][..len];
            for (entry, &sum) in entries.iter_mut().zip(sums) {
                entry[lane % SLOTS] = sum as f32;
            }
        }
    }

    /// Adds the values that one leaf gives to the features of its path, or to their pairs, for every
    /// pattern.
    fn add_leaf(
        &mut self,
        index: Index,
        conditions: &[Condition],
        value: f64,
        game: Game<'_>,
        lanes: Lanes,
        draft: &Draft,
    ) {
        let (features, len) = (draft.features.len(), 1 << draft.tests.len());
        let mut met = [0_u8; MAX_ENTRIES];
        for (k, condition) in conditions.iter().enumerate() {
            if condition.possible {
                for (pattern, met) in met[..len].iter_mut().enumerate() {
                    let is_met = pattern as u8 & condition.mask == condition.want;
                    *met |= u8::from(is_met) << k;
                }
            }
        }
        let rule = rule(index, conditions.len());
        match game {
            Game::PathDependent => {
                let mut fractions = [0.0; SLOTS];
                for (fraction, condition) in fractions.iter_mut().zip(conditions) {
                    *fraction = condition.fraction;
                }
                let fractions = &fractions[..conditions.len()];
                match lanes {
                    Lanes::Features => self.game.path_dependent(rule, fractions, value),
                    Lanes::Pairs => self.game.path_dependent_pairs(rule, fractions, value),
                }
            }
            Game::Interventional(patterns) => {
                let mut weights = [0.0; MAX_ENTRIES];
                for (&met, weight) in met.iter().zip(patterns) {
                    weights[usize::from(met)] += weight;
                }
                let count = conditions.len();
                match lanes {
                    Lanes::Features => self.game.interventional(rule, count, &weights, value),
                    Lanes::Pairs => self.game.interventional_pairs(rule, count, &weights, value),
                }
            }
        }
        let mut add = |lane: usize, values: &[f64]| {
            let values = &values[..MAX_ENTRIES];
            for (sum, &met) in self.lanes[lane][..len].iter_mut().zip(&met) {
                *sum += values[usize::from(met)];
            }
        };
        match lanes {
            Lanes::Features => {
                for (k, condition) in conditions.iter().enumerate() {
                    add(condition.lane, self.game.values(k));
                }
            }
            Lanes::Pairs => {
                for (i, one) in conditions.iter().enumerate() {
                    for (j, other) in conditions.iter().enumerate().skip(i + 1) {
                        let low = one.lane.min(other.lane);
                        let high = one.lane.max(other.lane);
                        let values = self.game.values(pair(i, j, conditions.len()));
                        add(pair(low, high, features), values);
                    }
                }
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
fn rule(index: Index, features: usize) -> &'static Rule {
    static RULES: [OnceLock<Vec<Rule>>; 2] = [const { OnceLock::new() }; 2];
    let for_path = |features| index.rule(index.points_for_path(features));
    let rules = RULES[index as usize].get_or_init(|| (0..=SLOTS).map(for_path).collect());
    &rules[features]
}
