//! One level of the network: a GRU in both directions over sequences of vectors, and the attention that pools its states.

use whylight_kernels::Level;
use whylight_kernels::attention::{Dropout, pool, pool_back};
use whylight_kernels::gru::{self, Scratch, Sequences, Way};
use whylight_kernels::matmul::{Panels, multiply, outer, sum_rows};
use whylight_kernels::matrix::{LINE, Line, Matrix};

use super::{Config, Tensor};

/// The weights of a level, as the kernels read them.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    sizes: Sizes,
    ways: [Units; 2],
    attention: Panels,
    attention_back: Panels,
    context: Vec<Line>,
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    inputs: usize,
    hidden: usize,
    attention: usize,
}

/// The weights of a direction, and the same the other way round.
#[derive(Debug, Clone)]
struct Units {
    input: Panels,
    input_back: Panels,
    recurrent: Panels,
    recurrent_back: Panels,
}

/// What is asked of the weights of a level.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    /// Of each direction: the inputs' part, and the state's.
    ways: [[Panels; 2]; 2],
    attention: Panels,
    context: Vec<Line>,
}

/// What a level makes of a batch, and what is asked of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pass {
    pub(super) sequences: Sequences,
    /// The inputs, by row.
    pub(super) inputs: Matrix,
    /// What is asked of them.
    pub(super) asked_inputs: Matrix,
    /// The weight of each row in its sequence.
    pub(super) weights: Vec<f32>,
    gates: [Matrix; 2],
    states: Matrix,
    asked_states: Matrix,
    hidden: Matrix,
    scratch: Scratch,
}

impl Sizes {
    fn way(self, way: usize) -> Way {
        Way {
            hidden: self.hidden,
            is_reversed: way == 1,
            column: way * self.hidden,
        }
    }

    /// Where gate and unit of the inputs' part, in the kernel's order n, r, z, are in the tensor's.
    fn gate(self, column: usize) -> usize {
        (column + 2 * self.hidden) % (3 * self.hidden)
    }
}

/// Calls with the weight of every output and input of a matrix in rows of inputs.
fn each(matrix: &[f32], inputs: usize, mut call: impl FnMut(usize, usize, f32)) {
    for (output, row) in matrix.chunks(inputs).enumerate() {
        for (input, &weight) in row.iter().enumerate() {
            call(output, input, weight);
        }
    }
}

/// Tensors of a level: four of each direction, three of attention.
pub(super) const TENSORS: usize = 11;

impl Encoder {
    pub(super) fn new(config: &Config, inputs: usize) -> Self {
        let sizes = Sizes {
            inputs,
            hidden: config.hidden,
            attention: config.attention,
        };
        let gates = 3 * sizes.hidden;
        let units = Units {
            input: Panels::zeros(inputs, gates),
            input_back: Panels::zeros(gates, inputs),
            recurrent: Panels::zeros(sizes.hidden, gates),
            recurrent_back: Panels::zeros(gates, sizes.hidden),
        };
        Self {
            sizes,
            ways: [units.clone(), units],
            attention: Panels::zeros(2 * sizes.hidden, sizes.attention),
            attention_back: Panels::zeros(sizes.attention, 2 * sizes.hidden),
            context: vec![Line::ZERO; sizes.attention.div_ceil(LINE)],
        }
    }

