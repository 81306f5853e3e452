//! The lines that gradients are taken on: which tensors they go through, and the points on them.

use whylight_kernels::legendre::Rule;

use super::graph::Graph;
use crate::model::Network;
use crate::model::network::{Gather, Operation};
use crate::random::SplitMix64;

/// Parts of random points, by whose differences the standard error goes.
const PARTS: usize = 8;

/// Where on which lines derivatives are taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lines {
    /// At so many points of the line from each background row.
    All(usize),
    /// At so many random points, in pairs on both sides of the middle, of lines from background rows by their weight.
    Random(usize, u64),
}

/// Points, of every explained row.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// The background row of each.
    pub(super) others: Vec<u32>,
    /// How far it is from that to the explained row.
    pub(super) at: Vec<f32>,
    pub(super) weights: Vec<f32>,
    /// Parts of as many points, each with an estimate of its own; one of points that are not random.
    pub(super) parts: usize,
}

impl Points {
    /// On lines from background rows of these weights.
    pub(super) fn new(lines: Lines, weights: &[f64]) -> Self {
        match lines {
            Lines::All(points) => Self::all(points, weights),
            Lines::Random(points, seed) => Self::random(points, seed, weights),
        }
    }

    /// The points of a rule on every line: point by point.
    fn all(points: usize, weights: &[f64]) -> Self {
        let rule = Rule::new(points);
        let mut all = Self {
            parts: 1,
            ..Self::default()
        };
        for (&at, &share) in rule.points.iter().zip(&rule.weights) {
            for (other, weight) in weights.iter().enumerate() {
                all.push(other, at, share * weight);
            }
        }
        all
    }

    /// Random points, in pairs.
    fn random(points: usize, seed: u64, weights: &[f64]) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut sums = Vec::with_capacity(weights.len());
        let mut sum = 0.0;
        for weight in weights {
            sum += weight;
            sums.push(sum);
        }
        let pairs = points.div_ceil(2 * PARTS).max(1);
        let share = 1.0 / (2 * pairs) as f64;
        let mut all = Self {
            parts: PARTS,
            ..Self::default()
        };
        for _ in 0..PARTS * pairs {
            let wanted = random.unit() * sum;
            let other = sums.partition_point(|&sum| sum <= wanted);
            let other = other.min(weights.len() - 1);
            let at = random.unit();
            all.push(other, at, share);
            all.push(other, 1.0 - at, share);
        }
        all
    }

    fn push(&mut self, other: usize, at: f64, weight: f64) {
        self.others.push(other as u32);
        self.at.push(at as f32);
        self.weights.push(weight as f32);
    }

    /// Points of a part.
    pub(super) fn of_part(&self) -> usize {
        self.others.len() / self.parts
    }

    /// What the parts say together, and, if there are several, the standard errors of that.
    pub(super) fn estimate(parts: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
        let count = parts.len() as f64;
        let width = parts.first().map_or(0, Vec::len);
        let mean = |place: usize| parts.iter().map(|part| part[place]).sum::<f64>() / count;
        let means: Vec<f64> = (0..width).map(mean).collect();
        if parts.len() == 1 {
            return (means, Vec::new());
        }
        let error = |place: usize| {
            let squares = parts
                .iter()
                .map(|part| (part[place] - means[place]).powi(2));
            (squares.sum::<f64>() / (count * (count - 1.0))).sqrt()
        };
        let errors = (0..width).map(error).collect();
        (means, errors)
    }
}

/// The tensors that lines go through: the inputs and the rows of tables that tokens name, or a layer.
#[derive(Debug)]
pub(super) struct Starts {
    all: Vec<Start>,
    /// Features, or cells of the layer.
    pub(super) cells: usize,
}

#[derive(Debug)]
struct Start {
    tensor: usize,
    /// The feature that each of its cells belongs to.
    features: Vec<u32>,
}

impl Starts {
    pub(super) fn new(network: &Network, layer: Option<usize>) -> Self {
        let Some(tensor) = layer else {
            return Self {
                all: starts(network),
                cells: network.features.len(),
            };
        };
        let cells = network.tensors[tensor].cells();
        let features = (0..cells as u32).collect();
        Self {
            all: vec![Start { tensor, features }],
            cells,
        }
    }

    /// The graph whose targets they are.
    pub(super) fn graph(&self, network: &Network) -> Graph {
        let targets = self.all.iter().map(|start| start.tensor).collect();
        Graph::of_targets(network, targets)
    }

    /// What features contribute, (feature, output), of what the cells of all targets do, (target cell, output).
    #[cfg(feature = "gpu")]
    pub(super) fn sum(&self, cells: &[f64], outputs: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.cells * outputs];
        for (feature, cells) in self.features().zip(cells.chunks(outputs)) {
            if feature == Gather::NONE {
                continue;
            }
            let sums = &mut sums[feature as usize * outputs..];
            for (sum, cell) in sums.iter_mut().zip(cells) {
                *sum += cell;
            }
        }
        sums
    }

    /// The features of the cells of all targets, one target after the other; [`Gather::NONE`] of a constant.
    pub(super) fn features(&self) -> impl Iterator<Item = u32> {
        self.all.iter().flat_map(|start| &start.features).copied()
    }
}

/// Of the inputs.
fn starts(network: &Network) -> Vec<Start> {
    let mut first = 0;
    let mut starts: Vec<Start> = Vec::new();
    // Of tensors of whole numbers, the feature of each cell; none where a constant is.
    let mut whole: Vec<Option<Vec<u32>>> = vec![None; network.tensors.len()];
    for (tensor, input) in network.inputs.iter().enumerate() {
        let features: Vec<u32> = (first..first + input.cells() as u32).collect();
        first += input.cells() as u32;
        whole[tensor] = input.is_whole.then(|| features.clone());
        starts.push(Start { tensor, features });
    }
    for step in &network.steps {
        let of_inputs: Option<Vec<&Vec<u32>>> =
            step.inputs.iter().map(|&t| whole[t].as_ref()).collect();
        let Some(of_inputs) = of_inputs else { continue };
        match &step.operation {
            Operation::Gather(gather) => {
                let all: Vec<u32> = of_inputs.into_iter().flatten().copied().collect();
                let feature = |source: &u32| all.get(*source as usize).copied();
                let features = gather.sources.iter().map(feature);
                let features = features.map(|feature| feature.unwrap_or(Gather::NONE));
                whole[step.output] = Some(features.collect());
            }
            Operation::Embedding(embedding) => starts.push(Start {
                tensor: step.output,
                features: (of_inputs[0].iter())
                    .flat_map(|&feature| std::iter::repeat_n(feature, embedding.width))
                    .collect(),
            }),
            Operation::Activation(_) | Operation::Scale(..) => starts.push(Start {
                tensor: step.output,
                features: of_inputs[0].clone(),
            }),
            _ => {}
        }
    }
    starts
}
