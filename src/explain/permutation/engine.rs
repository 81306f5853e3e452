//! What answers shuffled rows, and on which device.

use std::sync::Arc;

use ndarray::Array2;

use super::asked::Asked;
use super::gpu::Games;
use super::rows::Rows;
use super::trees::Ranked;
use super::units::Units;
use super::{LIMIT, PermutationOptions};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explain::answers::Answers;
use crate::model::Model;

/// Players that are shuffled at a time: for each, its number, and by repeat the permutation.
pub(super) type Shuffled = [(usize, Vec<Vec<u32>>)];

/// The device that computes, and why on it.
pub(super) type Place = (Device, String);

/// What answers rows whose columns are shuffled.
pub(super) trait Engine: Send + Sync {
    /// Its name in results.
    fn name(&self) -> &'static str;

    /// The device that computes, and why.
    fn place(&self) -> &Place;

    /// The answers to rows as they are, (rows, outputs).
    fn base(&self, rows: &Rows) -> Result<Array2<f64>>;

    /// The answers (rows, outputs) for each player and repeat, one after the other, as [`Engine::base`] would give them
    /// of the shuffled rows.
    fn answers(&self, rows: &Rows, shuffled: &Shuffled) -> Result<Vec<Array2<f64>>>;

    /// Whether [`Engine::base`] costs next to nothing once shuffled rows were answered.
    fn base_comes_along(&self) -> bool {
        false
    }

    /// Whether an answer can depend on a column.
    fn reads(&self, _feature: usize) -> bool {
        true
    }
}

/// The engine for a model.
pub(super) fn engine<'a>(
    model: &'a Arc<Model>,
    rows: &Rows,
    answers: Answers,
    options: &PermutationOptions,
) -> Result<Box<dyn Engine + 'a>> {
    if let Model::Trees(trees) = &**model
        && !trees.has_linear_leaves()
    {
        return Ok(Box::new(Ranked::new(trees, rows, answers, options)?));
    }
    let made = Games::new(model, rows, &answers, options);
    let (on_gpu, place) = placed(&options.device, made)?;
    if let Some(games) = on_gpu {
        return Ok(Box::new(games));
    }
    if let Some(units) = Units::new(model, answers.output(), rows.players.len(), &place)? {
        return Ok(Box::new(units));
    }
    let limit = options.memory_limit.unwrap_or(LIMIT);
    Ok(Box::new(Asked::new(answers, limit, place)))
}

/// What a GPU holds, and with it the device that computes: the CPU where it holds nothing.
pub(super) fn placed<T>(device: &Device, made: Result<Option<T>>) -> Result<(Option<T>, Place)> {
    match made {
        Err(Error::Unsupported { what, by, .. }) => {
            let reason = format!("{by} cannot hold {what}");
            Ok((None, place_on_cpu(device, &reason)))
        }
        made => Ok(match made? {
            None => (
                None,
                place_on_cpu(device, "this model is asked for shuffled rows"),
            ),
            made => (made, (device.clone(), device.reason())),
        }),
    }
}

/// The CPU, and why where another device was taken.
fn place_on_cpu(device: &Device, reason: &str) -> Place {
    if matches!(device, Device::Cpu { .. }) {
        return (device.clone(), device.reason());
    }
    let reason = format!("{reason} ({} was taken)", device.name());
    (Device::cpu(), reason)
}
