//! Mean answers of coalitions, and exact values of products, on every instruction set against their definitions.

use std::ops::Range;

use whylight_kernels::Level;
use whylight_kernels::coalition_sums::{Coalitions, Combine, Terms};
use whylight_kernels::decision::Decision;
use whylight_kernels::kernel_machine::{self, KernelMachine, Shape};
use whylight_kernels::lanes::LANES;
use whylight_kernels::linear::{self, Linear};
use whylight_kernels::machine::Games;
use whylight_kernels::mlp::{self, Activation, Dense, Mlp};
use whylight_kernels::neighbours::{self, Neighbours, Weighting};
use whylight_kernels::normalised_units::{Kind, Norm};
use whylight_kernels::product_games::{self, Rules};

use crate::reference::shapley;
use crate::support::random::Random;

pub(crate) const WEIGHTINGS: [Weighting; 3] = [
    Weighting::Uniform,
    Weighting::Inverse,
    Weighting::InverseRoot,
];

pub(crate) const SHAPES: [Shape; 6] = [
    Shape::Product,
    Shape::Power { degree: 2 },
    Shape::Tanh,
    Shape::Matern { order: 0 },
    Shape::Matern { order: 1 },
    Shape::Matern { order: 2 },
];

pub(crate) type Kernel<'a> = dyn Fn(&Games<'_, f64>, Range<usize>, &mut [f64]) + 'a;

/// What rows that are normalised have added to their units, but those of zeros.
pub(crate) const SHIFT: f64 = -0.375;

/// Rows and background rows with terms (player, unit), and coalitions.
pub(crate) struct Case {
    pub(crate) players: usize,
    pub(crate) units: usize,
    pub(crate) rows: Vec<Vec<f64>>,
    pub(crate) others: Vec<Vec<f64>>,
    pub(crate) weights: Vec<f64>,
    pub(crate) masks: Vec<u32>,
    /// Where the last unit is the sum of a norm: what it is of that, and what is added to the others.
    pub(crate) norm: Option<(Kind, Vec<f64>)>,
}

impl Case {
    pub(crate) fn new(players: usize, units: usize, rows: usize, others: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut terms = |count: usize| -> Vec<Vec<f64>> {
            let row = |random: &mut Random| (0..players * units).map(|_| random.unit()).collect();
            (0..count).map(|_| row(&mut random)).collect()
        };
        let (rows, others) = (terms(rows), terms(others));
        let weights = (0..others.len()).map(|i| (i % 3) as f64 * 0.25).collect();
        let words = players.div_ceil(32);
        let all = u32::MAX >> (32 * words - players);
        let mut masks: Vec<u32> = (0..7 * words)
            .map(|_| (random.unit() * 4e9) as u32)
            .collect();
        for coalition in masks.chunks_mut(words) {
            coalition[words - 1] &= all;
        }
        Self {
            players,
            units,
            rows,
            others,
            weights,
            masks,
            norm: None,
        }
    }

    /// Rows that are normalised, with one unit more; the first row and the first background row are of zeros.
    pub(crate) fn normalised(mut self, kind: Kind) -> Self {
        let units = self.units;
        for row in self.rows.iter_mut().chain(&mut self.others) {
            let player = |terms: &[f64]| {
                let mut terms: Vec<f64> = terms.iter().map(|term| term - 0.5).collect();
                let norm = terms.iter().map(|term| match kind {
                    Kind::Sum => term.abs(),
                    Kind::Root => term * term,
                });
                let norm = norm.sum();
                terms.push(norm);
                terms
            };
            *row = row.chunks(units).flat_map(player).collect();
        }
        self.rows[0].fill(0.0);
        self.others[0].fill(0.0);
        self.norm = Some((kind, numbers(units, 0.5, 3)));
        self.units += 1;
        self
    }

