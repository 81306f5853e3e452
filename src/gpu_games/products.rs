//! Exact values of product kernels: the background stays on the GPU while rows come and go.

use whylight_kernels::product_games::{Ends, Params, Rules};
use whylight_kernels::tree_quadrature::words::Points;

use super::{GpuGames, OnGpu, Terms, WORK};
use crate::error::{Error, Result};
use crate::gpu::Buffer;
use crate::kernel::{self, WORKGROUP};

/// Pairs of a workgroup, roughly, where a background row has not more.
const PAIRS: usize = 1024;

/// Background rows of a workgroup at most.
const MOST_OTHERS: usize = 64;

/// Some background rows and the points of their games, on a GPU.
#[derive(Debug)]
pub struct Products<'a> {
    games: &'a GpuGames,
    players: usize,
    others: usize,
    /// Background rows of a workgroup.
    of_part: usize,
    rules: Rules,
    /// The first and the end of the points of each rule, by fours.
    places: Vec<[u32; 2]>,
    ends: &'a Ends,
    y: Buffer,
    weights: Buffer,
    points: Buffer,
}

/// Points of a game at most, by fours.
fn most_points(players: usize) -> usize {
    let rules = Rules::new(players);
    rules
        .all()
        .last()
        .map_or(1, |rule| rule.points.len().div_ceil(4))
}

/// What terms lack to 1, from (player, unit) to (unit, player).
fn lacks(terms: &[f64], players: usize) -> impl Iterator<Item = f32> + '_ {
    let units = terms.len() / players;
    let of_unit = move |unit| terms[unit..].iter().step_by(units);
    (0..units).flat_map(of_unit).map(|term| (1.0 - term) as f32)
}

impl GpuGames {
    /// Uploads the terms (row, player, unit) of some background rows, which have as many weights; there is at least
    /// one player. The ends are those of all.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the GPU has no room for them, or for games of so many players; [`Error::Gpu`] if
    /// it fails.
    pub fn products<'a>(
        &'a self,
        others: &[f64],
        players: usize,
        weights: &[f64],
        ends: &'a Ends,
    ) -> Result<Products<'a>> {
        let width = players * self.units;
        let of_part = self.others_of_part(players);
        let rules = Rules::new(players);
        let (mut points, mut places) = (Vec::new(), Vec::new());
        for rule in rules.all() {
            let first = points.len() as u32;
            points.extend(Points::of(rule));
            places.push([first, points.len() as u32]);
        }
        let rows = others.chunks_exact(width);
        let y = rows.flat_map(|row| lacks(row, players));
        let y: Vec<f32> = y.collect();
        if 4 * y.len() as u64 > self.limit || of_part == 0 {
            return Err(self.refused(players));
        }
        let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        Ok(Products {
            games: self,
            players,
            others: weights.len(),
            of_part,
            rules,
            places,
            ends,
            y: self.gpu.upload("y", &y),
            weights: self.gpu.upload("weights", &narrow),
            points: self.gpu.upload("points", &points),
        })
    }

    /// Background rows of so many players that go at a time, where the memory has room for up to `most`: the same
    /// workgroups have the same rows, however many go together.
    pub fn others_at_once(&self, players: usize, most: usize) -> usize {
        let held = self.budget / (4 * players.max(1) * self.units) as u64;
        let of_part = self.others_of_part(players).max(1);
        (most.min(usize::try_from(held).unwrap_or(most)) / of_part).max(1) * of_part
    }

    /// Background rows of a workgroup; 0 where a launch cannot go through a single one.
    fn others_of_part(&self, players: usize) -> usize {
        let of_part = (PAIRS / self.units).clamp(1, MOST_OTHERS);
        let of_tile = most_points(players) * (players + WORKGROUP as usize);
        let tiles = self.gpu.adapter().limits.iterations / of_tile as u64;
        let pairs = tiles.saturating_mul(WORKGROUP.into());
        of_part.min(usize::try_from(pairs / self.units as u64).unwrap_or(of_part))
    }

    fn refused(&self, players: usize) -> Error {
        Error::Unsupported {
            what: format!("products over {players} players"),
            by: format!("GPU {}", self.gpu.adapter().name),
            instead: "use device cpu".to_owned(),
        }
    }
}

