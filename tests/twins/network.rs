//! The kernels of networks on a GPU against those on the CPU: networks of one kind of step, whose values are what the
//! step makes of multipliers.

use ndarray::Array2;
use whylight::Options;
use whylight::explain::Estimator;
use whylight::model::Network;
use whylight::model::network::{
    Activation, Channels, Dense, Gather, MatMul, Operation, Sum, Windows,
};

use crate::deep::gpu::{compare, on_gpu};
use crate::deep::{explain, options, rows};
use crate::support::network::Draft;
use crate::support::random::Random;

/// Background rows and rows: one lane, idle lanes, several rows of a tile, and more lanes than a workgroup has.
const SIZES: [(usize, usize); 5] = [(1, 1), (1, 66), (3, 5), (33, 4), (70, 2)];

/// Rows of whole numbers from 0 up to below `most`.
fn whole(random: &mut Random, rows: usize, columns: usize, most: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |_| random.below(most) as f32)
}

/// Compares a network of numbers; with `whole` above 0, of whole numbers below it.
fn check(name: &str, network: &Network, most: usize) {
    let Some(gpu) = on_gpu() else { return };
    network.check(std::path::Path::new(name)).unwrap();
    let mut worst = 0.0_f64;
    let mut random = Random(17);
    for (others, count) in SIZES {
        let mut draw = |count| match most {
            0 => rows(&mut random, count, network.cells()),
            _ => whole(&mut random, count, network.cells(), most),
        };
        let (background, explained) = (draw(others), draw(count));
        worst = worst.max(compare(network, &background, &explained, &gpu));
    }
    eprintln!("{name}: largest difference {worst:.1e}");
}

#[test]
fn layers_of_neurons_agree() {
    for (inputs, outputs, rows) in [(1, 1, 1), (7, 9, 1), (20, 17, 3), (65, 8, 1), (3, 40, 2)] {
        let mut draft = Draft::new(1, &[(&[rows, inputs], false)]);
        draft.dense(0, outputs);
        check(&format!("dense {inputs} {outputs}"), &draft.network(), 0);
    }
}

#[test]
fn multipliers_of_two_ways_add_up() {
    let mut draft = Draft::new(2, &[(&[1, 6], false)]);
    let (a, b) = (draft.dense(0, 5), draft.dense(0, 5));
    let c = draft.scale(0, 1, 6);
    let c = draft.gather(&[c, 0, b], 5);
    let d = draft.activation(0, Activation::Relu);
    let d = draft.sum(d, 5);
    draft.add(&[a, b, c, d, a]);
    check("two ways", &draft.network(), 0);
}

#[test]
fn convolutions_agree() {
    // Groups, channels of each, then input, output, kernel, strides, dilations, padding.
    let cases = [
        (
            1,
            [2, 3],
            [
                [1, 1, 9],
                [1, 1, 5],
                [1, 1, 3],
                [1, 1, 2],
                [1, 1, 1],
                [0, 0, 1],
            ],
            false,
        ),
        (
            2,
            [2, 9],
            [
                [1, 5, 6],
                [1, 4, 4],
                [1, 2, 2],
                [1, 1, 1],
                [1, 1, 2],
                [0, 0, 0],
            ],
            false,
        ),
        (
            3,
            [1, 1],
            [
                [2, 3, 4],
                [3, 4, 5],
                [2, 2, 2],
                [1, 1, 1],
                [1, 1, 1],
                [1, 1, 1],
            ],
            false,
        ),
        (
            2,
            [3, 2],
            [
                [1, 3, 3],
                [1, 6, 6],
                [1, 2, 2],
                [1, 2, 2],
                [1, 1, 1],
                [0, 0, 0],
            ],
            true,
        ),
    ];
    for (groups, channels, sizes, is_transposed) in cases {
        let [depth, height, width] = sizes[0];
        let shape = [1, groups * channels[0], depth, height, width];
        let mut draft = Draft::new(3, &[(&shape, false)]);
        draft.convolution(0, groups, channels, sizes, is_transposed);
        let name = format!("{groups} groups of {channels:?}");
        check(&name, &draft.network(), 0);
    }
}

