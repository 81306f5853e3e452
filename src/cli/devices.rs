//! `whylight devices`: where kernels can run, what they can hold, and which one `auto` takes.

use std::fmt::Write;

use whylight::{Device, Result};

use super::show;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> Result<()> {
    let threads = rayon::current_num_threads();
    let mut text = format!("{:<8}{}, {threads} threads\n", "cpu", Device::cpu().name());
    text += &adapters();
    // Where a GPU is there but cannot be used, the reason says why and what mends it.
    let _ = writeln!(text, "\nauto takes {}", Device::auto().choice());
    show(&text)
}

/// The CPU and every GPU that can be opened, software adapters included.
#[cfg(feature = "gpu")]
pub(super) fn all() -> Vec<Device> {
    let open = |adapter: whylight::gpu::Adapter| {
        let device = Device::gpu(Some(adapter.index));
        device
            .map_err(|error| super::note(&format!("note: left out: {error}")))
            .ok()
    };
    let adapters = whylight::gpu::Gpu::adapters().into_iter().filter_map(open);
    [Device::cpu()].into_iter().chain(adapters).collect()
}

/// The CPU.
#[cfg(not(feature = "gpu"))]
pub(super) fn all() -> Vec<Device> {
    vec![Device::cpu()]
}

#[cfg(feature = "gpu")]
fn adapters() -> String {
    let mut text = String::new();
    for adapter in whylight::gpu::Gpu::adapters() {
        let limits = adapter.limits;
        let _ = writeln!(
            text,
            "{:<8}{}\n        {}, through {}\n        driver {}\n        buffers of {}, of which a kernel \
             sees {}\n        workgroups of {} invocations that share {}",
            format!("gpu:{}", adapter.index),
            adapter.name,
            adapter.kind,
            adapter.backend,
            match adapter.driver.as_str() {
                "" => "unknown",
                driver => driver,
            },
            bytes(limits.buffer_bytes),
            bytes(limits.binding_bytes),
            limits.invocations,
            bytes(u64::from(limits.workgroup_bytes)),
        );
    }
    text
}

#[cfg(not(feature = "gpu"))]
fn adapters() -> String {
    String::new()
}

/// Bytes in the largest binary unit that leaves a number above one.
#[cfg(feature = "gpu")]
fn bytes(bytes: u64) -> String {
    let units = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    let found = units.into_iter().find(|(size, _)| bytes >= *size);
    found.map_or_else(
        || format!("{bytes} B"),
        |(size, unit)| {
            let number = format!("{:.1}", bytes as f64 / size as f64);
            format!("{} {unit}", number.trim_end_matches(".0"))
        },
    )
}
