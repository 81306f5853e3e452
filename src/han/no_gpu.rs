//! What stands for a GPU in a build that has none: nothing.

use super::cpu::Gradients;
use super::training::Steps;
use super::{Corpus, Training};
use crate::device::Device;
use crate::error::Result;

pub(super) fn able(_: &Training, device: &Device, _: Option<Corpus<'_>>) -> Device {
    device.clone()
}

pub(super) fn steps(_: &Training, _: &Device, _: Corpus<'_>) -> Option<Box<dyn Steps>> {
    None
}

#[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
pub(super) fn ask_all(_: &Training, _: Corpus<'_>) -> Result<Option<Gradients>> {
    Ok(None)
}
