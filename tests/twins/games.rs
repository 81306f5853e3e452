//! Games of models that begin with sums or products over players, on a GPU and on the CPU.

use whylight::gpu::Gpu;
use whylight::gpu_games::{Body, GpuGames, Norm, Plan, Terms};
use whylight_kernels::Level;
use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::decision::Decision;
use whylight_kernels::kernel_machine::{self, KernelMachine, Shape};
use whylight_kernels::linear::{self, Linear};
use whylight_kernels::mlp::{self, Activation, Dense, Mlp};
use whylight_kernels::neighbours::{self, Neighbours};
use whylight_kernels::normalised_units::Kind;
use whylight_kernels::product_games::{self, Ends, Rules};

use super::gpu;
use crate::kernels::machines::{Case, SHAPES, SHIFT, WEIGHTINGS, cases, in_float32, numbers};
use crate::support::compare::{Output, agree};

/// Sums of float32 numbers, in units of a row's largest mean answer.
const TOLERANCE: f64 = 2e-6;

/// As LIBSVM's, pairwise coupling stops short of where it goes, and may do so a step earlier or later.
const COUPLED: f64 = 1e-5;

fn output(device: &str, width: usize, values: Vec<f64>) -> Output {
    Output {
        device: device.to_owned(),
        width,
        values,
    }
}

/// Those of the CPU's tests, and one of more players than a workgroup has sets of.
fn all() -> impl Iterator<Item = Case> {
    cases().chain([Case::new(301, 3, 3, 18, 9)])
}

fn on_gpu(gpu: &Gpu, case: &Case, plan: Plan<'_>) -> Vec<f64> {
    let games = GpuGames::new(gpu, &plan).unwrap();
    let start = match plan.combine {
        Combine::Sum => 0.0,
        Combine::Product => 1.0,
    };
    let (terms, start) = (
        case.rows.concat(),
        vec![start; case.rows.len() * case.units],
    );
    let rows = Terms {
        terms: &terms,
        start: &start,
    };
    assert!(games.takes(rows));
    let mut sums = games.sums(rows, case.players, &case.masks, case.players.div_ceil(32));
    // In two pieces.
    let (first, rest) = case.others.split_at(case.others.len() / 3);
    let (first_weights, weights) = case.weights.split_at(first.len());
    sums.add(&first.concat(), first_weights).unwrap();
    sums.add(&rest.concat(), weights).unwrap();
    sums.means().unwrap()
}

/// Compares a kernel's answers (coalition, row, output) with the GPU's (row, output, coalition), whatever the
/// memory.
fn compare(
    gpu: &Gpu,
    case: &Case,
    plan: Plan<'_>,
    outputs: usize,
    on_cpu: &[f64],
    name: &str,
) -> f64 {
    let got = on_gpu(gpu, case, plan);
    for memory_limit in [Some(1), Some(1 << 14)] {
        let plan = Plan {
            memory_limit,
            ..plan
        };
        assert_eq!(
            on_gpu(gpu, case, plan),
            got,
            "{name}: {memory_limit:?} bytes"
        );
    }
    let width = case.rows.len() * outputs;
    let at = |at: usize| on_cpu[at % 7 * width + at / 7];
    let expected = (0..on_cpu.len()).map(at).collect();
    let width = 7 * outputs;
    let (expected, got) = (output("cpu", width, expected), output("gpu", width, got));
    let tolerance = match plan.decision {
        Decision::Coupled { .. } => COUPLED,
        _ => TOLERANCE,
    };
    let agreed = agree(&expected, &got, tolerance);
    agreed.unwrap_or_else(|e| panic!("{name}, {} players: {e}", case.players))
}

#[test]
fn answers_of_kernel_machines_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    for case in all() {
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
                let combine = match shape {
                    Shape::Product => Combine::Product,
                    _ => Combine::Sum,
                };
                let body = KernelMachine {
                    shape,
                    coefficients: &numbers(machines * case.units, 1.0, 5),
                    intercepts: &numbers(machines, 0.5, 6),
                };
                let outputs = decision.outputs(machines);
                let expected = case.run(combine, decision, outputs, &|games, range, means| {
                    kernel_machine::run(Level::detect(), body, games, range, means);
                });
                let plan = Plan {
                    combine,
                    units: case.units,
                    norm: None,
                    body: Body::KernelMachine(body),
                    decision,
                    memory_limit: None,
                };
                let name = format!("{shape:?}, {decision:?}");
                worst = worst.max(compare(gpu, &case, plan, outputs, &expected, &name));
            }
        }
    }
    eprintln!("largest difference {worst:.1e}");
}

