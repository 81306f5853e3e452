//! Boosting iterations: the part of an ensemble that predicts.

use std::ops::Range;

use super::catboost;
use super::trees::Trees;
use crate::error::{Error, Result};

impl Trees {
    /// Number of boosting iterations.
    pub fn iterations(&self) -> u32 {
        let last = self.trees.iter().map(|tree| tree.iteration).max();
        last.map_or(0, |last| last.saturating_add(1))
    }

    /// Keeps the trees of these iterations, counted from 0; an average is taken over those that
    /// are left. What lies outside the trees, such as a base score, stays, but for `CatBoost`'s
    /// bias, which belongs to the first iteration there.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a range that is empty or not within the model's iterations.
    pub fn keep_iterations(&mut self, kept: Range<u32>) -> Result<()> {
        let total = self.iterations();
        if kept.is_empty() || kept.end > total {
            return Err(Error::Parameter {
                name: "iterations",
                got: format!("{}..{}", kept.start, kept.end),
                allowed: format!("a range within the model's {total} iterations, 0..{total}"),
            });
        }
        self.trees.retain(|tree| kept.contains(&tree.iteration));
        if self.averaged {
            let scale = f64::from(total) / f64::from(kept.end - kept.start);
            for tree in &mut self.trees {
                tree.scale(|number| *number *= scale);
            }
        }
        for tree in &mut self.trees {
            tree.iteration -= kept.start;
        }
        if kept.start > 0 && self.format == catboost::FORMAT {
            self.base.fill(0.0);
        }
        self.best_iteration = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::trees::{Fraction, Node, Output, Precision, Tree};
    use super::*;

    /// A stump per iteration, worth 1, 2, 3, ….
    fn forest(averaged: bool) -> Trees {
        let stump = |iteration: u32| Tree {
            nodes: vec![Node::Leaf {
                leaf: 0,
                cover: 1.0,
            }],
            values: vec![f64::from(iteration + 1)],
            output: Output::One(0),
            iteration,
            linear: Vec::new(),
        };
        Trees {
            format: "test",
            objective: String::new(),
            features: Vec::new(),
            outputs: vec!["output 0".to_owned()],
            base: vec![0.5],
            precision: Precision::F64,
            fraction: Fraction::Floor,
            trees: (0..4).map(stump).collect(),
            averaged,
            best_iteration: Some(1),
            has_cover: true,
        }
    }

    fn values(trees: &Trees) -> Vec<f64> {
        trees.trees.iter().map(|tree| tree.values[0]).collect()
    }

    #[test]
    fn the_trees_of_a_range_of_iterations_stay() {
        let mut sum = forest(false);
        sum.keep_iterations(1..3).unwrap();
        assert_eq!(values(&sum), [2.0, 3.0]);
        assert_eq!(sum.iterations(), 2);
        let mut mean = forest(true);
        mean.keep_iterations(1..3).unwrap();
        assert_eq!(values(&mean), [4.0, 6.0]);
    }

    #[test]
    fn a_range_that_the_model_does_not_have_is_refused() {
        for range in [0..5, 2..2, 4..5] {
            let mut trees = forest(false);
            assert!(trees.keep_iterations(range).is_err());
            assert_eq!(trees.trees.len(), 4);
        }
        let error = forest(false).keep_iterations(3..9).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"iterations: 3..9 is not allowed: a range within the model's 4 iterations, 0..4"
        );
    }
}
