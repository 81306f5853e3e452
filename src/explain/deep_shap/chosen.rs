//! Where a network is explained, and by which engine.

use std::sync::Arc;

use super::cpu::Cpu;
use super::gradients::Gradients;
use super::graph::Graph;
use super::lines::Lines;
use super::{Engine, gpu};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explain::{Estimator, Options};
use crate::model::Network;

/// Points of a line of integrated gradients, and random points of expected ones, where nothing is said.
const POINTS: usize = 32;
const RANDOM: usize = 1024;

/// Points at most.
const MOST_POINTS: usize = 1 << 16;

/// Where a network is explained.
pub(super) struct Chosen {
    pub(super) engine: Box<dyn Engine>,
    pub(super) device: Device,
    /// Why on it.
    pub(super) reason: String,
    pub(super) notes: Vec<String>,
}

/// Where an estimator takes derivatives; `None` for the rules.
pub(super) fn lines(options: &Options, estimator: Estimator) -> Result<Option<Lines>> {
    let points = options.samples.map(|pairs| 2 * pairs as usize);
    if points.is_some_and(|points| points > MOST_POINTS) {
        return Err(Error::Parameter {
            name: "nsamples",
            got: points.unwrap_or_default().to_string(),
            allowed: format!("up to {MOST_POINTS} points"),
        });
    }
    Ok(match estimator {
        Estimator::IntegratedGradients => Some(Lines::All(points.unwrap_or(POINTS))),
        Estimator::ExpectedGradients => Some(Lines::Random(points.unwrap_or(RANDOM), options.seed)),
        _ => None,
    })
}

/// The engine of derivatives on lines from the background, rows of cells, to what is explained, of the inputs or of a layer.
pub(super) fn gradients(
    options: &Options,
    network: &Network,
    layer: Option<usize>,
    lines: Lines,
    others: &[&[f64]],
    weights: &[f64],
) -> Result<Chosen> {
    let made = gpu::gradients(options, network, layer, lines, others, weights);
    on_device(options, made, || {
        let memory = options.memory_limit;
        Box::new(Gradients::new(
            network, layer, lines, others, weights, memory,
        ))
    })
}

/// Whether an estimator is one of networks.
pub(super) fn of_networks(estimator: Estimator) -> bool {
    matches!(
        estimator,
        Estimator::Auto | Estimator::IntegratedGradients | Estimator::ExpectedGradients
    )
}

/// The engine of multipliers, by the rules.
pub(super) fn choose(
    options: &Options,
    graph: &Arc<Graph>,
    others: &[&[f64]],
    weights: &[f64],
) -> Result<Chosen> {
    let made = gpu::engine(options, graph, others, weights);
    on_device(options, made, || {
        let (graph, memory) = (Arc::clone(graph), options.memory_limit);
        Box::new(Cpu::new(graph, others, weights, memory))
    })
}

/// The engine that was made for a GPU; that of the CPU where it was asked for, or where a GPU cannot hold the network.
fn on_device(
    options: &Options,
    made: Result<Option<Box<dyn Engine>>>,
    on_cpu: impl FnOnce() -> Box<dyn Engine>,
) -> Result<Chosen> {
    let (device, reason) = (options.device.clone(), options.device.reason());
    match made {
        Err(Error::Unsupported { what, by, .. }) => {
            let reason = format!("{by} cannot hold {what}");
            Ok(Chosen {
                engine: on_cpu(),
                notes: vec![format!("{} was not used: {reason}", device.name())],
                device: Device::cpu(),
                reason,
            })
        }
        made => Ok(Chosen {
            engine: made?.unwrap_or_else(on_cpu),
            device,
            reason,
            notes: Vec::new(),
        }),
    }
}
