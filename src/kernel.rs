//! The one list of kernels that have a shader. Adding a kernel is a line here, a file in shaders/
//! and its twin in kernels/src/.

use whylight_kernels::binding::{Binding, Params};

use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu, Program};

/// A kernel that runs on a GPU.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// The stem of its two files, and the shader's entry point.
    pub name: &'static str,
    /// The parts of its source: shared ones, then its own.
    parts: &'static [&'static str],
    /// What the shader binds.
    pub bindings: &'static [Binding],
    /// Name and offset of each member of its parameters.
    pub params: &'static [(&'static str, usize)],
}

/// Invocations of a workgroup: a divisor of the rows of a block, and of a quarter of them.
pub(crate) const WORKGROUP: u32 = 64;

macro_rules! kernels {
    ($($name:ident: $($common:ident)*;)+) => {
        $(
            #[expect(non_upper_case_globals, reason = "named as its files are")]
            #[doc = concat!("shaders/", stringify!($name), ".wgsl")]
            pub const $name: Kernel = Kernel {
                name: stringify!($name),
                parts: &[
                    $(include_str!(concat!("../shaders/common/", stringify!($common), ".wgsl")),)*
                    include_str!(concat!("../shaders/", stringify!($name), ".wgsl")),
                ],
                bindings: whylight_kernels::$name::BINDINGS,
                params: <whylight_kernels::$name::Params as Params>::MEMBERS,
            };
        )+

        /// All kernels.
        pub const ALL: &[Kernel] = &[$($name),+];
    };
}

kernels! {
    predict_trees: work cell sum;
    tree_patterns: work cell;
    tree_tables: work sum;
    tree_quadrature: work cell path rule sum leaf_sums;
    tree_quadrature_interactions: work cell path rule sum;
    tree_leaf_weights: work cell path leaf_table;
    tree_leaf_tables: work rule leaf_table;
    tree_leaves: work cell path sum leaf_sums leaf_table;
    tree_pairs: work cell sum pair_walks;
    tree_pairs_interactions: work cell sum pair_walks;
    kmeans_assign: work;
    coalition_trees: work cell sum;
    coalition_sums: work sum;
    linear: work sum;
    kernel_machine: work;
    mlp: work;
    neighbours: work sum;
    normalised_units: work sum;
    decision: work sum;
    least_squares: work sum;
    product_games: work rule sum;
    convolution: work;
    gather: work;
    scale: work;
    seeds: work;
    rescale: work pairs functions curve;
    products: work pairs;
    pooling: work pairs;
    softmax: work pairs functions sum;
    embedding: work pairs;
    contributions: work sum;
    lines: work;
    vectors: work;
    matmul: work;
    gru: work functions;
    attention: work functions;
    loss: work functions;
    adam: work functions;
    weighted_gram: work sum;
    shuffled_trees: work;
    shuffled_sums: work sum;
}

impl Kernel {
    /// The whole source in WGSL.
    pub fn source(&self) -> String {
        self.parts.join("\n")
    }

    /// Adds a launch to a batch. `buffers` are the bindings after the parameters; `invocations`
    /// are those that have work, in whole workgroups.
    pub(crate) fn launch<P: Params>(
        &self,
        gpu: &Gpu,
        batch: &mut Batch,
        params: P,
        buffers: &[&Buffer],
        invocations: u64,
    ) -> Result<()> {
        let program = Program {
            name: self.name,
            source: &|| self.source(),
            bindings: self.bindings,
            workgroup: WORKGROUP,
        };
        let workgroups = invocations.div_ceil(u64::from(WORKGROUP));
        if workgroups == 0 {
            return Ok(());
        }
        gpu.launch(
            batch,
            &program,
            bytemuck::bytes_of(&params),
            buffers,
            workgroups,
        )
    }
}

/// Features, or pairs of them, that one workgroup holds partial sums of: those of `tree_quadrature`,
/// `tree_leaves`, `tree_pairs` and `tree_pairs_interactions`.
pub(crate) const fn tile() -> u32 {
    whylight_kernels::tree_quadrature::words::SUMS / WORKGROUP
}

// The pairs of a workgroup of `product_games` have an invocation each.
const _: () = assert!(WORKGROUP <= whylight_kernels::product_games::PAIRS_HELD);

// The sums of a tile have an invocation each that adds them up.
const _: () = assert!(tile() <= WORKGROUP);

// The samples of a workgroup of `weighted_gram` have an invocation each.
const _: () = assert!(WORKGROUP <= whylight_kernels::weighted_gram::SAMPLES_HELD);

// The invocations of a sum of `contributions` are of one workgroup.
const _: () = assert!(WORKGROUP.is_multiple_of(whylight_kernels::contributions::TEAM));

// The sets of a workgroup of `tree_leaf_tables` have an invocation each that holds them.
const _: () = assert!(
    1 << whylight_kernels::tree_leaf_tables::LOW
        <= whylight_kernels::tree_leaf_tables::MOST_HELD * WORKGROUP
);
