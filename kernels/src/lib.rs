//! The CPU kernels of whylight. Each file is the twin of the compute shader of the same name.