#[test]
fn lists_agree() {
    for seed in 0..3 {
        let mut draft = Draft::new(seed, &[(&[1, 7], false), (&[1, 5], false)]);
        let moved = draft.gather(&[0, 1, 0], 20);
        draft.sum(moved, 11);
        check("lists", &draft.network(), 0);
    }
    // Cells of no input, and a long list.
    let mut draft = Draft::new(9, &[(&[1, 300], false)]);
    let fill = Gather {
        sources: vec![Gather::NONE, 3, Gather::NONE],
        fill: -1.5,
    };
    let filled = draft.step(Operation::Gather(fill), &[0], &[1, 3]);
    let sum = Sum {
        offsets: vec![0, 300],
        sources: (0..300).collect(),
        weights: vec![1.0; 300],
    };
    let summed = draft.step(Operation::Sum(sum), &[0], &[1, 1]);
    let both = draft.gather(&[filled, summed], 9);
    draft.activation(both, Activation::Swish(1.0));
    check("constants", &draft.network(), 0);
}

/// All functions, and whether they take numbers above 0 alone.
fn curves() -> Vec<(Activation, bool)> {
    let any = [
        Activation::Relu,
        Activation::LeakyRelu(Channels::one(0.1)),
        Activation::LeakyRelu(Channels {
            values: vec![0.1, -0.5, 0.0],
            inner: 1,
        }),
        Activation::Elu(0.8),
        Activation::Selu(1.67, 1.05),
        Activation::Celu(0.7),
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Swish(1.0),
        Activation::Swish(1.7),
        Activation::HardSwish,
        Activation::HardSigmoid(0.2, 0.5),
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Clip(-1.0, 0.5),
        Activation::ThresholdedRelu(0.5),
        Activation::Shrink(0.5, 0.25),
        Activation::Exp,
        Activation::Power(2.0),
        Activation::Power(3.0),
        Activation::Abs,
        Activation::Erf,
        Activation::Sin,
        Activation::Cos,
        Activation::Sign,
        Activation::Floor,
        Activation::Ceil,
        Activation::Round,
        Activation::Truncate,
        Activation::Equal(0.5),
        Activation::Greater(0.5),
        Activation::Less(0.5),
    ];
    let positive = [
        Activation::Log,
        Activation::Sqrt,
        Activation::Reciprocal,
        Activation::Power(-0.5),
        Activation::Power(1.5),
        Activation::Power(0.3),
        Activation::Power(-2.2),
    ];
    let any = any.into_iter().map(|curve| (curve, false));
    any.chain(positive.into_iter().map(|curve| (curve, true)))
        .collect()
}

/// Numbers where functions bend, on both sides of them, and far out.
const NUMBERS: [f32; 24] = [
    0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 2.5, -2.5, 0.25, 1e-4, -1e-4, 0.7, -0.7, 5.0, -5.0, 9.0,
    -9.0, 0.3, -0.3, 1.5, -1.5, 12.0, 1e-8,
];

/// Whether a function bends within 1e-5 of a number, or leaps there.
fn is_bent(curve: &Activation, x: f32) -> bool {
    let bends = match curve {
        Activation::HardSigmoid(..) => vec![-2.5, 2.5],
        Activation::Clip(low, high) => vec![*low, *high],
        Activation::ThresholdedRelu(at) => vec![*at],
        Activation::Shrink(at, _) => vec![*at, -*at],
        Activation::Relu | Activation::LeakyRelu(_) | Activation::Abs => vec![0.0],
        _ => Vec::new(),
    };
    bends.iter().any(|bend| (bend - x).abs() < 1e-5)
}