    /// As a kernel takes it.
    fn norm<'a, T>(&self, start: &'a [T], shift: T) -> Option<Norm<'a, T>> {
        let kind = self.norm.as_ref()?.0;
        Some(Norm { kind, start, shift })
    }

    fn norm_start(&self) -> Vec<f64> {
        self.norm
            .as_ref()
            .map_or_else(Vec::new, |(_, start)| start.clone())
    }

    /// The units of the body.
    fn divided(&self, mut units: Vec<f64>) -> Vec<f64> {
        let Some((kind, start)) = &self.norm else {
            return units;
        };
        let sum = units.pop().unwrap();
        let norm = match kind {
            _ if sum == 0.0 => 1.0,
            Kind::Sum => sum,
            Kind::Root => sum.sqrt(),
        };
        let shift = if sum == 0.0 { 0.0 } else { SHIFT };
        units
            .iter()
            .zip(start)
            .map(|(unit, start)| unit / norm + start + shift)
            .collect()
    }

    /// Makes distances equal, and exact: of the last training row those of the first, and of some rows none at all.
    pub(crate) fn tie(&mut self) {
        for terms in self.rows.iter_mut().chain(&mut self.others) {
            for of_units in terms.chunks_mut(self.units) {
                for term in &mut *of_units {
                    *term = (*term * 8.0).floor() / 4.0;
                }
                of_units[self.units - 1] = of_units[0];
            }
        }
        self.rows[0].fill(0.0);
        self.others[0].fill(0.0);
    }

    fn has(&self, coalition: usize, player: usize) -> bool {
        let words = self.players.div_ceil(32);
        self.masks[coalition * words + player / 32] >> (player % 32) & 1 == 1
    }

    /// The units of a synthetic row.
    fn units_of(&self, combine: Combine, coalition: usize, row: &[f64], other: &[f64]) -> Vec<f64> {
        let unit = |unit: usize| {
            let terms = (0..self.players).map(|player| {
                let from = if self.has(coalition, player) {
                    row
                } else {
                    other
                };
                from[player * self.units + unit]
            });
            match combine {
                Combine::Sum => terms.sum(),
                Combine::Product => terms.product(),
            }
        };
        (0..self.units).map(unit).collect()
    }

    /// The mean answers (coalition, row, output) of margins by their definition.
    pub(crate) fn defined(
        &self,
        combine: Combine,
        decision: Decision,
        margins: &dyn Fn(&[f64]) -> Vec<f64>,
    ) -> Vec<f64> {
        let mut means = Vec::new();
        for coalition in 0..7 {
            for row in &self.rows {
                let mut mean = Vec::new();
                for (other, weight) in self.others.iter().zip(&self.weights) {
                    let units = self.units_of(combine, coalition, row, other);
                    let answer = decision.answers(&margins(&self.divided(units)));
                    mean.resize(answer.len(), 0.0);
                    for (mean, answer) in mean.iter_mut().zip(answer) {
                        *mean += weight * answer;
                    }
                }
                means.extend(mean);
            }
        }
        means
    }

    fn lanes(&self, block: usize, combine: Combine) -> Vec<[f64; LANES]> {
        let others = &self.others[block * LANES..self.others.len().min((block + 1) * LANES)];
        let pad = if combine == Combine::Sum { 0.0 } else { 1.0 };
        let of = |at: usize| std::array::from_fn(|l| others.get(l).map_or(pad, |other| other[at]));
        (0..self.players * self.units).map(of).collect()
    }

    fn lane_weights(&self) -> Vec<[f64; LANES]> {
        let pad = |weights: &[f64]| std::array::from_fn(|l| weights.get(l).copied().unwrap_or(0.0));
        self.weights.chunks(LANES).map(pad).collect()
    }

    pub(crate) fn products(&self) -> Vec<product_games::Background> {
        let block = |(block, weights)| {
            let lanes = self.lanes(block, Combine::Product);
            product_games::Background::new(&lanes, self.players, weights)
        };
        self.lane_weights()
            .into_iter()
            .enumerate()
            .map(block)
            .collect()
    }

    /// What a kernel computes, (coalition, row, output), in pieces of the background and of the coalitions.
    pub(crate) fn run(
        &self,
        combine: Combine,
        decision: Decision,
        outputs: usize,
        kernel: &Kernel<'_>,
    ) -> Vec<f64> {
        let start = if combine == Combine::Sum { 0.0 } else { 1.0 };
        let rows: Vec<Terms<f64>> = (self.rows.iter())
            .map(|terms| Terms::new(combine, vec![start; self.units], terms))
            .collect();
        let blocks = self.others.len().div_ceil(LANES);
        let background: Vec<Terms<[f64; LANES]>> = (0..blocks)
            .map(|block| {
                let lanes = self.lanes(block, combine);
                Terms::new(combine, vec![[start; LANES]; self.units], &lanes)
            })
            .collect();
        let norm = self.norm_start();
        let weights = self.lane_weights();
        let width = self.rows.len() * outputs;
        let mut means = vec![0.0; 7 * width];
        for (background, weights) in background.chunks(2).zip(weights.chunks(2)) {
            let games = Games {
                rows: &rows,
                background,
                weights,
                coalitions: Coalitions {
                    masks: &self.masks,
                    words: self.players.div_ceil(32),
                },
                norm: self.norm(&norm, SHIFT),
                decision,
            };
            kernel(&games, 0..3, &mut means[..3 * width]);
            kernel(&games, 3..7, &mut means[3 * width..]);
        }
        means
    }
}

