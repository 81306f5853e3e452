//! Computing the table of a group.

use std::sync::OnceLock;

use super::pack::Draft;
use super::{Entry, MAX_ENTRIES, SLOTS};
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
            game: LeafGame {
                values: [[0.0; MAX_ENTRIES]; SLOTS],
                product: [0.0; MAX_ENTRIES],
            },
        }
    }

    /// Writes the table of a group.
    pub(super) fn fill(
        &mut self,
        forest: &Forest,
        thresholds: &[f32],
        draft: &Draft,
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
            self.add_leaf(&conditions, forest.nodes[leaf as usize].value, len);
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
                self.add_leaf(&conditions, node.value, len);
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
    fn add_leaf(&mut self, conditions: &[Condition], value: f64, len: usize) {
        self.game.solve(conditions, value);
        let mut met = [0_u8; MAX_ENTRIES];
        for (k, condition) in conditions.iter().enumerate() {
            if condition.possible {
                for (pattern, met) in met[..len].iter_mut().enumerate() {
                    let is_met = pattern as u8 & condition.mask == condition.want;
                    *met |= u8::from(is_met) << k;
                }
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

/// The Shapley values of the game of one leaf, `v(S) = value · ∏_{j∈S} [j met] · ∏_{j∉S} z_j`, by
/// condition, for every set of met conditions (bit k for condition k).
struct LeafGame {
    values: [[f64; MAX_ENTRIES]; SLOTS],
    product: [f64; MAX_ENTRIES],
}

impl LeafGame {
    /// `φ_i = value ([i met] − z_i) ∫₀¹ ∏_{j≠i} [z_j (1 − u) + [j met] u] du`: the multilinear
    /// extension of the path-dependent game of Lundberg et al. (2020), integrated exactly by
    /// quadrature.
    fn solve(&mut self, conditions: &[Condition], value: f64) {
        let sets = 1_usize << conditions.len();
        for values in &mut self.values[..conditions.len()] {
            values[..sets].fill(0.0);
        }
        let rule = rule(conditions.len());
        for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
            self.product[0] = weight * value;
            let mut filled = 1;
            for condition in conditions {
                let unmet = condition.fraction * (1.0 - u);
                let (low, high) = self.product.split_at_mut(filled);
                for (low, high) in low.iter_mut().zip(high) {
                    *high = *low * (unmet + u);
                    *low *= unmet;
                }
                filled *= 2;
            }
            for (k, (condition, values)) in conditions.iter().zip(&mut self.values).enumerate() {
                let z = condition.fraction;
                let factors = [-1.0 / (1.0 - u), (1.0 - z) / (z * (1.0 - u) + u)];
                let products = self.product[..sets].iter().enumerate();
                for (value, (set, product)) in values.iter_mut().zip(products) {
                    *value += product * factors[set >> k & 1];
                }
            }
        }
    }
}

/// Rules for up to [`SLOTS`] features, computed once.
fn rule(features: usize) -> &'static Rule {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    &RULES.get_or_init(|| (0..=SLOTS).map(Rule::for_path).collect())[features]
}
