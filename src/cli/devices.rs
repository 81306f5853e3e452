//! `whylight devices`: where kernels can run.

use whylight::{Device, Error, Result};

use super::show;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> Result<()> {
    let auto = Device::auto();
    show(&format!("auto takes {}: {}\n", auto.name(), auto.reason()))
}

/// The device that `--device` names.
pub(super) fn parse(name: &str) -> Result<Device> {
    match name {
        "auto" | "cpu" => Ok(Device::auto()),
        other => Err(Error::Device {
            wanted: other.to_owned(),
            reason: "no".to_owned(),
        }),
    }
}

/// The CPU and every GPU.
pub(super) fn all() -> Vec<Device> {
    vec![Device::auto()]
}