fn close(name: &str, got: &[f64], expected: &[f64], bound: f64) {
    assert_eq!(got.len(), expected.len(), "{name}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        let off = (got - expected).abs();
        assert!(
            off <= bound * expected.abs().max(1.0),
            "{name}, {at}: {got} {expected}"
        );
    }
}

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let shapes = [
        (1, 1, 1, 1),
        (3, 2, 5, 16),
        (7, 5, 17, 33),
        (33, 9, 2, 40),
        (40, 4, 35, 50),
    ];
    let case =
        |(seed, (players, units, rows, others))| Case::new(players, units, rows, others, seed);
    (1..).zip(shapes).map(case)
}

pub(crate) fn numbers(count: usize, scale: f64, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    (0..count)
        .map(|_| scale * (2.0 * random.unit() - 1.0))
        .collect()
}

#[test]
fn kernel_machines_have_their_definition() {
    for case in cases() {
        for (decision, machines) in [
            (Decision::Margins, 1),
            (Decision::Margins, 3),
            (Decision::Pair { least: 1e-7 }, 1),
            (Decision::Softmax, 3),
            (Decision::Coupled { classes: 2 }, 1),
            (Decision::Coupled { classes: 4 }, 6),
            (Decision::Votes { classes: 3 }, 3),
        ] {
            for shape in SHAPES {
                let combine = if shape == Shape::Product {
                    Combine::Product
                } else {
                    Combine::Sum
                };
                let coefficients = numbers(machines * case.units, 1.0, 5);
                let intercepts = numbers(machines, 0.5, 6);
                let kernel = |unit: f64| match shape {
                    Shape::Product => unit,
                    Shape::Power { degree } => unit.powi(degree as i32),
                    Shape::Tanh => unit.tanh(),
                    Shape::Matern { order: 0 } => (-unit.sqrt()).exp(),
                    Shape::Matern { order: 1 } => (1.0 + unit.sqrt()) * (-unit.sqrt()).exp(),
                    Shape::Matern { .. } => (1.0 + unit.sqrt() + unit / 3.0) * (-unit.sqrt()).exp(),
                    Shape::Exp => unit.exp(),
                };
                let margins = |units: &[f64]| -> Vec<f64> {
                    let machine = |(a, b): (&[f64], &f64)| {
                        b + a
                            .iter()
                            .zip(units)
                            .map(|(a, unit)| a * kernel(*unit))
                            .sum::<f64>()
                    };
                    coefficients
                        .chunks(case.units)
                        .zip(&intercepts)
                        .map(machine)
                        .collect()
                };
                let expected = case.defined(combine, decision, &margins);
                for level in Level::available() {
                    let body = KernelMachine {
                        shape,
                        coefficients: &coefficients,
                        intercepts: &intercepts,
                    };
                    let got = case.run(
                        combine,
                        decision,
                        decision.outputs(machines),
                        &|games, range, means| {
                            kernel_machine::run(level, body, games, range, means);
                        },
                    );
                    let name = format!("{shape:?}, {decision:?} on {}", level.name());
                    close(&name, &got, &expected, 1e-11);
                }
            }
        }
    }
}

#[test]
fn linear_models_have_their_definition() {
    for case in cases() {
        for decision in [Decision::Margins, Decision::Softmax] {
            let expected = case.defined(Combine::Sum, decision, &|units| units.to_vec());
            for level in Level::available() {
                let body = Linear {
                    machines: case.units,
                };
                let got = case.run(
                    Combine::Sum,
                    decision,
                    case.units,
                    &|games, range, means| {
                        linear::run(level, &body, games, range, means);
                    },
                );
                close(level.name(), &got, &expected, 1e-11);
            }
        }
    }
}