#[test]
fn answers_of_rows_that_are_normalised_agree() {
    let Some(gpu) = gpu() else { return };
    for case in all() {
        for kind in [Kind::Sum, Kind::Root] {
            let units = case.units;
            let case = Case::new(case.players, units, case.rows.len(), case.others.len(), 3);
            let case = case.normalised(kind);
            let (_, start) = case.norm.as_ref().unwrap();
            let largest = 60.0;
            let norm = Some(Norm {
                kind,
                start,
                shift: SHIFT,
                largest,
            });
            let coefficients = numbers(2 * units, 1.0, 5);
            let whole = Plan {
                combine: Combine::Sum,
                units: case.units,
                norm,
                body: Body::Linear,
                decision: Decision::Margins,
                memory_limit: None,
            };
            let margins = Decision::Margins;
            let body = Linear { machines: units };
            let expected = case.run(Combine::Sum, margins, units, &|games, range, means| {
                linear::run(Level::detect(), &body, games, range, means);
            });
            compare(gpu, &case, whole, units, &expected, "sums");
            for shape in [Shape::Power { degree: 3 }, Shape::Tanh, Shape::Exp] {
                let body = KernelMachine {
                    shape,
                    coefficients: &coefficients,
                    intercepts: &[0.25; 2],
                };
                let expected = case.run(Combine::Sum, margins, 2, &|games, range, means| {
                    kernel_machine::run(Level::detect(), body, games, range, means);
                });
                let name = format!("{shape:?}");
                compare(
                    gpu,
                    &case,
                    Plan {
                        body: Body::KernelMachine(body),
                        ..whole
                    },
                    2,
                    &expected,
                    &name,
                );
            }
            let layer = |neurons: usize, inputs: usize| Dense {
                weights: numbers(neurons * inputs, 0.4, 5)
                    .iter()
                    .map(|&x| x as f32)
                    .collect(),
                biases: vec![0.25; neurons],
            };
            for layers in [vec![layer(2, units)], vec![layer(6, units), layer(2, 6)]] {
                let body = Mlp {
                    activation: Activation::Relu,
                    layers,
                };
                let expected = in_float32(&case, 2, |games, means| {
                    mlp::run(Level::detect(), &body, games, 0..7, means);
                });
                compare(
                    gpu,
                    &case,
                    Plan {
                        body: Body::Mlp(&body),
                        ..whole
                    },
                    2,
                    &expected,
                    "perceptrons",
                );
            }
        }
    }
}

#[test]
fn norms_beyond_float32_are_not_taken() {
    let Some(gpu) = gpu() else { return };
    let takes = |largest: f64, terms: [f64; 4]| {
        let plan = Plan {
            combine: Combine::Sum,
            units: 2,
            norm: Some(Norm {
                kind: Kind::Root,
                start: &[0.5],
                shift: 0.0,
                largest,
            }),
            body: Body::Linear,
            decision: Decision::Margins,
            memory_limit: None,
        };
        let terms = Terms {
            terms: &terms,
            start: &[0.0, 0.0],
        };
        GpuGames::new(gpu, &plan).unwrap().takes(terms)
    };
    assert!(takes(10.0, [0.0, 0.0, 1e20, 1e25]));
    assert!(takes(10.0, [1e-20, 1e-25, -1.0, 1.0]));
    // Squares that are too large, or that vanish; and units that are too large whatever the row.
    assert!(!takes(10.0, [1e20, 1e40, 1.0, 1.0]));
    assert!(!takes(10.0, [1e-20, 1e-40, 1.0, 1.0]));
    assert!(!takes(1e31, [1.0; 4]));
    assert!(!takes(10.0, [f64::NAN, 1.0, 1.0, 1.0]));
}

#[test]
fn answers_of_sums_agree() {
    let Some(gpu) = gpu() else { return };
    for case in all() {
        for decision in [Decision::Margins, Decision::Softmax] {
            let body = Linear {
                machines: case.units,
            };
            let expected = case.run(
                Combine::Sum,
                decision,
                case.units,
                &|games, range, means| {
                    linear::run(Level::detect(), &body, games, range, means);
                },
            );
            let plan = Plan {
                combine: Combine::Sum,
                units: case.units,
                norm: None,
                body: Body::Linear,
                decision,
                memory_limit: None,
            };
            compare(gpu, &case, plan, case.units, &expected, "sums");
        }
    }
}

#[test]
fn answers_of_perceptrons_agree() {
    let Some(gpu) = gpu() else { return };
    let all_activations = [
        Activation::Identity,
        Activation::Relu,
        Activation::Logistic,
        Activation::Tanh,
    ];
    let widths = [&[1][..], &[2], &[5, 3], &[8, 1], &[6, 7, 2], &[3, 9, 4, 2]];
    for (case, widths) in all().zip(widths) {
        for activation in all_activations {
            let mut inputs = case.units;
            let layer = |&neurons: &usize| {
                let narrow = |numbers: Vec<f64>| numbers.into_iter().map(|x| x as f32).collect();
                let weights = narrow(numbers(neurons * inputs, 0.4, inputs as u64));
                inputs = neurons;
                Dense {
                    weights,
                    biases: narrow(numbers(neurons, 0.5, 9)),
                }
            };
            let body = Mlp {
                activation,
                layers: widths.iter().map(layer).collect(),
            };
            let outputs = *widths.last().unwrap();
            let expected = in_float32(&case, outputs, |games, means| {
                mlp::run(Level::detect(), &body, games, 0..7, means);
            });
            let plan = Plan {
                combine: Combine::Sum,
                units: case.units,
                norm: None,
                body: Body::Mlp(&body),
                decision: Decision::Margins,
                memory_limit: None,
            };
            compare(
                gpu,
                &case,
                plan,
                outputs,
                &expected,
                &format!("{activation:?} {widths:?}"),
            );
        }
    }
}

