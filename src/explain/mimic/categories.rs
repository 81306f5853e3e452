//! Categories as the numbers that trees are grown on: their places in the order of what the model answers to them.
//!
//! Of all splits of the categories into two sets, the one with the least squared error is one of that order (Fisher 1958,
//! "On grouping for maximum homogeneity"). Each split on such a number is a set of categories to the grown tree, so that
//! its rows are those of the model, and one category counts as no more than another.

use std::collections::HashMap;

use ndarray::ArrayView1;

use crate::model::{CategorySet, Model, Node, Test};

/// How many answers like the mean of all rows a category begins with: of few rows its own mean is chance.
const PRIOR: f64 = 10.0;

/// Categories of a column at most; the rarer ones are taken for ones that were never seen.
const MOST: usize = 4096;

/// By feature, whether its cells are categories: the model has labels for them, or tests them for being in sets.
pub(super) fn are_categories(teacher: &Model) -> Vec<bool> {
    let labelled = teacher.features().iter().map(|f| f.categories.is_some());
    let mut found: Vec<bool> = labelled.collect();
    if let Model::Trees(trees) = teacher {
        for node in trees.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Node::Split(split) = node
                && matches!(split.test, Test::Category(_))
                && let Some(is_category) = found.get_mut(split.feature as usize)
            {
                *is_category = true;
            }
        }
    }
    found
}

/// The order of the categories of a column.
#[derive(Debug)]
pub(super) struct Order {
    /// The category at each place.
    categories: Vec<u32>,
    places: HashMap<u32, usize>,
    /// The place of categories that were never seen: where the mean of all rows would be, between two others.
    unseen: f64,
}

impl Order {
    /// Of the categories of rows, and what is answered to these.
    pub(super) fn of(cells: &ArrayView1<'_, f64>, answers: &[f64]) -> Self {
        let mean = answers.iter().sum::<f64>() / answers.len().max(1) as f64;
        let mut sums: HashMap<u32, (usize, f64)> = HashMap::new();
        for (&cell, answer) in cells.iter().zip(answers) {
            if let Some(category) = category(cell) {
                let (count, sum) = sums.entry(category).or_default();
                *count += 1;
                *sum += answer - mean;
            }
        }
        let mut all: Vec<(u32, usize, f64)> = (sums.into_iter())
            .map(|(category, (count, sum))| (category, count, sum / (count as f64 + PRIOR)))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(MOST);
        all.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
        let below = all.iter().filter(|(_, _, mean)| *mean < 0.0).count();
        let categories: Vec<u32> = all.into_iter().map(|(category, ..)| category).collect();
        Self {
            places: categories.iter().copied().zip(0..).collect(),
            categories,
            unseen: below as f64 - 0.5,
        }
    }

    /// The place of a cell; a missing one stays so.
    pub(super) fn place(&self, cell: f64) -> f64 {
        if cell.is_nan() {
            return cell;
        }
        let place = category(cell).and_then(|category| self.places.get(&category));
        place.map_or(self.unseen, |&place| place as f64)
    }

    /// What a place below the threshold is of a category.
    pub(super) fn test(&self, threshold: f64) -> Test {
        // Those that are no members are on the side of what was never seen.
        let members_left = self.unseen >= threshold;
        let members = self.categories.iter().enumerate();
        let members = members.filter(|&(place, _)| ((place as f64) < threshold) == members_left);
        let mut words = vec![0_u32];
        for (_, &category) in members {
            let word = category as usize / 32;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (category % 32);
        }
        Test::Category(CategorySet {
            words,
            members_left,
        })
    }
}

/// The category that a cell is, as the trees will read it; `None` where it is none of those that a set can hold.
fn category(cell: f64) -> Option<u32> {
    let whole = cell.trunc();
    (0.0..f64::from(1 << 24))
        .contains(&whole)
        .then_some(whole as u32)
}
