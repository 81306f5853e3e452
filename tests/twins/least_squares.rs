//! Values of what coalitions are worth, on a GPU and on the CPU.

use whylight::gpu_games::{Body, GpuGames, Plan, Terms};
use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::decision::Decision;
use whylight_kernels::least_squares::share_rest;

use super::gpu;
use crate::kernels::least_squares::{Case, SIZES};
use crate::support::compare::{Output, agree};
use crate::support::random::Random;

const TOLERANCE: f64 = 2e-6;

/// The pairs of a case, then all players and none, as words.
fn masks(case: &Case) -> Vec<u32> {
    let players = case.problem.players;
    let words = players.div_ceil(32);
    let all: Vec<u32> = (0..players as u32).collect();
    let mut masks = Vec::new();
    for members in case.members.iter().chain([&all]) {
        let mut mask = vec![0_u32; words];
        for member in members {
            mask[*member as usize / 32] |= 1 << (member % 32);
        }
        let mut rest: Vec<u32> = mask.iter().map(|word| !word).collect();
        rest[words - 1] &= u32::MAX >> (32 * words - players);
        masks.extend(mask);
        masks.extend(rest);
    }
    masks
}

#[test]
fn values_of_least_squares_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    for (seed, [players, pairs, drawn]) in (1..).zip(SIZES) {
        // Squares of numbers as small, and as large, are no float32.
        for size in [1.0, 1e-25, 1e25] {
            let case = Case::new(players, pairs, drawn, seed);
            let mut random = Random(seed + 100);
            let (units, rows) = (2, 3);
            let mut terms = |count: usize| -> Vec<f64> {
                (0..count * players * units)
                    .map(|_| size * (random.unit() - 0.3))
                    .collect()
            };
            let (rows_terms, others) = (terms(rows), terms(4));
            let start = vec![size; rows * units];
            let of_rows = Terms {
                terms: &rows_terms,
                start: &start,
            };
            let plan = Plan {
                combine: Combine::Sum,
                units,
                norm: None,
                body: Body::Linear,
                decision: Decision::Margins,
                memory_limit: None,
            };
            let games = GpuGames::new(gpu, &plan).unwrap();
            assert!(games.solves(&case.problem, pairs));
            let played = || {
                let masks = masks(&case);
                let mut sums = games.sums(of_rows, players, &masks, players.div_ceil(32));
                sums.add(&others, &[0.25; 4]).unwrap();
                sums
            };
            let means = played().means().unwrap();
            let totals: Vec<f64> = (0..rows * units)
                .map(|at| size * (at as f64 - 0.8))
                .collect();
            let solved = played()
                .solve(&case.problem, &case.members, &totals)
                .unwrap();
            let (mut got, mut expected) = ([solved.slopes, solved.errors], [vec![], vec![]]);
            for (slopes, total) in got[0].chunks_mut(players).zip(&totals) {
                share_rest(slopes, *total);
            }
            for (worths, total) in means.chunks(2 * pairs + 2).zip(&totals) {
                let gains = case.problem.gains(&case.members, worths, *total);
                let (values, errors) = case.problem.values(&case.members, &gains, &gains, *total);
                expected[0].extend(values);
                expected[1].extend(errors);
            }
            for (expected, got) in expected.into_iter().zip(got) {
                let output = |device: &str, values: Vec<f64>| Output {
                    device: device.to_owned(),
                    width: players,
                    values: values.into_iter().map(|value| value / size).collect(),
                };
                let agreed = agree(&output("cpu", expected), &output("gpu", got), TOLERANCE);
                let name = format!("{players} players, numbers of {size}");
                worst = worst.max(agreed.unwrap_or_else(|e| panic!("{name}: {e}")));
            }
        }
    }
    eprintln!("largest difference {worst:.1e}");
}