impl Products<'_> {
    /// Adds the values (row, player, machine) of rows to `values`. The coefficients (machine, unit) are those of the
    /// model.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the GPU has no room for games of so many players; [`Error::Gpu`] if it fails.
    pub fn add(&self, rows: Terms<'_>, coefficients: &[f64], values: &mut [f64]) -> Result<()> {
        let (games, players) = (self.games, self.players);
        let (units, machines) = (games.units, games.machines);
        let steps = 2 * self.others * units * machines * players * most_points(players);
        let parts = self.others.div_ceil(self.of_part);
        let values_of_row = 8 * machines * parts * players;
        if values_of_row as u64 > games.limit {
            return Err(games.refused(players));
        }
        let bytes = (4 * units * (players + machines + 2)).max(values_of_row) as u64;
        let at_once = (WORK / steps as u64)
            .min(games.budget / bytes)
            .clamp(1, 1 << 12) as usize;
        let of_rows = (rows.terms.chunks(at_once * players * units))
            .zip(rows.start.chunks(at_once * units))
            .zip(values.chunks_mut(at_once * players * machines));
        for ((terms, start), values) in of_rows {
            self.add_some(Terms { terms, start }, coefficients, values)?;
        }
        Ok(())
    }

    fn add_some(&self, rows: Terms<'_>, coefficients: &[f64], values: &mut [f64]) -> Result<()> {
        let (games, players) = (self.games, self.players);
        let (gpu, units, machines) = (&games.gpu, games.units, games.machines);
        debug_assert!(matches!(games.body, OnGpu::Machine { .. }));
        let (mut x, mut of_rows, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        let mut points = 0;
        let each = rows.terms.chunks_exact(players * units);
        for (terms, start) in each.zip(rows.start.chunks_exact(units)) {
            for rule in self.ends.rules_of(&self.rules, terms) {
                let place = self.places[rule];
                points = points.max(place[1] - place[0]);
                rules.push(place);
            }
            x.extend(lacks(terms, players));
            // What does not vary is a factor of every coalition.
            let fixed = coefficients.iter().zip(start.iter().cycle());
            of_rows.extend(fixed.map(|(coefficient, fixed)| (coefficient * fixed) as f32));
        }
        let count = rows.start.len() / units;
        let parts = self.others.div_ceil(self.of_part);
        let bytes = (8 * count * machines * parts * players) as u64;
        let to = gpu.storage("values", bytes);
        let readable = gpu.readable("readable", bytes);
        let [x, of_rows] = [("x", x), ("coefficients", of_rows)]
            .map(|(label, numbers)| gpu.upload(label, &numbers));
        let rules = gpu.upload("rules", &rules);
        let mut batch = gpu.batch();
        let tiles = players.div_ceil(WORKGROUP as usize);
        let groups = (count * machines * parts * tiles) as u64;
        kernel::product_games.launch(
            gpu,
            &mut batch,
            Params {
                rows: count as u32,
                pairs: (self.others * units) as u32,
                of_part: (self.of_part * units) as u32,
                units: units as u32,
                players: players as u32,
                machines: machines as u32,
                points,
                zero: 0,
            },
            &[
                &x,
                &self.y,
                &of_rows,
                &self.weights,
                &rules,
                &self.points,
                &to,
            ],
            groups * u64::from(WORKGROUP),
        )?;
        batch.copy(&to, &readable, 0, bytes);
        let ticket = gpu.submit(batch, &readable, bytes);
        gpu.read("integrating products", ticket, &readable, bytes, |found| {
            let of_parts = found.chunks_exact(2 * players).enumerate();
            for (at, found) in of_parts {
                let (row, machine) = (at / parts / machines, at / parts % machines);
                for (player, pair) in found.chunks_exact(2).enumerate() {
                    values[(row * players + player) * machines + machine] +=
                        f64::from(pair[0]) + f64::from(pair[1]);
                }
            }
        })
    }
}
