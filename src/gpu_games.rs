//! Games of models that begin with sums or products over players, on a GPU: the model stays there, the terms of
//! rows and of background rows go in, and what comes back are mean answers of coalitions, or values.
//!
//! What exceeds the memory, of rows, of background rows and of coalitions, goes in parts; that changes no bit of
//! the result.

mod launch;
mod products;
mod shuffles;
mod sums;

use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::decision::{Decision, MOST_CLASSES};
use whylight_kernels::kernel_machine::{KernelMachine, Shape};
use whylight_kernels::mlp::Mlp;
use whylight_kernels::neighbours::{MOST_NEIGHBOURS, Neighbours};
use whylight_kernels::normalised_units::Kind;

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};
pub use products::Products;
pub use shuffles::{Shuffle, ShuffledRows};
pub use sums::{Slopes, Sums};

/// Bytes of a buffer of what coalitions make of rows, when no memory limit is given.
const BUFFER_BYTES: u64 = 64 << 20;

/// Steps of all invocations of one submission: a fraction of a second on a small GPU, whose driver kills what takes
/// longer than a few seconds.
const WORK: u64 = 1 << 31;

/// Numbers beyond it are left to the CPU: their products would leave the range of float32.
const MOST: f64 = 1e30;

/// The terms of an exponent come to this at the most: of larger ones, float32 would lose more of the exponential than
/// of other numbers.
const MOST_EXPONENT: f64 = 64.0;

/// What is made of units.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// They are margins.
    Linear,
    /// They are the likenesses to support vectors.
    KernelMachine(KernelMachine<'a>),
    /// They are the neurons of the first layer.
    Mlp(&'a Mlp),
    /// They are the distances from training rows.
    Neighbours(Neighbours<'a>),
}

/// What a [`GpuGames`] is made from.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// How units come of terms.
    pub combine: Combine,
    /// Units of the model, at least one.
    pub units: usize,
    /// What units are divided by, where rows are normalised: the last unit is none of the body's then.
    pub norm: Option<Norm<'a>>,
    /// What is made of them.
    pub body: Body<'a>,
    /// What is made of margins.
    pub decision: Decision,
    /// Bytes of rows on the GPU, beside the model; `None` for what suits it.
    pub memory_limit: Option<u64>,
}

/// How units are divided by a norm.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// What the norm is of the last unit.
    pub kind: Kind,
    /// What is added to each other unit then.
    pub start: &'a [f64],
    /// What is added to each as well, but for a row of zeros.
    pub shift: f64,
    /// What a unit is at the most, whatever the row.
    pub largest: f64,
}

/// The terms of some rows, and what all of their coalitions begin with.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// (row, player, unit).
    pub terms: &'a [f64],
    /// (row, unit).
    pub start: &'a [f64],
}

/// A model on a GPU.
#[derive(Debug)]
pub struct GpuGames {
    gpu: Gpu,
    combine: Combine,
    units: usize,
    machines: usize,
    decision: Decision,
    body: OnGpu,
    norm: Option<NormOnGpu>,
    /// What the numbers of the body make of sums, at the most.
    reach: Reach,
    /// Bytes of a buffer that a kernel may see, and of one of ours.
    limit: u64,
    budget: u64,
}

/// A body on a GPU.
#[derive(Debug)]
enum OnGpu {
    Linear,
    Machine {
        shape: Shape,
        coefficients: Buffer,
        intercepts: Buffer,
    },
    /// The layers after the first.
    Mlp {
        activation: u32,
        layers: Vec<Layer>,
    },
    Neighbours {
        targets: Buffer,
        count: usize,
        weighting: u32,
    },
}

#[derive(Debug)]
struct NormOnGpu {
    kind: Kind,
    start: Buffer,
    shift: f32,
    largest: f64,
}

#[derive(Debug)]
struct Layer {
    inputs: usize,
    neurons: usize,
    weights: Buffer,
    biases: Buffer,
}

/// `scale · mostⁿ + shift`, a bound on margins of sums up to `most`, layer after layer.
#[derive(Debug)]
struct Reach(Vec<(f64, i32, f64)>);