/// Many rows and few go through the background, and through coalitions, in other orders; that changes no bit.
#[test]
fn many_rows_have_the_answers_that_few_have() {
    let mut case = Case::new(6, 460, 38, 90, 9);
    let machines = 2;
    let coefficients = numbers(machines * case.units, 1.0, 5);
    let body = KernelMachine {
        shape: Shape::Product,
        coefficients: &coefficients,
        intercepts: &numbers(machines, 0.5, 6),
    };
    // By coalition.
    let run = |case: &Case| -> Vec<Vec<f64>> {
        let decision = Decision::Margins;
        let means = case.run(
            Combine::Product,
            decision,
            machines,
            &|games, range, means| {
                kernel_machine::run(Level::detect(), body, games, range, means);
            },
        );
        let of_coalitions = means.chunks(machines * case.rows.len());
        of_coalitions.map(<[f64]>::to_vec).collect()
    };
    let together = run(&case);
    let rows = std::mem::take(&mut case.rows);
    let mut apart = vec![Vec::new(); together.len()];
    for rows in rows.chunks(15) {
        case.rows = rows.to_vec();
        for (apart, means) in apart.iter_mut().zip(run(&case)) {
            apart.extend(means);
        }
    }
    assert_eq!(together, apart);
}

#[test]
fn perceptrons_have_their_definition() {
    let all = [
        Activation::Identity,
        Activation::Relu,
        Activation::Logistic,
        Activation::Tanh,
    ];
    for (case, widths) in cases().zip([&[1][..], &[2], &[5, 3], &[8, 1], &[6, 7, 2]]) {
        for activation in all {
            let mut inputs = case.units;
            let layers: Vec<Dense> = (widths.iter())
                .map(|&neurons| {
                    let narrow =
                        |numbers: Vec<f64>| numbers.into_iter().map(|x| x as f32).collect();
                    let weights = narrow(numbers(neurons * inputs, 0.4, inputs as u64));
                    inputs = neurons;
                    Dense {
                        weights,
                        biases: narrow(numbers(neurons, 0.5, 9)),
                    }
                })
                .collect();
            let margins = |units: &[f64]| {
                let mut from: Vec<f64> = units.iter().map(|&unit| activation.of(unit)).collect();
                for (number, layer) in layers.iter().enumerate() {
                    let neuron = |(weights, bias): (&[f32], &f32)| {
                        let terms = weights.iter().zip(&from).map(|(w, x)| f64::from(*w) * x);
                        let sum = f64::from(*bias) + terms.sum::<f64>();
                        if number + 1 < layers.len() {
                            activation.of(sum)
                        } else {
                            sum
                        }
                    };
                    from = layer
                        .weights
                        .chunks(from.len())
                        .zip(&layer.biases)
                        .map(neuron)
                        .collect();
                }
                from
            };
            let expected = case.defined(Combine::Sum, Decision::Margins, &margins);
            let body = Mlp {
                activation,
                layers: layers.clone(),
            };
            for level in Level::available() {
                let outputs = *widths.last().unwrap();
                let got = in_float32(&case, outputs, |games, means| {
                    mlp::run(level, &body, games, 0..7, means);
                });
                // Sums of up to 40 terms below 1, in float32.
                close(
                    &format!("{activation:?} on {}", level.name()),
                    &got,
                    &expected,
                    2e-5,
                );
            }
        }
    }
}

