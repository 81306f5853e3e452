//! A level of the network on a GPU.

use whylight_kernels::attention::{self, Dropout};
use whylight_kernels::gru::{self, Sequences};

use super::needs::times;
use super::products::{Products, View};
use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu};
use crate::han::Config;
use crate::kernel::{self, WORKGROUP};

/// The buffers of a level, by row unless they say else.
pub(super) struct Level {
    pub(super) inputs: Buffer,
    pub(super) asked_inputs: Buffer,
    /// r, z, n and the state's part of n, of both directions; then what is asked of them.
    gates: Buffer,
    states: Buffer,
    before: Buffer,
    asked_states: Buffer,
    hidden: Buffer,
    asked_hidden: Buffer,
    /// The weights of attention, then what is asked of its scores.
    weights: Buffer,
    /// By sequence and direction.
    carry: Buffer,
    sizes: Sizes,
    /// Times of a sequence in a launch.
    times: u32,
    /// Where its tensors begin.
    tensors: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    inputs: u32,
    hidden: u32,
    attention: u32,
}

/// The sequences of a batch.
pub(super) struct Rows {
    buffer: Buffer,
    all: u32,
    count: u32,
    longest: u32,
}

impl Rows {
    pub(super) fn new(gpu: &Gpu, sequences: &Sequences) -> Self {
        let ends = sequences.offsets().windows(2);
        let list: Vec<[u32; 2]> = ends.map(|ends| [ends[0], ends[1] - ends[0]]).collect();
        Self {
            buffer: gpu.upload("sequences", &list),
            all: sequences.rows() as u32,
            count: sequences.count() as u32,
            longest: sequences.longest() as u32,
        }
    }
}

impl Level {
    pub(super) fn new(
        gpu: &Gpu,
        config: &Config,
        first: usize,
        inputs: usize,
        rows: usize,
        sequences: usize,
    ) -> Self {
        let by = |label: &str, count: usize, width: usize| {
            gpu.storage(label, 4 * count as u64 * width as u64)
        };
        let state = 2 * config.hidden;
        let tensors = config.tensors();
        Self {
            inputs: by("inputs", rows, inputs),
            asked_inputs: by("asked inputs", rows, inputs),
            gates: by("gates", rows, 4 * state),
            states: by("states", rows, state),
            before: by("states before", rows, state),
            asked_states: by("asked states", rows, state),
            hidden: by("hidden", rows, config.attention),
            asked_hidden: by("asked hidden", rows, config.attention),
            weights: by("attention", rows, 2),
            carry: by("carry", sequences, state),
            sizes: Sizes {
                inputs: inputs as u32,
                hidden: config.hidden as u32,
                attention: config.attention as u32,
            },
            times: times(config, &gpu.adapter().limits),
            tensors: tensors[first..]
                .iter()
                .map(|tensor| tensor.start as u32)
                .collect(),
        }
    }