#[test]
fn answers_of_neighbours_agree() {
    let Some(gpu) = gpu() else { return };
    for mut case in all() {
        case.tie();
        for weighting in WEIGHTINGS {
            for count in [1, case.units.div_ceil(2), case.units] {
                let body = Neighbours {
                    targets: &numbers(2 * case.units, 1.0, 4),
                    outputs: 2,
                    count,
                    weighting,
                };
                let decision = Decision::Margins;
                let expected = case.run(Combine::Sum, decision, 2, &|games, range, means| {
                    neighbours::run(Level::detect(), body, games, range, means);
                });
                let plan = Plan {
                    combine: Combine::Sum,
                    units: case.units,
                    norm: None,
                    body: Body::Neighbours(body),
                    decision,
                    memory_limit: None,
                };
                let name = format!("{count} neighbours, {weighting:?}");
                compare(gpu, &case, plan, 2, &expected, &name);
            }
        }
    }
}

/// NaN anywhere, and sums or powers that float32 does not have.
#[test]
fn terms_beyond_float32_are_not_taken() {
    let Some(gpu) = gpu() else { return };
    let body = |shape| KernelMachine {
        shape,
        coefficients: &[1.0, -2.0],
        intercepts: &[0.5],
    };
    let takes = |shape, terms: [f64; 4]| {
        let plan = Plan {
            combine: match shape {
                Shape::Product => Combine::Product,
                _ => Combine::Sum,
            },
            units: 2,
            norm: None,
            body: Body::KernelMachine(body(shape)),
            decision: Decision::Margins,
            memory_limit: None,
        };
        let terms = Terms {
            terms: &terms,
            start: &[0.25, 0.5],
        };
        GpuGames::new(gpu, &plan).unwrap().takes(terms)
    };
    let cubes = Shape::Power { degree: 3 };
    for shape in [Shape::Product, cubes, Shape::Tanh] {
        assert!(takes(shape, [0.5, 0.0, 1.0, 0.25]), "{shape:?}");
        for bad in [f64::NAN, f64::INFINITY, 1e31] {
            for at in 0..4 {
                let mut terms = [0.5; 4];
                terms[at] = bad;
                assert!(!takes(shape, terms), "{shape:?}: {terms:?}");
            }
        }
    }
    assert!(takes(cubes, [1e9; 4]) && !takes(cubes, [1e11; 4]));
}

#[test]
fn values_of_products_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    let cases = [
        (1, 1, 1, 0.0),
        (5, 3, 21, 0.0),
        (21, 11, 45, 0.4),
        (64, 40, 50, 0.9),
        (65, 7, 19, 0.95),
        (130, 9, 30, 0.98),
    ];
    for (seed, (players, units, others, least)) in (1..).zip(cases) {
        for machines in [1, 3] {
            let mut case = Case::new(players, units, 3, others, seed);
            for term in case.rows.iter_mut().chain(&mut case.others).flatten() {
                *term = least + (1.0 - least) * *term;
            }
            // What is far from a support vector is like it in nothing.
            case.rows[0][0] = 0.0;
            case.others[0][0] = 0.0;
            let coefficients = numbers(machines * units, 1.0, 8);
            let mut expected = vec![0.0; 3 * players * machines];
            for (row, values) in case
                .rows
                .iter()
                .zip(expected.chunks_mut(players * machines))
            {
                let games = product_games::Games {
                    players,
                    row,
                    background: &case.products(),
                    coefficients: &coefficients,
                };
                let rules = Rules::new(players);
                product_games::run(Level::detect(), &games, &rules, values);
            }
            let body = KernelMachine {
                shape: Shape::Product,
                coefficients: &coefficients,
                intercepts: &vec![0.0; machines],
            };
            let plan = Plan {
                combine: Combine::Product,
                units,
                norm: None,
                body: Body::KernelMachine(body),
                decision: Decision::Margins,
                memory_limit: None,
            };
            let of = |memory_limit| {
                let plan = Plan {
                    memory_limit,
                    ..plan
                };
                let games = GpuGames::new(gpu, &plan).unwrap();
                let (terms, start) = (case.rows.concat(), vec![1.0; 3 * units]);
                let rows = Terms {
                    terms: &terms,
                    start: &start,
                };
                let mut values = vec![0.0; expected.len()];
                let others = case.others.concat();
                let mut ends = Ends::new(players, units);
                ends.extend(others.chunks(players * units));
                let products = games
                    .products(&others, players, &case.weights, &ends)
                    .unwrap();
                products.add(rows, &coefficients, &mut values).unwrap();
                values
            };
            let got = of(None);
            assert_eq!(of(Some(1)), got);
            let width = players * machines;
            let agreed = agree(
                &output("cpu", width, expected),
                &output("gpu", width, got),
                1e-5,
            );
            worst = worst.max(agreed.unwrap_or_else(|e| panic!("{players} players: {e}")));
        }
    }
    eprintln!("largest difference {worst:.1e}");
}
