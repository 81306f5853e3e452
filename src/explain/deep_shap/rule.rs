//! The rules of a network's steps, by name.

use crate::model::Network;
use crate::model::network::Operation;

/// The rule that a step's multipliers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The weights of a linear step: exact.
    Linear,
    /// The quotient of a function's difference and its argument's, and its derivative where that is 0: the rescale rule
    /// (Shrikumar, Greenside & Kundaje 2017).
    Rescale,
    /// Of a product, each factor's multiplier is the mean of the other on both sides: the Shapley value of the game of the two.
    Product,
    /// Of a maximum, the cell that is the larger of the two maxima has the whole difference.
    Winner,
    /// The mean of the derivatives along the straight line between the two sides (Aumann & Shapley 1974), by eight
    /// Gauss–Legendre points; what these leave is shared in proportion to the differences.
    Path,
    /// Of a number that names a row of a table, the sum of what the row's numbers contribute.
    Embedding,
}

impl Rule {
    /// Its name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Linear => "linear",
            Rule::Rescale => "rescale",
            Rule::Product => "product",
            Rule::Winner => "winner",
            Rule::Path => "path",
            Rule::Embedding => "embedding",
        }
    }

    fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Scale(..)
            | Operation::Dense(_)
            | Operation::Convolution(_)
            | Operation::Gather(_)
            | Operation::Sum(_)
            | Operation::Add(_) => Rule::Linear,
            Operation::Activation(_) => Rule::Rescale,
            Operation::Product | Operation::MatMul(_) => Rule::Product,
            Operation::Max(_) => Rule::Winner,
            Operation::Softmax(_) | Operation::LogSoftmax(_) => Rule::Path,
            Operation::Embedding(_) => Rule::Embedding,
        }
    }
}

/// The rules of a network's steps, in their order: the node of the file, what it computes, and its rule.
pub fn rules(network: &Network) -> Vec<(String, &'static str, Rule)> {
    let steps = network.steps.iter();
    steps
        .map(|step| {
            let operation = &step.operation;
            (step.node.clone(), operation.name(), Rule::of(operation))
        })
        .collect()
}