impl Reach {
    fn new(body: Body<'_>) -> Self {
        let most = |numbers: &[f64]| numbers.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let sum = |numbers: &[f64]| numbers.iter().map(|x| x.abs()).sum::<f64>();
        Self(match body {
            Body::Linear => Vec::new(),
            Body::KernelMachine(machine) => {
                let power = match machine.shape {
                    Shape::Power { degree } => i32::try_from(degree).unwrap_or(i32::MAX),
                    Shape::Product | Shape::Tanh | Shape::Matern { .. } | Shape::Exp => 0,
                };
                let shift = most(machine.intercepts);
                vec![(1.0, power, 0.0), (sum(machine.coefficients), 1, shift)]
            }
            Body::Mlp(mlp) => {
                let wide = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).collect();
                let layer = |layer: &whylight_kernels::mlp::Dense| {
                    let (weights, biases): (Vec<f64>, Vec<f64>) =
                        (wide(&layer.weights), wide(&layer.biases));
                    // The neurons of a layer that are bounded are at most 1.
                    (sum(&weights), 1, most(&biases) + sum(&weights))
                };
                mlp.layers.iter().map(layer).collect()
            }
            Body::Neighbours(neighbours) => vec![(1.0, 1, most(neighbours.targets))],
        })
    }

    /// Whether sums up to `most` stay in range, all the way.
    fn holds(&self, most: f64) -> bool {
        let mut most = most;
        for &(scale, power, shift) in &self.0 {
            // NaN is below nothing.
            if !(most < MOST && scale < MOST) {
                return false;
            }
            most = scale * most.powi(power) + shift;
        }
        most < MOST
    }
}

impl GpuGames {
    /// Uploads a model.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the GPU cannot hold it; [`Error::Gpu`] if the GPU fails.
    pub fn new(gpu: &Gpu, plan: &Plan<'_>) -> Result<Self> {
        let limits = &gpu.adapter().limits;
        let limit = limits.binding_bytes.min(limits.buffer_bytes);
        let refuse = |what: String| Error::Unsupported {
            what,
            by: format!("GPU {}", gpu.adapter().name),
            instead: "use device cpu".to_owned(),
        };
        let narrow = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let reach = Reach::new(plan.body);
        if !reach.holds(0.0) {
            return Err(refuse("numbers beyond the range of float32".to_owned()));
        }
        let units = plan.norm.map_or(plan.units, |norm| norm.start.len());
        let (mut machines, mut largest, mut steps) = (units, 0, units);
        let body = match plan.body {
            Body::Linear => OnGpu::Linear,
            Body::KernelMachine(machine) => {
                let exponent = plan.norm.map_or(f64::INFINITY, |norm| norm.largest);
                if machine.shape == Shape::Exp && exponent > MOST_EXPONENT {
                    return Err(refuse(format!("exponents of terms up to {exponent:.0}")));
                }
                machines = machine.intercepts.len();
                largest = machine.coefficients.len();
                let [_, degree] = machine.shape.code();
                steps = steps.saturating_mul(4 * degree as usize + 1) + units / 2;
                OnGpu::Machine {
                    shape: machine.shape,
                    coefficients: gpu.upload("coefficients", &narrow(machine.coefficients)),
                    intercepts: gpu.upload("intercepts", &narrow(machine.intercepts)),
                }
            }
            Body::Mlp(mlp) => {
                let layer = |layer: &whylight_kernels::mlp::Dense| Layer {
                    inputs: layer.weights.len() / layer.biases.len().max(1),
                    neurons: layer.biases.len(),
                    weights: gpu.upload("weights", &layer.weights),
                    biases: gpu.upload("biases", &layer.biases),
                };
                let layers: Vec<Layer> = mlp.layers.iter().map(layer).collect();
                for layer in &layers {
                    machines = layer.neurons;
                    largest = largest.max(layer.inputs * layer.neurons);
                    steps = steps.max(layer.inputs);
                }
                OnGpu::Mlp {
                    activation: mlp.activation.code(),
                    layers,
                }
            }
            Body::Neighbours(neighbours) => {
                if neighbours.count > MOST_NEIGHBOURS {
                    let what = format!(
                        "{} neighbours, more than {MOST_NEIGHBOURS}",
                        neighbours.count
                    );
                    return Err(refuse(what));
                }
                machines = neighbours.outputs;
                largest = neighbours.targets.len();
                steps = steps.saturating_mul(neighbours.count + 1);
                OnGpu::Neighbours {
                    targets: gpu.upload("targets", &narrow(neighbours.targets)),
                    count: neighbours.count,
                    weighting: neighbours.weighting.code(),
                }
            }
        };
        if let Decision::Coupled { classes } | Decision::Votes { classes } = plan.decision
            && classes > MOST_CLASSES
        {
            return Err(refuse(format!(
                "{classes} classes, each against each other"
            )));
        }
        let memory = plan.memory_limit.unwrap_or(4 * BUFFER_BYTES);
        let mut games = Self {
            gpu: gpu.clone(),
            combine: plan.combine,
            units: plan.units,
            machines,
            decision: plan.decision,
            body,
            norm: None,
            reach,
            limit,
            budget: (memory / 4).min(limit),
        };
        games.norm = plan.norm.map(|norm| NormOnGpu {
            kind: norm.kind,
            start: gpu.upload("start", &games.pack(norm.start)),
            shift: norm.shift as f32,
            largest: norm.largest,
        });
        // A row, a background row and the fewest coalitions fit, and a launch goes through all units.
        let least =
            4 * u64::from(crate::kernel::WORKGROUP) * games.widest().max(games.unit_cells()) as u64;
        if least.max(4 * largest as u64) > limit || steps as u64 > limits.iterations {
            return Err(refuse(format!("a model of {} units", plan.units)));
        }
        gpu.check("uploading the model")?;
        Ok(games)
    }

