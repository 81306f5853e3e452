//! Products of matrices on a GPU, and what is asked of the weights.

use whylight_kernels::matmul::{Params, SIDE};

use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu};
use crate::han::Training;
use crate::kernel::{self, WORKGROUP};

/// Products of a part: sums over more are cut, so that many workgroups share them.
const PART: u32 = 512;

/// A matrix in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    buffer: &'a Buffer,
    start: u32,
    row: u32,
    column: u32,
}

impl<'a> View<'a> {
    pub(super) fn new(buffer: &'a Buffer, start: u32, row: u32, column: u32) -> Self {
        Self {
            buffer,
            start,
            row,
            column,
        }
    }

    /// Rows as columns.
    pub(super) fn turned(self) -> Self {
        Self {
            row: self.column,
            column: self.row,
            ..self
        }
    }
}

/// What all products use.
pub(super) struct Products {
    pub(super) gpu: Gpu,
    /// What is asked of the weights, then of the words of the batch.
    pub(super) gradients: Buffer,
    /// Weights but those of the table.
    pub(super) dense: u32,
    /// Multiplications of a word, about.
    pub(super) work: u64,
    parts: Buffer,
    ones: Buffer,
}

impl Products {
    /// For so many gradients, and rows of a level at most.
    pub(super) fn new(gpu: &Gpu, training: &Training, gradients: usize, rows: usize) -> Self {
        let dense = training.han.weights.dense().len();
        let tensors = training.tensors.iter();
        let largest = tensors
            .map(|tensor| tensor.range().len())
            .max()
            .unwrap_or(0);
        let parts = rows.div_ceil(PART as usize);
        Self {
            gradients: gpu.storage("gradients", 4 * gradients as u64),
            dense: dense as u32,
            work: 3 * dense as u64,
            parts: gpu.storage("parts", 4 * (largest * parts) as u64),
            ones: gpu.upload("ones", &[1.0_f32; 16]),
            gpu: gpu.clone(),
        }
    }

    /// Writes c = a · b, of [rows, columns, products]; with `bias` and where its biases begin plus them, with `adds` plus what
    /// is there.
    #[expect(
        clippy::too_many_arguments,
        reason = "three matrices and what becomes of them"
    )]
    pub(super) fn multiply(
        &self,
        batch: &mut Batch,
        a: View<'_>,
        b: View<'_>,
        c: View<'_>,
        sizes: [u32; 3],
        bias: Option<(&Buffer, u32)>,
        adds: bool,
    ) -> Result<()> {
        let params = Params {
            part: sizes[2],
            parts: 1,
            biased: u32::from(bias.is_some()),
            bias_start: bias.map_or(0, |(_, start)| start),
            adds: u32::from(adds),
            ..Params::default()
        };
        let biases = bias.map_or(&self.ones, |(biases, _)| biases);
        self.launch(batch, params, [a, b, c], sizes, biases)
    }

    fn launch(
        &self,
        batch: &mut Batch,
        params: Params,
        [a, b, c]: [View<'_>; 3],
        [rows, columns, products]: [u32; 3],
        biases: &Buffer,
    ) -> Result<()> {
        let params = Params {
            rows,
            columns,
            products,
            a_start: a.start,
            a_row: a.row,
            a_column: a.column,
            b_start: b.start,
            b_row: b.row,
            b_column: b.column,
            c_start: c.start,
            c_row: c.row,
            ..params
        };
        let tiles = u64::from(rows.div_ceil(SIDE)) * u64::from(columns.div_ceil(SIDE));
        let invocations = tiles * u64::from(params.parts) * u64::from(WORKGROUP);
        let bound = [a.buffer, b.buffer, biases, c.buffer];
        kernel::matmul.launch(&self.gpu, batch, params, &bound, invocations)
    }

    /// Writes what is asked of weights, a · b over the rows of a level, to `start` among the gradients.
    pub(super) fn ask(
        &self,
        batch: &mut Batch,
        a: View<'_>,
        b: View<'_>,
        [rows, columns, products]: [u32; 3],
        start: u32,
    ) -> Result<()> {
        let parts = products.div_ceil(PART).max(1);
        let numbers = rows * columns;
        let params = Params {
            part: PART,
            parts,
            c_part: numbers,
            ..Params::default()
        };
        let to = View::new(&self.gradients, start, columns, 1);
        let sizes = [rows, columns, products];
        if parts == 1 {
            return self.launch(batch, params, [a, b, to], sizes, &self.ones);
        }
        let cut = View::new(&self.parts, 0, columns, 1);
        self.launch(batch, params, [a, b, cut], sizes, &self.ones)?;
        // One row of ones: the sum of the parts.
        let ones = View::new(&self.ones, 0, 0, 0);
        let cut = View::new(&self.parts, 0, numbers, 1);
        let to = View::new(&self.gradients, start, numbers, 1);
        self.multiply(batch, ones, cut, to, [1, numbers, parts], None, false)
    }

    /// Writes what is asked of biases: the sums of the rows of a.
    pub(super) fn ask_bias(
        &self,
        batch: &mut Batch,
        a: View<'_>,
        [rows, products]: [u32; 2],
        start: u32,
    ) -> Result<()> {
        let ones = View::new(&self.ones, 0, 0, 0);
        self.ask(batch, a, ones, [rows, 1, products], start)
    }
}