    /// The gates of a direction, from a gate on.
    fn gates(&self, way: u32, gate: u32) -> View<'_> {
        let hidden = self.sizes.hidden;
        View::new(&self.gates, (4 * way + gate) * hidden, 8 * hidden, 1)
    }

    /// From the inputs to the pooled rows.
    pub(super) fn forward(
        &self,
        products: &Products,
        batch: &mut Batch,
        dense: &Buffer,
        rows: &Rows,
        pooled: &Buffer,
        dropout: Dropout,
    ) -> Result<()> {
        let Sizes {
            inputs,
            hidden,
            attention,
        } = self.sizes;
        let x = View::new(&self.inputs, 0, inputs, 1);
        for way in 0..2 {
            let first = 4 * way as usize;
            let weights = View::new(dense, self.tensors[first], 1, inputs);
            let bias = Some((dense, self.tensors[first + 2]));
            let gates = self.gates(way, 0);
            let sizes = [rows.all, 3 * hidden, inputs];
            products.multiply(batch, x, weights, gates, sizes, bias, false)?;
        }
        for begin in (0..rows.longest).step_by(self.times as usize) {
            self.step(
                products,
                batch,
                dense,
                rows,
                [begin, begin + self.times],
                false,
            )?;
        }
        let states = View::new(&self.states, 0, 2 * hidden, 1);
        let weights = View::new(dense, self.tensors[8], 1, 2 * hidden);
        let to = View::new(&self.hidden, 0, attention, 1);
        let sizes = [rows.all, attention, 2 * hidden];
        let bias = Some((dense, self.tensors[9]));
        products.multiply(batch, states, weights, to, sizes, bias, false)?;
        self.pool(products, batch, dense, rows, pooled, dropout, false)
    }

    /// From what is asked of the pooled rows to what is asked of the weights and, if that is wanted, of the inputs.
    #[expect(clippy::too_many_arguments, reason = "a level's inputs and outputs")]
    pub(super) fn back(
        &self,
        products: &Products,
        batch: &mut Batch,
        dense: &Buffer,
        rows: &Rows,
        asked: &Buffer,
        asks_inputs: bool,
        dropout: Dropout,
    ) -> Result<()> {
        let Sizes {
            inputs,
            hidden,
            attention,
        } = self.sizes;
        let (state, count) = (2 * hidden, rows.all);
        let tensors = &self.tensors;
        self.pool(products, batch, dense, rows, asked, dropout, true)?;
        let asked_hidden = View::new(&self.asked_hidden, 0, attention, 1);
        let weights = View::new(dense, tensors[8], state, 1);
        let to = View::new(&self.asked_states, 0, state, 1);
        products.multiply(
            batch,
            asked_hidden,
            weights,
            to,
            [count, state, attention],
            None,
            true,
        )?;
        let asked_hidden = asked_hidden.turned();
        let states = View::new(&self.states, 0, state, 1);
        products.ask(
            batch,
            asked_hidden,
            states,
            [attention, state, count],
            tensors[8],
        )?;
        products.ask_bias(batch, asked_hidden, [attention, count], tensors[9])?;
        let compared = View::new(&self.hidden, 0, 1, attention);
        let scores = View::new(&self.weights, count, 1, 0);
        products.ask(batch, compared, scores, [attention, 1, count], tensors[10])?;
        let chunks = rows.longest.div_ceil(self.times);
        for begin in (0..chunks).rev().map(|chunk| chunk * self.times) {
            self.step(
                products,
                batch,
                dense,
                rows,
                [begin, begin + self.times],
                true,
            )?;
        }
        let x = View::new(&self.inputs, 0, inputs, 1);
        for way in 0..2 {
            let first = 4 * way as usize;
            let [input, recurrent, input_bias, recurrent_bias] =
                [0, 1, 2, 3].map(|tensor| tensors[first + tensor]);
            let of_input = self.gates(way, 0);
            products.ask(
                batch,
                of_input.turned(),
                x,
                [3 * hidden, inputs, count],
                input,
            )?;
            products.ask_bias(batch, of_input.turned(), [3 * hidden, count], input_bias)?;
            let before = View::new(&self.before, way * hidden, state, 1);
            // r and z of the state's part are those of the inputs', and its n comes after theirs.
            for (gate, place, gates) in [(0, 0, 2 * hidden), (3, 2 * hidden, hidden)] {
                let of_state = self.gates(way, gate).turned();
                let to = recurrent + place * hidden;
                products.ask(batch, of_state, before, [gates, hidden, count], to)?;
                products.ask_bias(batch, of_state, [gates, count], recurrent_bias + place)?;
            }
            if asks_inputs {
                let weights = View::new(dense, input, inputs, 1);
                let to = View::new(&self.asked_inputs, 0, inputs, 1);
                let sizes = [count, inputs, 3 * hidden];
                products.multiply(batch, of_input, weights, to, sizes, None, way == 1)?;
            }
        }
        Ok(())
    }

    /// The times from `begin` up to `end`.
    fn step(
        &self,
        products: &Products,
        batch: &mut Batch,
        dense: &Buffer,
        rows: &Rows,
        [begin, end]: [u32; 2],
        back: bool,
    ) -> Result<()> {
        let params = gru::Params {
            hidden: self.sizes.hidden,
            count: rows.count,
            begin,
            end,
            back: u32::from(back),
            weights_0: self.tensors[1],
            weights_1: self.tensors[5],
            bias_0: self.tensors[3],
            bias_1: self.tensors[7],
        };
        let bound = [
            &rows.buffer,
            dense,
            &self.asked_states,
            &self.gates,
            &self.states,
            &self.before,
            &self.carry,
        ];
        let invocations = 2 * u64::from(rows.count) * u64::from(WORKGROUP);
        kernel::gru.launch(&products.gpu, batch, params, &bound, invocations)
    }

    /// Attention, forward or back.
    #[expect(clippy::too_many_arguments, reason = "attention's inputs and outputs")]
    fn pool(
        &self,
        products: &Products,
        batch: &mut Batch,
        dense: &Buffer,
        rows: &Rows,
        pooled: &Buffer,
        dropout: Dropout,
        back: bool,
    ) -> Result<()> {
        let params = attention::Params {
            count: rows.count,
            rows: rows.all,
            attention: self.sizes.attention,
            width: 2 * self.sizes.hidden,
            context: self.tensors[10],
            back: u32::from(back),
            seed: dropout.seed,
            below: dropout.below,
            scale: dropout.scale.to_bits(),
        };
        let bound = [
            &rows.buffer,
            dense,
            &self.hidden,
            &self.states,
            &self.weights,
            pooled,
            &self.asked_hidden,
            &self.asked_states,
        ];
        let invocations = u64::from(rows.count) * u64::from(WORKGROUP);
        kernel::attention.launch(&products.gpu, batch, params, &bound, invocations)
    }
}
