//! Models that use few of their features: the trees, the rows and the sums of the engines have the
//! used ones alone, however wide the table is.

use crate::error::Result;
use crate::explain::Group;
use crate::explain::players::Players;
use crate::model::{Feature, Node, Trees};

/// Features from which on it pays to leave out those that no split tests.
const WIDE: usize = 512;

/// Where the features and the players of narrowed trees stand in the model.
#[derive(Debug)]
pub(super) struct Narrow {
    /// All features of the model.
    pub(super) features: Vec<Feature>,
    /// Those that the trees have, ascending.
    pub(super) kept: Vec<u32>,
    /// The player of the result for each player of the trees.
    to: Vec<u32>,
    /// Players of the result.
    players: usize,
}

/// What is explained, and as whom.
pub(super) struct Narrowed {
    /// The trees with the kept features alone; `None` if all are kept.
    pub(super) trees: Option<Trees>,
    /// Who plays in the engines.
    pub(super) players: Players,
    /// Where these trees stand in the model, if they are not all of it, and who has values in the
    /// result if that is not who plays.
    pub(super) place: Option<(Narrow, Option<Players>)>,
}

impl Narrowed {
    /// The features that the trees have, by position in the model; `None` for all.
    pub(super) fn kept(&self) -> Option<&[u32]> {
        self.place.as_ref().map(|(narrow, _)| &narrow.kept[..])
    }
}

/// Leaves out the features that no split tests, where they are most of a wide model, or are unwanted
/// in the result.
///
/// # Errors
/// For groups that are no partition of the features.
pub(super) fn narrow(trees: &Trees, groups: &[Group], used_only: bool) -> Result<Narrowed> {
    let whole = Players::new(&trees.features, groups)?;
    let mut is_used = vec![false; trees.features.len()];
    for node in trees.trees.iter().flat_map(|tree| &tree.nodes) {
        if let Node::Split(split) = node {
            is_used[split.feature as usize] = true;
        }
    }
    for leaf in trees.trees.iter().flat_map(|tree| &tree.linear) {
        for (feature, _) in &leaf.terms {
            is_used[*feature as usize] = true;
        }
    }
    // Trees without splits have one feature that plays and gets nothing.
    if !is_used.contains(&true) {
        is_used
            .iter_mut()
            .take(1)
            .for_each(|is_used| *is_used = true);
    }
    let used = is_used.iter().filter(|is_used| **is_used).count();
    let pays = trees.features.len() >= WIDE && 2 * used <= trees.features.len();
    if used == trees.features.len() || !(pays || used_only) {
        return Ok(Narrowed {
            trees: None,
            players: whole,
            place: None,
        });
    }
    let kept: Vec<u32> = (0..)
        .zip(&is_used)
        .filter(|(_, is_used)| **is_used)
        .map(|(f, _)| f)
        .collect();
    let mut place = vec![None; is_used.len()];
    for (new, &feature) in kept.iter().enumerate() {
        place[feature as usize] = Some(new);
    }
    let features: Vec<Feature> = kept
        .iter()
        .map(|&feature| trees.features[feature as usize].clone())
        .collect();
    let left = groups.iter().map(|group| Group {
        name: group.name.clone(),
        features: group
            .features
            .iter()
            .filter_map(|&feature| place[feature])
            .collect(),
    });
    let left: Vec<Group> = left.filter(|group| !group.features.is_empty()).collect();
    let mut players = Players::new(&features, &left)?;
    // A feature without a name is called by its place in the model.
    for (player, &feature) in players.of.iter().zip(&kept) {
        players.names[*player as usize]
            .clone_from(&whole.names[whole.of[feature as usize] as usize]);
    }
    let mut to = vec![0; players.len()];
    for (player, &feature) in players.of.iter().zip(&kept) {
        to[*player as usize] = whole.of[feature as usize];
    }
    players.columns.clone_from(&whole.columns);
    let narrow = Narrow {
        features: trees.features.clone(),
        players: if used_only { to.len() } else { whole.len() },
        to: if used_only {
            (0..to.len() as u32).collect()
        } else {
            to
        },
        kept,
    };
    let mut trees = without_features(trees, features);
    for node in trees.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        if let Node::Split(split) = node {
            let new = place[split.feature as usize];
            split.feature = new.map_or(0, |new| new as u32);
        }
    }
    for leaf in trees.trees.iter_mut().flat_map(|tree| &mut tree.linear) {
        for (feature, _) in &mut leaf.terms {
            *feature = place[*feature as usize].map_or(0, |new| new as u32);
        }
    }
    Ok(Narrowed {
        trees: Some(trees),
        players,
        place: Some((narrow, (!used_only).then_some(whole))),
    })
}

/// The trees with other features, which their splits are still to be told of.
fn without_features(trees: &Trees, features: Vec<Feature>) -> Trees {
    Trees {
        objective: trees.objective.clone(),
        features,
        outputs: trees.outputs.clone(),
        base: trees.base.clone(),
        trees: trees.trees.clone(),
        ..*trees
    }
}

impl Narrow {
    /// Whether the result has players that the trees do not have.
    pub(super) fn is_wider(&self) -> bool {
        self.players > self.to.len()
    }

    /// Players of the result.
    pub(super) fn result(&self) -> usize {
        self.players
    }

    /// Players of the trees.
    pub(super) fn players(&self) -> usize {
        self.to.len()
    }

    /// Writes the numbers of rows, (rows, players of the trees, outputs), where they stand in the
    /// result, (rows, players, outputs); with both players of a pair in place of one for pairs.
    pub(super) fn spread(&self, narrow: &[f32], outputs: usize, pairs: bool, out: &mut [f32]) {
        out.fill(0.0);
        let (few, many) = (self.to.len(), self.players);
        let [from, to] = [few, many].map(|n| if pairs { n * n } else { n } * outputs);
        for (narrow, out) in narrow.chunks(from.max(1)).zip(out.chunks_mut(to.max(1))) {
            for (cell, numbers) in narrow.chunks(outputs.max(1)).enumerate() {
                let place = if pairs {
                    self.to[cell / few] as usize * many + self.to[cell % few] as usize
                } else {
                    self.to[cell] as usize
                };
                out[place * outputs..][..outputs].copy_from_slice(numbers);
            }
        }
    }
}