    /// Takes its tensors from all weights.
    pub(super) fn pack(&mut self, tensors: &[Tensor], dense: &[f32]) {
        let of = |tensor: usize| &dense[tensors[tensor].range()];
        let sizes = self.sizes;
        let gates = 3 * sizes.hidden;
        for (way, units) in self.ways.iter_mut().enumerate() {
            let first = 4 * way;
            let (input_bias, recurrent_bias) = (of(first + 2), of(first + 3));
            for column in 0..gates {
                *units.input.bias(column) = input_bias[sizes.gate(column)];
                *units.recurrent.bias(column) = recurrent_bias[column];
            }
            // A gate's column in the kernel's order is the next but one.
            each(of(first), sizes.inputs, |gate, input, weight| {
                let column = (gate + sizes.hidden) % gates;
                *units.input.weight(input, column) = weight;
                *units.input_back.weight(column, input) = weight;
            });
            each(of(first + 1), sizes.hidden, |gate, unit, weight| {
                *units.recurrent.weight(unit, gate) = weight;
                *units.recurrent_back.weight(gate, unit) = weight;
            });
        }
        each(of(8), 2 * sizes.hidden, |output, input, weight| {
            *self.attention.weight(input, output) = weight;
            *self.attention_back.weight(output, input) = weight;
        });
        for (place, (&bias, &context)) in of(9).iter().zip(of(10)).enumerate() {
            *self.attention.bias(place) = bias;
            self.context[place / LINE].0[place % LINE] = context;
        }
    }

    /// Reads `pass.inputs`, and writes a row by sequence to `pooled`.
    pub(super) fn read(
        &self,
        level: Level,
        pass: &mut Pass,
        pooled: &mut Matrix,
        dropout: Dropout,
    ) {
        let sizes = self.sizes;
        let rows = pass.sequences.rows();
        pass.states.reset(rows, 2 * sizes.hidden + LINE);
        for (way, units) in self.ways.iter().enumerate() {
            let gates = &mut pass.gates[way];
            gates.reshape(rows, Way::gates(sizes.hidden));
            let (x, stride) = (pass.inputs.from(0), gates.stride());
            let y = gates.numbers_mut();
            multiply(level, &units.input, x, rows, y, stride, false);
            gru::forward(
                level,
                sizes.way(way),
                &pass.sequences,
                &units.recurrent,
                gates,
                &mut pass.states,
                &mut pass.scratch,
            );
        }
        pass.hidden.reshape(rows, sizes.attention);
        let (x, stride) = (pass.states.from(0), pass.hidden.stride());
        let y = pass.hidden.numbers_mut();
        multiply(level, &self.attention, x, rows, y, stride, false);
        pass.weights.resize(rows, 0.0);
        pooled.reshape(pass.sequences.count(), 2 * sizes.hidden);
        pool(
            level,
            pass.sequences.offsets(),
            &self.context,
            &mut pass.hidden,
            &pass.states,
            2 * sizes.hidden,
            &mut pass.weights,
            pooled,
            dropout,
        );
    }

    /// Goes back from `asked`, what is asked of the pooled rows: adds what is asked of the weights to `sums`, and writes
    /// what is asked of the inputs to `pass.asked_inputs` if that is wanted. [`Encoder::read`] comes before each call.
    pub(super) fn back(
        &self,
        level: Level,
        pass: &mut Pass,
        asked: &mut Matrix,
        mut sums: Option<&mut Sums>,
        asks_inputs: bool,
        dropout: Dropout,
    ) {
        let sizes = self.sizes;
        let rows = pass.sequences.rows();
        let mut unused = vec![Line::ZERO; self.context.len()];
        pass.asked_states.reshape(rows, 2 * sizes.hidden + LINE);
        pool_back(
            level,
            pass.sequences.offsets(),
            &self.context,
            &mut pass.hidden,
            &pass.states,
            2 * sizes.hidden,
            &pass.weights,
            asked,
            &mut pass.asked_states,
            sums.as_deref_mut()
                .map_or(&mut unused[..], |sums| &mut sums.context),
            dropout,
        );
        let (x, stride) = (pass.hidden.from(0), pass.asked_states.stride());
        let y = pass.asked_states.numbers_mut();
        multiply(level, &self.attention_back, x, rows, y, stride, true);
        let each: Vec<[u32; 2]> = (0..rows as u32).map(|row| [row; 2]).collect();
        if let Some(sums) = sums.as_deref_mut() {
            let (x, y) = (pass.states.from(0), pass.hidden.from(0));
            outer(level, &mut sums.attention, x, y, &each);
            sum_rows(level, &mut sums.attention, y, rows);
        }
        if asks_inputs {
            pass.asked_inputs.reshape(rows, sizes.inputs);
        }
        for (way, units) in self.ways.iter().enumerate() {
            let direction = sizes.way(way);
            let gates = &mut pass.gates[way];
            gru::backward(
                level,
                direction,
                &pass.sequences,
                &units.recurrent_back,
                &pass.asked_states,
                &pass.states,
                gates,
                &mut pass.scratch,
            );
            // What is asked of the state's part begins with r: its n is the last of the four.
            let (of_input, of_state) = (gates.from(0), gates.from(sizes.hidden));
            if let Some(sums) = sums.as_deref_mut() {
                let [input, recurrent] = &mut sums.ways[way];
                outer(level, input, pass.inputs.from(0), of_input, &each);
                sum_rows(level, input, of_input, rows);
                let links = pass.sequences.links(direction.is_reversed);
                let states = pass.states.from(direction.column);
                outer(level, recurrent, states, of_state, &links);
                sum_rows(level, recurrent, of_state, rows);
            }
            if asks_inputs {
                let stride = pass.asked_inputs.stride();
                let y = pass.asked_inputs.numbers_mut();
                multiply(
                    level,
                    &units.input_back,
                    of_input,
                    rows,
                    y,
                    stride,
                    way == 1,
                );
            }
        }
    }
}