#[test]
fn functions_and_their_quotients_agree_where_numbers_are_near() {
    let Some(gpu) = on_gpu() else { return };
    let near = 1.0_f32 / 256.0;
    let steps = [
        0.0,
        1e-6,
        0.5 * near,
        near,
        near * 1.000_001,
        2.0 * near,
        0.3,
        3.0,
    ];
    let mut worst = [0.0_f64; 2];
    for (curve, is_positive) in curves() {
        let cells = NUMBERS.len();
        let mut draft = Draft::new(1, &[(&[1, cells], false)]);
        draft.activation(0, curve.clone());
        let network = draft.network();
        let held = |x: f32| if is_positive { x.abs().max(0.01) } else { x };
        let r = NUMBERS.map(held);
        let background = Array2::from_shape_fn((1, cells), |(_, cell)| r[cell]);
        let explained = Array2::from_shape_fn((2 * steps.len(), cells), |(row, cell)| {
            let scale = if is_positive {
                r[cell]
            } else {
                r[cell].abs().max(1.0)
            };
            let step = steps[row / 2] * scale;
            held(if row % 2 == 0 {
                r[cell] + step
            } else {
                r[cell] - step
            })
        });
        let on_cpu = explain(&network, &background, &explained, options());
        let on_gpu = explain(&network, &background, &explained, gpu.clone());
        for ((row, cell), &x) in explained.indexed_iter() {
            let at = [row, cell, cell];
            let [a, b] = [on_cpu.values[at], on_gpu.values[at]].map(f64::from);
            let [base, other] = [&on_cpu, &on_gpu].map(|found| found.header.base_values[cell]);
            let size = base.abs().max((base + a).abs()).max(1.0);
            let what = format!("{curve:?} from {} to {x}: {a} {b}", r[cell]);
            assert!(
                (base - other).abs() <= 1e-6 * size,
                "{what}: {base} {other}"
            );
            let [delta, rest] = [&on_cpu, &on_gpu].map(|found| {
                let deltas = found.completeness_delta.as_ref().unwrap();
                f64::from(deltas[[row, cell]])
            });
            let answers = [base + a - delta, other + b - rest];
            assert!(
                (answers[0] - answers[1]).abs() <= 2e-6 * size,
                "{what}: {answers:?}"
            );
            let difference = f64::from((x - r[cell]).abs());
            if difference == 0.0 {
                continue;
            }
            // Quotients have what the values round away; derivatives have not.
            let is_near = steps[row / 2] < 0.9 * near && !is_bent(&curve, r[cell]);
            let slope = (a / difference).abs();
            let (place, scale) = if is_near {
                (0, difference * slope.max(1.0))
            } else {
                (1, size)
            };
            let off = (a - b).abs() / scale;
            assert!(off <= [1e-5, 1e-6][place], "{what}");
            worst[place] = worst[place].max(off);
        }
    }
    eprintln!("largest differences: {:.1e} {:.1e}", worst[0], worst[1]);
}

/// Of equal numbers, the derivative: a dense layer that cancels makes them of different ones.
#[test]
fn derivatives_of_equal_numbers_agree() {
    for (curve, is_positive) in curves() {
        let mut draft = Draft::new(1, &[(&[1, 3], false)]);
        let shift = if is_positive { 1.0 } else { 0.7 };
        let dense = Dense {
            weights: vec![1.0, 2.0, 0.0, -1.0, -2.0, 0.0, 0.0, 0.0, 0.0],
            biases: vec![shift, shift, shift],
            inputs: 3,
        };
        let hidden = draft.step(Operation::Dense(dense), &[0], &[1, 3]);
        draft.activation(hidden, curve.clone());
        let network = draft.network();
        let Some(gpu) = on_gpu() else { return };
        let explained = Array2::from_shape_vec((1, 3), vec![1.5, 1.5, 2.0]).unwrap();
        let background = Array2::from_shape_vec((1, 3), vec![0.25, 0.25, 0.0]).unwrap();
        let expected = explain(&network, &background, &explained, options());
        let got = explain(&network, &background, &explained, gpu);
        for (a, b) in expected.values.iter().zip(&got.values) {
            assert!(
                (a - b).abs() <= 2e-6 * a.abs().max(1.0),
                "{curve:?}: {a} {b}"
            );
        }
    }
}

#[test]
fn products_agree() {
    let mut draft = Draft::new(1, &[(&[1, 7], false)]);
    let bent = draft.activation(0, Activation::Tanh);
    let product = draft.product(0, bent);
    let square = draft.product(product, product);
    draft.product(square, 0);
    check("products", &draft.network(), 0);
    for (batch, rows, inner, columns) in [(1, 1, 7, 1), (3, 5, 3, 6), (1, 4, 4, 4), (2, 1, 1, 9)] {
        let matmul = MatMul {
            batch,
            rows,
            inner,
            columns,
        };
        let shapes = [[batch, rows, inner], [batch, inner, columns]];
        let mut draft = Draft::new(1, &[(&shapes[0], false), (&shapes[1], false)]);
        draft.matmul(0, 1, matmul);
        check(&format!("{matmul:?}"), &draft.network(), 0);
    }
    // Both factors are one tensor.
    let mut draft = Draft::new(1, &[(&[1, 3, 3], false)]);
    let matmul = MatMul {
        batch: 1,
        rows: 3,
        inner: 3,
        columns: 3,
    };
    let bent = draft.activation(0, Activation::Sigmoid);
    draft.matmul(bent, bent, matmul);
    check("a matrix and itself", &draft.network(), 0);
}