/// Every body of sums, of rows that are divided by their norms.
#[test]
fn rows_that_are_normalised_have_their_definition() {
    for case in cases() {
        for kind in [Kind::Sum, Kind::Root] {
            let units = case.units;
            let case = Case::new(case.players, units, case.rows.len(), case.others.len(), 2);
            let case = case.normalised(kind);
            let softmax = Decision::Softmax;
            let sums = case.defined(Combine::Sum, softmax, &|units| units.to_vec());
            let coefficients = numbers(2 * units, 1.0, 5);
            let machines = |kernel: fn(f64) -> f64| {
                let margins = |units: &[f64]| {
                    let machine = |a: &[f64]| {
                        let terms = a.iter().zip(units).map(|(a, unit)| a * kernel(*unit));
                        0.25 + terms.sum::<f64>()
                    };
                    coefficients.chunks(units.len()).map(machine).collect()
                };
                case.defined(Combine::Sum, Decision::Margins, &margins)
            };
            let (cubes, tanh) = (machines(|unit| unit.powi(3)), machines(f64::tanh));
            let exp = machines(f64::exp);
            let narrow: Vec<f32> = coefficients.iter().map(|&x| x as f32).collect();
            for level in Level::available() {
                let name = |body: &str| format!("{body}, {kind:?} on {}", level.name());
                let body = Linear { machines: units };
                let got = case.run(Combine::Sum, softmax, units, &|games, range, means| {
                    linear::run(level, &body, games, range, means);
                });
                close(&name("sums"), &got, &sums, 1e-11);
                for (shape, expected) in [
                    (Shape::Power { degree: 3 }, &cubes),
                    (Shape::Tanh, &tanh),
                    (Shape::Exp, &exp),
                ] {
                    let body = KernelMachine {
                        shape,
                        coefficients: &coefficients,
                        intercepts: &[0.25; 2],
                    };
                    let got = case.run(
                        Combine::Sum,
                        Decision::Margins,
                        2,
                        &|games, range, means| {
                            kernel_machine::run(level, body, games, range, means);
                        },
                    );
                    close(&name("machines"), &got, expected, 1e-11);
                }
                let body = Mlp {
                    activation: Activation::Tanh,
                    layers: vec![Dense {
                        weights: narrow.clone(),
                        biases: vec![0.25; 2],
                    }],
                };
                let got = in_float32(&case, 2, |games, means| {
                    mlp::run(level, &body, games, 0..7, means);
                });
                close(&name("perceptron"), &got, &tanh, 2e-5);
            }
        }
    }
}

#[test]
fn a_norm_beyond_the_range_is_no_number() {
    for kind in [Kind::Sum, Kind::Root] {
        assert!(kind.inverse(f64::INFINITY).is_nan() && kind.inverse(f64::NAN).is_nan());
        assert!((kind.inverse(0.0), kind.inverse(1.0)) == (1.0, 1.0));
    }
    assert!((Kind::Root.inverse(4.0), Kind::Sum.inverse(4.0)) == (0.5, 0.25));
}

