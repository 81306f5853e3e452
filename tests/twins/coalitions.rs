//! What coalitions are worth, on a GPU and on the CPU.

use whylight::gpu_coalitions::{GpuCoalitions, Plan};
use whylight_kernels::coalition_trees::{self, Scratch};

use super::gpu;
use crate::kernels::coalitions::{Case, cases, members, responses};
use crate::support::compare::{Output, agree};
use crate::support::forest::Spec;

/// Responses in float32, and their means in pairs: in units of a row's largest worth.
const TOLERANCE: f64 = 2e-6;

fn plan(case: &Case, response: whylight_kernels::response::Response) -> Plan<'_> {
    Plan {
        forest: &case.forest,
        thresholds: &case.thresholds,
        background: &case.background,
        weights: &case.weights,
        base: &case.base,
        response,
    }
}

fn output(device: &str, values: Vec<f64>) -> Output {
    Output {
        device: device.to_owned(),
        width: values.len(),
        values,
    }
}

#[test]
fn every_coalition_is_worth_the_same() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    for (seed, case) in cases() {
        let players = case.players();
        for response in responses() {
            let mut expected = vec![0.0; response.outputs(case.base.len()) << players];
            let mut scratch = Scratch::default();
            let game = case.game(response);
            coalition_trees::every(game, 0, players as u32, &mut scratch, &mut expected);
            let on_gpu = GpuCoalitions::new(gpu, &plan(&case, response)).unwrap();
            let masks: Vec<u32> = (0..1_u32 << players).collect();
            // Two rows, of which the second has no players: for it every coalition is the last.
            let cells = [&case.row[..], &case.row[..]].concat();
            let mut places = case.places.clone();
            places.extend(vec![coalition_trees::NONE; case.places.len()]);
            let got = on_gpu.worth(&cells, &places, &masks, 1).unwrap();
            let (got, alone) = got.split_at(expected.len());
            let name = format!("seed {seed}, {response:?}");
            let count = 1 << players;
            for (expected, alone) in expected.chunks(count).zip(alone.chunks(count)) {
                let all = expected[count - 1];
                let off = |x: &f64| (x - all).abs() > TOLERANCE * all.abs().max(1.0);
                assert!(!alone.iter().any(off), "{name}: {alone:?} are not {all}");
            }
            let agreed = agree(
                &output("cpu", expected),
                &output("gpu", got.to_vec()),
                TOLERANCE,
            );
            worst = worst.max(agreed.unwrap_or_else(|e| panic!("{name}: {e}")));
        }
    }
    eprintln!("largest difference {worst:.1e}");
}

#[test]
fn some_coalitions_of_many_players_are_worth_the_same() {
    let Some(gpu) = gpu() else { return };
    for (seed, features) in [(1, 33), (2, 40), (3, 70)] {
        let spec = Spec {
            trees: 12,
            depth: 7,
            features,
            outputs: 2,
            ..Spec::default()
        };
        let case = Case::new(spec, seed, 9);
        let players = case.players();
        let coalitions: Vec<usize> = (0..200_u64)
            .map(|c| c.wrapping_mul(0x9E37_79B9_7F4A_7C15) as usize)
            .collect();
        let words = players.div_ceil(32);
        let masks: Vec<u32> = (coalitions.iter())
            .flat_map(|coalition| {
                (0..words).map(move |word| match word {
                    0 => *coalition as u32,
                    1 => (*coalition >> 32) as u32,
                    _ => 0,
                })
            })
            .collect();
        for response in responses() {
            let mut expected = vec![0.0; response.outputs(2) * coalitions.len()];
            let mut sets = members(&coalitions, players.min(64));
            sets.resize(players, [0; coalition_trees::CHUNK / 64]);
            let mut scratch = Scratch::default();
            let game = case.game(response);
            coalition_trees::some(game, &sets, coalitions.len(), &mut scratch, &mut expected);
            let on_gpu = GpuCoalitions::new(gpu, &plan(&case, response)).unwrap();
            let got = on_gpu
                .worth(&case.row, &case.places, &masks, words)
                .unwrap();
            agree(&output("cpu", expected), &output("gpu", got), TOLERANCE)
                .unwrap_or_else(|e| panic!("{features} features, {response:?}: {e}"));
        }
    }
}
