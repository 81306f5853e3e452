//! Which steps examples go through, and which of their numbers stay.

use super::graph::Graph;

/// A way forward through a graph.
#[derive(Debug)]
pub(super) struct Way {
    /// Whether a step is run.
    pub(super) runs: Vec<bool>,
    /// Whether a tensor's numbers stay.
    pub(super) keeps: Vec<bool>,
    /// The last of the steps that reads a tensor, if one does.
    pub(super) last: Vec<Option<usize>>,
}

impl Way {
    /// All steps, for a way back.
    pub(super) fn whole(graph: &Graph) -> Self {
        Self::new(graph, vec![true; graph.steps.len()], graph.is_kept.clone())
    }

    /// All steps, for no more than what the inputs, the targets and the output are.
    pub(super) fn to_targets(graph: &Graph) -> Self {
        let mut keeps = vec![false; graph.cells.len()];
        keeps[..graph.inputs].fill(true);
        for &tensor in graph.targets.iter().chain([&graph.output]) {
            keeps[tensor] = true;
        }
        Self::new(graph, vec![true; graph.steps.len()], keeps)
    }

    /// The steps that lead from the targets, which are known as the inputs are, to the output, for a way back.
    pub(super) fn from_targets(graph: &Graph) -> Self {
        let mut runs = vec![false; graph.steps.len()];
        let mut is_read = vec![false; graph.cells.len()];
        is_read[graph.output] = true;
        for (runs, step) in runs.iter_mut().zip(&graph.steps).rev() {
            *runs = is_read[step.output] && !graph.targets.contains(&step.output);
            if *runs {
                for &input in &step.inputs {
                    is_read[input] = true;
                }
            }
        }
        Self::new(graph, runs, graph.is_kept.clone())
    }

    fn new(graph: &Graph, runs: Vec<bool>, keeps: Vec<bool>) -> Self {
        let mut last = vec![None; graph.cells.len()];
        for (number, step) in graph.steps.iter().enumerate() {
            if runs[number] {
                for &input in &step.inputs {
                    last[input] = Some(number);
                }
            }
        }
        Self { runs, keeps, last }
    }
}
