//! Where kernels run.

use whylight_kernels::Level;

/// Where kernels run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Device {
    /// The CPU, with the best instruction set that it has.
    Cpu,
}

impl Device {
    /// The device that is used when none is named.
    pub fn auto() -> Self {
        Device::Cpu
    }

    /// Its name in results.
    pub fn name(&self) -> String {
        format!("cpu ({})", Level::detect().name())
    }

    /// Why it was taken.
    pub fn reason(&self) -> String {
        "the CPU was asked for".to_owned()
    }
}