#[test]
fn pools_agree() {
    for seed in 0..3 {
        let mut draft = Draft::new(seed, &[(&[1, 9], false)]);
        let pooled = draft.largest(0, 12, 5);
        let again = draft.largest(pooled, 5, 9);
        let bent = draft.activation(0, Activation::Tanh);
        let others = draft.largest(bent, 5, 3);
        draft.add(&[again, others]);
        let network = draft.network();
        check("pools", &network, 0);
        // Ties.
        check("pools of whole numbers", &network, 3);
    }
    let mut draft = Draft::new(5, &[(&[1, 4], false)]);
    let windows = Windows {
        offsets: vec![0, 1, 4, 8],
        sources: vec![2, 3, 3, 1, 0, 1, 2, 3],
    };
    draft.step(Operation::Max(windows), &[0], &[1, 3]);
    check("sources again", &draft.network(), 2);
}

#[test]
fn softmax_agrees() {
    for is_log in [false, true] {
        for (runs, length) in [(1, 1), (3, 5), (1, 13), (2, 33)] {
            let mut draft = Draft::new(1, &[(&[runs, length], false)]);
            let cells = runs * length;
            let mut factors = draft.numbers(length);
            let mut shifts = draft.numbers(length);
            if length > 4 {
                // One that weighs nothing on either side, and one on some; and large ones.
                shifts[1] = f32::MIN;
                factors[2] = 40.0;
                factors[3] = 9.0;
                shifts[4] = -1e9;
            }
            let channels = |values| Channels { values, inner: 1 };
            let scale = Operation::Scale(channels(factors), channels(shifts));
            let scaled = draft.step(scale, &[0], &[runs, length]);
            let soft = draft.softmax(scaled, length, is_log);
            let twice = draft.softmax(0, length, is_log);
            let kept = draft.gather(&[soft, twice], cells);
            if is_log {
                // What is masked has a logarithm that hides the others.
                draft.activation(kept, Activation::Clip(-50.0, 0.0));
            }
            check(&format!("softmax of {length}"), &draft.network(), 0);
        }
    }
}

#[test]
fn rows_of_tables_agree() {
    let mut draft = Draft::new(4, &[(&[1, 5], true)]);
    let rows = draft.embedding(0, 4, 3);
    let others = draft.embedding(0, 6, 3);
    draft.add(&[rows, others]);
    check("embeddings", &draft.network(), 4);
    // Sums that are equal, of numbers that are not.
    let mut draft = Draft::new(4, &[(&[1, 4], true)]);
    let sum = Sum {
        offsets: vec![0, 2, 4],
        sources: vec![0, 1, 2, 3],
        weights: vec![1.0; 4],
    };
    let sums = draft.step(Operation::Sum(sum), &[0], &[1, 2]);
    draft.embedding(sums, 5, 3);
    check("embeddings of sums", &draft.network(), 3);
}

/// Of cubes, every point has a derivative of its own.
#[test]
fn points_on_lines_agree() {
    let Some(gpu) = on_gpu() else { return };
    let mut draft = Draft::new(4, &[(&[1, 5], false), (&[1, 2], false)]);
    let bent = draft.activation(0, Activation::Power(3.0));
    let around = draft.gather(&[0, 1, bent], 9);
    draft.product(around, around);
    let network = draft.network();
    let mut random = Random(17);
    for (others, count) in SIZES {
        let background = rows(&mut random, others, 7);
        let mut explained = rows(&mut random, count, 7);
        // A line of no length.
        explained[[0, 2]] = background[[0, 2]];
        for estimator in [Estimator::IntegratedGradients, Estimator::ExpectedGradients] {
            for layer in [None, Some("t2"), Some("t3")] {
                let gpu = Options {
                    estimator,
                    samples: Some(9),
                    layer: layer.map(str::to_owned),
                    ..gpu.clone()
                };
                compare(&network, &background, &explained, &gpu);
            }
        }
    }
}

#[test]
fn constants_that_repeat_agree() {
    for (inner, channels) in [(1, 1), (4, 3), (1, 12), (12, 1)] {
        let mut draft = Draft::new(4, &[(&[3, 4], false)]);
        let scaled = draft.scale(0, inner, channels);
        draft.scale(scaled, 2, 2);
        check("constants", &draft.network(), 0);
    }
}