impl Sums {
    pub(super) fn new(config: &Config, inputs: usize) -> Self {
        let gates = 3 * config.hidden;
        let way = [
            Panels::zeros(inputs, gates),
            Panels::zeros(config.hidden, gates),
        ];
        Self {
            ways: [way.clone(), way],
            attention: Panels::zeros(2 * config.hidden, config.attention),
            context: vec![Line::ZERO; config.attention.div_ceil(LINE)],
        }
    }

    pub(super) fn clear(&mut self) {
        self.ways.iter_mut().flatten().for_each(Panels::clear);
        self.attention.clear();
        self.context.fill(Line::ZERO);
    }

    pub(super) fn add(&mut self, others: &Self) {
        let ways = self.ways.iter_mut().flatten();
        for (sums, others) in ways.zip(others.ways.iter().flatten()) {
            sums.add(others);
        }
        self.attention.add(&others.attention);
        for (sum, other) in self.context.iter_mut().zip(&others.context) {
            for (sum, other) in sum.0.iter_mut().zip(other.0) {
                *sum += other;
            }
        }
    }

    /// Writes the sums in the order of the tensors, the reverse of [`Encoder::pack`].
    pub(super) fn unpack(&mut self, config: &Config, tensors: &[Tensor], dense: &mut [f32]) {
        let hidden = config.hidden;
        let gates = 3 * hidden;
        let column = |gate: usize| (gate + hidden) % gates;
        for (way, [input, recurrent]) in self.ways.iter_mut().enumerate() {
            let [inputs, states, input_bias, recurrent_bias] =
                [0, 1, 2, 3].map(|tensor| tensors[4 * way + tensor].range());
            let width = inputs.len() / gates;
            for (place, to) in dense[inputs].iter_mut().enumerate() {
                *to = *input.weight(place % width, column(place / width));
            }
            for (place, to) in dense[states].iter_mut().enumerate() {
                *to = *recurrent.weight(place % hidden, place / hidden);
            }
            for (gate, to) in dense[input_bias].iter_mut().enumerate() {
                *to = *input.bias(column(gate));
            }
            for (gate, to) in dense[recurrent_bias].iter_mut().enumerate() {
                *to = *recurrent.bias(gate);
            }
        }
        for (place, to) in dense[tensors[8].range()].iter_mut().enumerate() {
            *to = *self
                .attention
                .weight(place % (2 * hidden), place / (2 * hidden));
        }
        for (place, to) in dense[tensors[9].range()].iter_mut().enumerate() {
            *to = *self.attention.bias(place);
        }
        for (place, to) in dense[tensors[10].range()].iter_mut().enumerate() {
            *to = self.context[place / LINE].0[place % LINE];
        }
    }
}
