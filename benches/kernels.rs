//! Every kernel by itself, on the CPU and on GPUs.
//!
//! An id reads `kernel/device/ROWSxFEATURESxTREESxDEPTH`; builds have no rows. The CPU runs on one
//! thread, each kernel with every instruction set that the machine has and the kernel has code for.
//! `tree_patterns` is the first step of `tree_tables` and is measured within it. A GPU's times hold
//! the rows' way to the device and the values' way back, so that they end when the host has them.
//!
//! `WHYLIGHT_BENCH_DEVICE` names the GPUs, such as `gpu:0` or `gpu:0,gpu:2`, or `cpu` for none; by
//! default every hardware GPU is measured. A software adapter has to be named.

mod kernels {
    pub(crate) mod case;
    pub(crate) mod cpu;
    #[cfg(feature = "gpu")]
    pub(crate) mod gpu;
}

use std::time::Duration;

use criterion::Criterion;

use kernels::case::Case;
use kernels::cpu;
#[cfg(feature = "gpu")]
use kernels::gpu;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let shallow = [
        Case::new(4096, 12, 100, 3),
        Case::new(4096, 12, 100, 6),
        Case::new(4096, 12, 40, 8),
    ];
    let deep = [
        Case::new(1024, 12, 100, 6),
        Case::new(1024, 28, 20, 10),
        Case::new(256, 28, 2, 16),
    ];
    let few = [Case::new(10, 12, 100, 6), Case::new(10, 28, 20, 10)];
    #[cfg(feature = "gpu")]
    let gpus = gpu::open();

    for case in &shallow {
        cpu::predict_trees(&mut criterion, case);
        #[cfg(feature = "gpu")]
        for gpu in &gpus {
            gpu::predict_trees(&mut criterion, gpu, case);
        }
    }
    for case in &shallow {
        cpu::tree_tables(&mut criterion, case);
        #[cfg(feature = "gpu")]
        for gpu in &gpus {
            gpu::tree_tables(&mut criterion, gpu, case);
        }
    }
    for case in deep.iter().chain(&few) {
        cpu::tree_quadrature(&mut criterion, case);
        #[cfg(feature = "gpu")]
        for gpu in &gpus {
            gpu::tree_quadrature(&mut criterion, gpu, case);
        }
    }
    for case in &few {
        cpu::tree_quadrature_few(&mut criterion, case);
    }
    for case in &few {
        cpu::tree_pairs(&mut criterion, case);
        #[cfg(feature = "gpu")]
        for gpu in &gpus {
            gpu::tree_pairs(&mut criterion, gpu, case);
        }
        cpu::tree_leaves(&mut criterion, case);
        #[cfg(feature = "gpu")]
        for gpu in &gpus {
            gpu::tree_leaves(&mut criterion, gpu, case);
        }
    }
    cpu::kmeans_assign(&mut criterion, &shallow[0]);
    for case in &shallow {
        cpu::tree_tables_build(&mut criterion, case);
    }
    for case in &deep {
        cpu::tree_quadrature_build(&mut criterion, case);
    }
    criterion.final_summary();
}