    /// The outputs of the model.
    pub fn outputs(&self) -> usize {
        self.decision.outputs(self.machines)
    }

    /// Whether terms, and all that comes of them, stay in the range of float32.
    pub fn takes(&self, terms: Terms<'_>) -> bool {
        let numbers = || terms.terms.iter().chain(terms.start);
        if numbers().any(|number| number.is_nan()) {
            return false;
        }
        let largest = numbers().fold(0.0_f64, |most, number| most.max(number.abs()));
        if self.combine == Combine::Product {
            return largest <= 1.0;
        }
        // Of all players and the start; as much again comes from a background row.
        let players = terms.terms.len() / terms.start.len().max(1);
        let largest = 2.0 * (players + 1) as f64 * largest;
        let Some(norm) = &self.norm else {
            return self.reach.holds(largest);
        };
        // What vanishes in float32 is no row of zeros.
        let mut norms = numbers().skip(self.units - 1).step_by(self.units);
        norms.all(|&norm| norm == 0.0 || norm > 1.0 / MOST)
            && largest < MOST
            && self.reach.holds(norm.largest)
    }

    /// Rows whose mean answers the GPU holds at a time, with so many players and coalitions; at least one.
    pub fn rows_at_once(&self, players: usize, coalitions: usize) -> usize {
        let terms = 4 * self.unit_cells() * (players + 1);
        let means = 8 * self.outputs() * coalitions;
        (self.budget / terms.max(means).max(1) as u64).clamp(1, 1 << 16) as usize
    }

    /// Numbers of a term: sums that are compared, or that cancel, are pairs.
    fn width(&self) -> usize {
        match self.body {
            OnGpu::Linear | OnGpu::Neighbours { .. } => 2,
            OnGpu::Machine { .. } | OnGpu::Mlp { .. } => 1,
        }
    }

    /// Numbers of the units of a row.
    fn unit_cells(&self) -> usize {
        self.units * self.width()
    }

    /// Units of the body.
    fn body_units(&self) -> usize {
        self.units - usize::from(self.norm.is_some())
    }

    /// Numbers of the widest layer of a pair of rows.
    fn widest(&self) -> usize {
        let widest = match &self.body {
            OnGpu::Mlp { layers, .. } => {
                let widths = layers.iter().map(|layer| layer.neurons);
                widths.max().unwrap_or(0)
            }
            _ => self.machines,
        };
        if self.norm.is_none() {
            return widest;
        }
        widest.max(self.body_units() * self.width())
    }

    /// Numbers as the GPU has them, of [`GpuGames::width`] parts each.
    fn pack(&self, numbers: &[f64]) -> Vec<f32> {
        if self.width() == 1 {
            return numbers.iter().map(|&x| x as f32).collect();
        }
        halves(numbers).into_flattened()
    }
}

/// Numbers as pairs of float32: rounded, and what the rounding lost.
fn halves(numbers: &[f64]) -> Vec<[f32; 2]> {
    let halve = |&x: &f64| {
        let high = x as f32;
        [high, (x - f64::from(high)) as f32]
    };
    numbers.iter().map(halve).collect()
}
