//! Where kernels run, and why there.

mod diagnosis;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
#[cfg(feature = "gpu")]
use std::sync::OnceLock;

use whylight_kernels::Level;

use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
use crate::gpu::{AdapterKind, Gpu};
pub use diagnosis::{Diagnosis, System};

/// Where kernels run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Device {
    /// The CPU, with the best instruction set that it has.
    Cpu {
        /// Why it was taken.
        reason: Arc<str>,
    },
    /// A GPU.
    #[cfg(feature = "gpu")]
    Gpu {
        /// The GPU.
        gpu: Gpu,
        /// Why it was taken.
        reason: Arc<str>,
    },
}

impl Device {
    /// The best device for someone who names none: a GPU where one can be used, else the CPU.
    /// Never a software adapter, which is slower than the CPU's own kernels. A process that found no
    /// GPU does not look again.
    pub fn auto() -> Self {
        #[cfg(feature = "gpu")]
        {
            auto_gpu().unwrap_or_else(|reason| Device::Cpu {
                reason: reason.into(),
            })
        }
        #[cfg(not(feature = "gpu"))]
        Device::Cpu {
            reason: NOT_BUILT.into(),
        }
    }

    /// The CPU.
    pub fn cpu() -> Self {
        Device::Cpu {
            reason: "the CPU was asked for".into(),
        }
    }

    /// The GPU with this number in the list of adapters, or the best one. Never falls back to the
    /// CPU; a software adapter is taken only by its number.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no such GPU or it cannot be used, with the way out.
    #[cfg(feature = "gpu")]
    pub fn gpu(index: Option<usize>) -> Result<Self> {
        let (index, reason) = match index {
            Some(index) => (index, format!("gpu:{index} was asked for")),
            None => (
                best_adapter().map_err(|reason| Error::Device {
                    wanted: "gpu".to_owned(),
                    reason,
                })?,
                "a GPU was asked for, and this is the best one".to_owned(),
            ),
        };
        Ok(Device::Gpu {
            gpu: Gpu::open(index)?,
            reason: reason.into(),
        })
    }

    /// Its name in results.
    pub fn name(&self) -> String {
        match self {
            Device::Cpu { .. } => format!("cpu ({})", Level::detect().name()),
            #[cfg(feature = "gpu")]
            Device::Gpu { gpu, .. } => {
                let adapter = gpu.adapter();
                format!(
                    "gpu:{} ({}, {})",
                    adapter.index, adapter.name, adapter.backend
                )
            }
        }
    }

    /// Why it was taken.
    pub fn reason(&self) -> String {
        match self {
            Device::Cpu { reason } => reason.to_string(),
            #[cfg(feature = "gpu")]
            Device::Gpu { reason, .. } => reason.to_string(),
        }
    }

    /// Which device was taken, and why, in one line.
    pub fn choice(&self) -> String {
        format!("{}: {}", self.name(), self.reason())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// `auto`, `cpu`, `gpu`, or `gpu:N` with the number of an adapter.
impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = match text {
            "auto" => return Ok(Self::auto()),
            "cpu" => return Ok(Self::cpu()),
            "gpu" => None,
            _ => match text.strip_prefix("gpu:").map(str::parse) {
                Some(Ok(number)) => Some(number),
                _ => {
                    return Err(Error::Parameter {
                        name: "device",
                        got: format!("\"{text}\""),
                        allowed: "auto, cpu, gpu, or gpu:N with N as `whylight devices` lists it"
                            .to_owned(),
                    });
                }
            },
        };
        by_number(text, number)
    }
}

#[cfg(feature = "gpu")]
fn by_number(_: &str, number: Option<usize>) -> Result<Device> {
    Device::gpu(number)
}

#[cfg(not(feature = "gpu"))]
fn by_number(wanted: &str, _: Option<usize>) -> Result<Device> {
    Err(Error::Device {
        wanted: wanted.to_owned(),
        reason: format!("{NOT_BUILT}; build it with `--features gpu`, or take device cpu"),
    })
}

#[cfg(not(feature = "gpu"))]
const NOT_BUILT: &str = "this build has no GPU support";

/// The GPU that [`Device::auto`] takes, or why it takes none.
#[cfg(feature = "gpu")]
fn auto_gpu() -> std::result::Result<Device, String> {
    // Looking takes tens of milliseconds, and some drivers complain on the screen each time.
    static NONE: OnceLock<String> = OnceLock::new();
    let index = match NONE.get() {
        Some(reason) => return Err(reason.clone()),
        None => best_adapter().map_err(|reason| NONE.get_or_init(|| reason).clone())?,
    };
    match Gpu::open(index) {
        Ok(gpu) => Ok(Device::Gpu {
            reason: format!("the best adapter here, a {}", gpu.adapter().kind).into(),
            gpu,
        }),
        Err(error) => Err(format!("the GPU cannot be used: {error}")),
    }
}

/// The number of the best adapter that is no software, or why there is none.
#[cfg(feature = "gpu")]
fn best_adapter() -> std::result::Result<usize, String> {
    let adapters = Gpu::adapters();
    let hardware = |kind| {
        matches!(
            kind,
            AdapterKind::Discrete | AdapterKind::Integrated | AdapterKind::Virtual
        )
    };
    let best = adapters
        .iter()
        .filter(|adapter| hardware(adapter.kind))
        .min_by_key(|adapter| adapter.kind);
    if let Some(best) = best {
        return Ok(best.index);
    }
    if let Some(diagnosis) = System::default().diagnose() {
        return Err(diagnosis.to_string());
    }
    let others: Vec<String> = adapters
        .iter()
        .map(|adapter| format!("gpu:{} {} ({})", adapter.index, adapter.name, adapter.kind))
        .collect();
    Err(if others.is_empty() {
        "no GPU was found".to_owned()
    } else {
        format!(
            "no GPU was found, only {}, taken only when named",
            others.join(", ")
        )
    })
}
