//! What a system offers, and what it can hold.

use std::fmt;

/// What the system offers, as [`super::Gpu::adapters`] lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its number, as in `gpu:N`.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The programming interface it is reached through.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// What it is made of.
    pub kind: AdapterKind,
    /// What it can hold.
    pub limits: Limits,
}

/// What an adapter is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A card with memory of its own.
    Discrete,
    /// A GPU that shares the CPU's memory.
    Integrated,
    /// A GPU shared with other machines.
    Virtual,
    /// Unknown.
    Other,
    /// The CPU itself, in software.
    Software,
}

/// What an adapter can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one buffer that a kernel sees.
    pub binding_bytes: u64,
    /// Bytes of one buffer.
    pub buffer_bytes: u64,
    /// Bytes of memory shared by a workgroup.
    pub workgroup_bytes: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Workgroups along one dimension of a launch.
    pub workgroups: u32,
    /// Storage buffers of one kernel.
    pub storage_buffers: u32,
    /// Loop iterations of one invocation, all of its loops together.
    pub iterations: u64,
    /// Invocations that keep it busy, roughly.
    pub busy: u64,
}

/// Mesa's llvmpipe silently leaves all loops of an invocation after 65,535 iterations altogether. It counts up to two for the
/// end of a loop, of which kernels count one: of loops of two turns these are 9 for 7.
const SOFTWARE_ITERATIONS: u64 = 45_000;

/// Invocations that keep a large GPU busy, and a CPU that plays one.
const BUSY: [u64; 2] = [1 << 16, 1 << 10];

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdapterKind::Discrete => "discrete GPU",
            AdapterKind::Integrated => "integrated GPU",
            AdapterKind::Virtual => "virtual GPU",
            AdapterKind::Other => "adapter of unknown kind",
            AdapterKind::Software => "software adapter on the CPU",
        })
    }
}

impl Adapter {
    pub(super) fn of(index: usize, adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let is_software =
            info.device_type == wgpu::DeviceType::Cpu || info.name.contains("llvmpipe");
        Self {
            index,
            kind: match info.device_type {
                _ if is_software => AdapterKind::Software,
                wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
                wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
                wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
                _ => AdapterKind::Other,
            },
            name: info.name,
            backend: info.backend.to_string(),
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_owned(),
            limits: Limits {
                binding_bytes: limits.max_storage_buffer_binding_size,
                buffer_bytes: limits.max_buffer_size,
                workgroup_bytes: limits.max_compute_workgroup_storage_size,
                invocations: limits.max_compute_invocations_per_workgroup,
                workgroups: limits.max_compute_workgroups_per_dimension,
                storage_buffers: limits.max_storage_buffers_per_shader_stage,
                iterations: if is_software {
                    SOFTWARE_ITERATIONS
                } else {
                    u64::MAX
                },
                busy: BUSY[usize::from(is_software)],
            },
        }
    }
}
