//! Values that need no coalitions: of sums over features, and of product kernels.

use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::lanes::LANES;
use whylight_kernels::product_games::{self, Background, Games, Rules};

use super::Native;
use super::lower::Body;
use crate::error::Result;
use crate::explain::kernel_shap::games::Game;
use crate::explain::method::Asked;

/// The values (player, output) of rows that have the same players.
pub(super) fn values(native: &Native, games: &[&Game], asked: &mut Asked) -> Result<Vec<Vec<f64>>> {
    let players = &games[0].players;
    if players.is_empty() {
        return Ok(vec![Vec::new(); games.len()]);
    }
    if let (Some(gpu), Body::Machine { coefficients, .. }) = (&native.on_gpu, &native.lowered.body)
    {
        if let Some(values) = gpu.products(native, games, coefficients)? {
            return Ok(values);
        }
        asked.left += games.len() as u64;
    }
    let rows: Vec<Vec<f64>> = (games.par_iter())
        .map(|game| native.terms(&game.cells, players))
        .collect();
    Ok(match &native.lowered.body {
        Body::Machine { coefficients, .. } => products(native, games, &rows, coefficients),
        Body::Sums { .. } | Body::Mlp(_) | Body::Neighbours { .. } => sums(native, players, rows),
    })
}

/// A unit is an output: a player is worth what it adds, less what it adds on average.
fn sums(native: &Native, players: &[Vec<usize>], mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut means = vec![0.0; players.len() * native.lowered.units()];
    for (block, weights) in native.weights().iter().enumerate() {
        let lanes = native.lanes(block * LANES, players);
        for (mean, lanes) in means.iter_mut().zip(&lanes) {
            *mean += lanes
                .iter()
                .zip(weights)
                .map(|(y, weight)| weight * y)
                .sum::<f64>();
        }
    }
    for (value, mean) in rows.iter_mut().flat_map(|row| row.iter_mut().zip(&means)) {
        *value -= mean;
    }
    rows
}

fn products(
    native: &Native,
    games: &[&Game],
    rows: &[Vec<f64>],
    coefficients: &[f64],
) -> Vec<Vec<f64>> {
    let players = &games[0].players;
    let mut values = vec![vec![0.0; players.len() * native.outputs()]; games.len()];
    let rules = Rules::new(players.len());
    let weights = native.weights();
    let block = (8 * LANES * players.len() * native.lowered.units()) as u64;
    let at_once = (native.memory / block.max(1)).clamp(1, weights.len() as u64) as usize;
    for (number, weights) in weights.chunks(at_once).enumerate() {
        let lanes = |(block, &weights): (usize, &[f64; LANES])| {
            let lanes = native.lanes((number * at_once + block) * LANES, players);
            Background::new(&lanes, players.len(), weights)
        };
        let background: Vec<_> = weights.par_iter().enumerate().map(lanes).collect();
        let of_rows = values.par_iter_mut().zip(games).zip(rows);
        of_rows.for_each(|((values, game), row)| {
            // What does not vary is a factor of every coalition.
            let fixed = native.start(game);
            let coefficients = coefficients.iter().zip(fixed.iter().cycle());
            let games = Games {
                players: players.len(),
                row,
                background: &background,
                coefficients: &coefficients.map(|(a, fixed)| a * fixed).collect::<Vec<_>>(),
            };
            product_games::run(Level::detect(), &games, &rules, values);
        });
    }
    values
}