pub(crate) fn in_float32(
    case: &Case,
    outputs: usize,
    run: impl Fn(&Games<'_, f32>, &mut [f64]),
) -> Vec<f64> {
    let narrow = |terms: &Vec<f64>| terms.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let rows: Vec<Terms<f32>> = (case.rows.iter())
        .map(|terms| Terms::new(Combine::Sum, vec![0.0; case.units], &narrow(terms)))
        .collect();
    let blocks = 0..case.others.len().div_ceil(LANES);
    let background: Vec<Terms<[f32; LANES]>> = blocks
        .map(|block| {
            let lanes = case.lanes(block, Combine::Sum);
            let lanes: Vec<[f32; LANES]> =
                lanes.iter().map(|lanes| lanes.map(|x| x as f32)).collect();
            Terms::new(Combine::Sum, vec![[0.0; LANES]; case.units], &lanes)
        })
        .collect();
    let mut means = vec![0.0; 7 * case.rows.len() * outputs];
    let norm = narrow(&case.norm_start());
    let games = Games {
        rows: &rows,
        background: &background,
        weights: &case.lane_weights(),
        coalitions: Coalitions {
            masks: &case.masks,
            words: case.players.div_ceil(32),
        },
        norm: case.norm(&norm, SHIFT as f32),
        decision: Decision::Margins,
    };
    run(&games, &mut means);
    means
}

/// The mean target of the nearest units, the first of those that are equally far.
fn mean_target(body: Neighbours<'_>, units: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by(|&a, &b| units[a].total_cmp(&units[b]));
    let is_at_0 = units[order[0]] == 0.0;
    let weight = |unit: usize| match (body.weighting, units[unit] == 0.0) {
        (Weighting::Uniform, _) => 1.0,
        (_, is_there) if is_at_0 => f64::from(u8::from(is_there)),
        (Weighting::Inverse, _) => 1.0 / units[unit],
        (Weighting::InverseRoot, _) => 1.0 / units[unit].sqrt(),
    };
    let nearest = &order[..body.count];
    let total: f64 = nearest.iter().map(|&unit| weight(unit)).sum();
    let mean = |output: usize| {
        let target = |unit: usize| body.targets[unit * body.outputs + output];
        let terms = nearest.iter().map(|&unit| weight(unit) * target(unit));
        terms.sum::<f64>() / total
    };
    (0..body.outputs).map(mean).collect()
}

#[test]
fn neighbours_have_their_definition() {
    for tied in [false, true] {
        for mut case in cases() {
            if tied {
                case.tie();
            }
            for weighting in WEIGHTINGS {
                for count in [1, case.units.div_ceil(2), case.units] {
                    let body = Neighbours {
                        targets: &numbers(2 * case.units, 1.0, 4),
                        outputs: 2,
                        count,
                        weighting,
                    };
                    let decision = Decision::Margins;
                    let margins = |units: &[f64]| mean_target(body, units);
                    let expected = case.defined(Combine::Sum, decision, &margins);
                    for level in Level::available() {
                        let got = case.run(Combine::Sum, decision, 2, &|games, range, means| {
                            neighbours::run(level, body, games, range, means);
                        });
                        let name = format!("{count}, {weighting:?}, tied {tied}, {}", level.name());
                        close(&name, &got, &expected, 1e-11);
                    }
                }
            }
        }
    }
}

#[test]
fn values_of_products_have_their_definition() {
    for (players, machines) in [(1, 1), (2, 2), (5, 1), (9, 3)] {
        let case = Case::new(players, 3, 1, 21, players as u64);
        let coefficients = numbers(machines * 3, 1.0, 8);
        let row = &case.rows[0];
        let mut expected = vec![0.0; players * machines];
        for machine in 0..machines {
            let worth = |set: usize| {
                let mut worth = 0.0;
                for (other, weight) in case.others.iter().zip(&case.weights) {
                    for unit in 0..3 {
                        let of = |player: usize| if set >> player & 1 == 1 { row } else { other };
                        let product: f64 = (0..players)
                            .map(|player| of(player)[player * 3 + unit])
                            .product();
                        worth += weight * coefficients[machine * 3 + unit] * product;
                    }
                }
                worth
            };
            let worths: Vec<f64> = (0..1 << players).map(worth).collect();
            for (player, value) in shapley::values(&worths).into_iter().enumerate() {
                expected[player * machines + machine] = value;
            }
        }
        let background = case.products();
        for level in Level::available() {
            let mut got = vec![0.0; players * machines];
            let games = product_games::Games {
                players,
                row,
                background: &background,
                coefficients: &coefficients,
            };
            product_games::run(level, &games, &Rules::new(players), &mut got);
            // Products in float32.
            close(level.name(), &got, &expected, 2e-7);
        }
    }
}

#[test]
fn wider_vectors_change_no_bit() {
    let case = Case::new(21, 11, 1, 45, 3);
    let coefficients = numbers(22, 1.0, 1);
    let background = case.products();
    let values = |level: Level| {
        let mut values = vec![0.0; 42];
        let games = product_games::Games {
            players: 21,
            row: &case.rows[0],
            background: &background,
            coefficients: &coefficients,
        };
        product_games::run(level, &games, &Rules::new(21), &mut values);
        values
    };
    let fused = Level::available()
        .into_iter()
        .filter(|level| *level != Level::Portable);
    let fused: Vec<Vec<f64>> = fused.map(values).collect();
    for other in &fused {
        assert_eq!(other, &fused[0]);
    }
}

#[test]
fn fewer_points_miss_nothing_of_products() {
    for (players, least) in [(40, 0.0), (40, 0.6), (40, 0.95), (90, 0.9)] {
        let mut case = Case::new(players, 2, 1, 19, 7);
        for term in case.rows.iter_mut().chain(&mut case.others).flatten() {
            *term = least + (1.0 - least) * *term;
        }
        let values = |rules: &Rules| {
            let mut values = vec![0.0; players];
            let games = product_games::Games {
                players,
                row: &case.rows[0],
                background: &case.products(),
                coefficients: &[1.0, -0.5],
            };
            product_games::run(Level::detect(), &games, rules, &mut values);
            values
        };
        let (got, exact) = (values(&Rules::new(players)), values(&Rules::exact(players)));
        let largest = exact.iter().fold(f64::MIN_POSITIVE, |a, b| a.max(b.abs()));
        for (got, exact) in got.iter().zip(&exact) {
            assert!(
                (got - exact).abs() <= 2e-7 * largest,
                "{players}, {least}: {got} {exact}"
            );
        }
    }
}
