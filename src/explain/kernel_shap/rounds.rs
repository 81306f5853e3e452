//! Values of rows from what coalitions are worth: from all of them, from some, or from ever more of them,
//! round by round, until a tolerance is met.

use std::sync::{Arc, PoisonError};

use rayon::prelude::*;

use super::games::{Coalitions, Game};
use super::link::Link;
use super::source::{Said, Solved};
use super::{KernelShap, MOST_EXACT};
use crate::error::{Error, Result};
use crate::explain::Estimator;
use crate::explain::coalitions::{Design, Exact, MOST_PAIRS, Sampling, interactions};
use crate::explain::method::{Asked, Found, Rows};

/// Pairs of coalitions of the first round where there is a tolerance, at the least; each other round has
/// twice as many as the one before.
const FIRST_PAIRS: usize = 256;

/// How many times as many pairs as without a tolerance are drawn at most with one, unless it is said.
const MOST_TIMES: usize = 16;

/// A row on its way through the rounds.
struct Open {
    row: usize,
    game: Game,
    /// The players that vary.
    of: Vec<usize>,
    /// By output: what the coalitions of the rounds before are worth.
    known: Vec<Vec<f64>>,
}

/// Parts of the largest worth by which the sum of two outputs may vary and count as constant.
const CONSTANT: f64 = 1e-12;

/// Whether two outputs add up to the same for every coalition.
fn is_rest(one: &[f64], other: &[f64]) -> bool {
    let sum = one.first().unwrap_or(&0.0) + other.first().unwrap_or(&0.0);
    let largest = one
        .iter()
        .chain(other)
        .fold(0.0_f64, |most, worth| most.max(worth.abs()));
    let mut pairs = one.iter().zip(other);
    pairs.all(|(one, other)| (one + other - sum).abs() <= CONSTANT * largest)
}

impl KernelShap {
    /// The coalitions to evaluate first for so many players that vary; `number` is the place of their row
    /// in the table, for messages.
    pub(super) fn coalitions(&self, players: usize, number: usize) -> Result<Coalitions> {
        let refused = |by: String| Error::Unsupported {
            what: format!(
                "row {} of the table, where {players} players vary between it and the background",
                number + 1
            ),
            by,
            instead: "group features, or take the estimator auto or sampled".to_owned(),
        };
        let can = players <= MOST_EXACT;
        let is_exact = self.estimator == Estimator::Exact || self.header.interactions;
        if is_exact && !can {
            let what = if self.header.interactions {
                "interactions"
            } else {
                "exact values"
            };
            return Err(refused(format!("{what} of up to {MOST_EXACT} players")));
        }
        // One player alone has all that there is.
        if is_exact || players < 2 {
            return Ok(Coalitions::All(players));
        }
        // As many as would be drawn: the game itself.
        let drawn = self.pairs.map_or(usize::MAX, |pairs| pairs as usize);
        let drawn = match self.tolerance {
            Some(_) => drawn.min(Design::default_pairs(players)),
            None if drawn == usize::MAX => Design::default_pairs(players),
            None => drawn,
        };
        if self.estimator == Estimator::Auto && can && 2 * drawn + 2 >= 1 << players {
            return Ok(Coalitions::All(players));
        }
        let design = self.design(players, 0);
        let design =
            design.ok_or_else(|| refused("an estimate from sampled coalitions".to_owned()))?;
        Ok(Coalitions::Some(design))
    }

    /// The design of a round; `None` if there is none more, or if there cannot be one.
    fn design(&self, players: usize, round: usize) -> Option<Arc<Design>> {
        let mut designs = self.designs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = designs.entry(players).or_default();
        if let Some(design) = known.get(round) {
            return Some(Arc::clone(design));
        }
        let design = match known.last() {
            None => {
                let pairs = match self.tolerance {
                    None => self.pairs,
                    Some(_) => Some(FIRST_PAIRS.max(4 * players).min(self.most(players)) as u32),
                };
                Design::new(self.sampling(), players, pairs, self.seed)?
            }
            Some(last) => {
                let most = self.most(players);
                if last.is_whole() || last.size() / 2 > most {
                    return None;
                }
                let grown = last.grown((last.size() - 2).min(most))?;
                if grown.size() == last.size() {
                    return None;
                }
                grown
            }
        };
        let design = Arc::new(design);
        known.push(Arc::clone(&design));
        Some(design)
    }

    /// Pairs at most, of all rounds.
    fn most(&self, players: usize) -> usize {
        let pairs = self.pairs.map(|pairs| pairs as usize);
        pairs
            .unwrap_or(MOST_TIMES * Design::default_pairs(players))
            .min(MOST_PAIRS as usize)
    }

    fn sampling(&self) -> Sampling {
        match self.estimator {
            Estimator::RegressionAdjusted => Sampling::Adjusted,
            // Beside answers that are asked for, what more can be had of them costs little.
            Estimator::Auto if self.source.is_asked() => Sampling::Adjusted,
            Estimator::ShapSampling => Sampling::Kernel,
            Estimator::Permutation => Sampling::Permutations,
            _ => Sampling::Leverage,
        }
    }

    /// The values of rows, whose cells are given, and their standard errors where there is room for them.
    pub(super) fn of_rows(
        &self,
        rows: &Rows<'_>,
        cells: Vec<Vec<f64>>,
        out: &mut [f32],
        errors: &mut [f32],
    ) -> Result<Found> {
        let mut found = Found::default();
        let mut cells = cells.into_iter().enumerate().peekable();
        while cells.peek().is_some() {
            // As many games at a time as their worths have room for.
            let (mut open, mut bytes) = (Vec::new(), 0);
            while open.is_empty() || bytes < self.memory {
                let Some((row, cells)) = cells.next() else {
                    break;
                };
                let features = cells.len();
                let (game, of) = self.game(cells, rows.before + row)?;
                let coalitions = match (&game.coalitions, self.tolerance) {
                    (Coalitions::Some(_), Some(_)) => 2 * self.most(of.len()),
                    (coalitions, _) => coalitions.count(),
                };
                bytes += 8 * (self.outputs() * coalitions + features) as u64;
                open.push(Open {
                    row,
                    game,
                    of,
                    known: vec![Vec::new(); self.outputs()],
                });
            }
            let mut round = 0;
            while !open.is_empty() {
                open = self.round(round, open, out, errors, &mut found)?;
                round += 1;
            }
        }
        Ok(found)
    }

    /// A round of rows; returns those that go on to the next one.
    fn round(
        &self,
        round: usize,
        open: Vec<Open>,
        out: &mut [f32],
        errors: &mut [f32],
        found: &mut Found,
    ) -> Result<Vec<Open>> {
        let (games, mut open): (Vec<Game>, Vec<_>) = (open.into_iter())
            .map(|open| (open.game, (open.row, open.of, open.known)))
            .unzip();
        let left = found.asked.left;
        let played = self.play(&games, &mut found.asked)?;
        if round > 0 {
            // Counted in the first round: what a GPU leaves is a matter of the row, not of its coalitions.
            found.asked.left = left;
        }
        let rows = games.par_iter().zip(played).zip(&mut open);
        let solved: Vec<Solved> = rows
            .map(|((game, said), (_, _, known))| match said {
                Said::Worths(worths) => self.solve(game, worths, known),
                Said::Values(solved) => solved,
            })
            .collect();
        let mut next = Vec::new();
        for ((mut game, (row, of, known)), solved) in games.into_iter().zip(open).zip(solved) {
            let largest = solved.1.iter().fold(0.0_f64, |a, &b| a.max(b));
            if self.tolerance.is_some_and(|tolerance| largest > tolerance) {
                if let Some(design) = self.design(of.len(), round + 1) {
                    game.coalitions = Coalitions::Some(design);
                    next.push(Open {
                        row,
                        game,
                        of,
                        known,
                    });
                    continue;
                }
                found.intolerable_rows += 1;
            }
            let is_exact = matches!(game.coalitions, Coalitions::All(_));
            found.exact_rows += u64::from(is_exact);
            found.estimated_rows += u64::from(!is_exact);
            found.standard_error = found.standard_error.max(largest);
            self.write(row, &of, &solved, out, errors);
        }
        Ok(next)
    }

    /// The values of the players of a game (place, output) and their standard errors, from what its
    /// coalitions are worth (output, coalition) and those of the rounds before.
    fn solve(&self, game: &Game, mut worths: Vec<f64>, known: &mut [Vec<f64>]) -> Solved {
        let (players, outputs) = (game.players.len(), self.outputs());
        let cells = if self.header.interactions {
            players * players
        } else {
            players
        };
        let mut solved = (vec![0.0; cells * outputs], vec![0.0; cells * outputs]);
        match &game.coalitions {
            Coalitions::All(_) if self.header.interactions => {
                for (output, worths) in worths.chunks(1 << players).enumerate() {
                    for (cell, value) in interactions(players, worths).into_iter().enumerate() {
                        solved.0[cell * outputs + output] = value;
                    }
                }
            }
            Coalitions::All(_) => {
                let mut exact = Exact::new(players, outputs, self.index);
                exact.add(0, players, &mut worths);
                solved.0 = exact.values();
            }
            Coalitions::Some(design) => {
                let worths = worths.chunks(design.coalitions());
                for (worths, known) in worths.zip(&mut *known) {
                    // The last two are known again: all players, and none.
                    known.truncate(known.len().saturating_sub(2));
                    known.extend_from_slice(worths);
                }
                let mut first = None;
                for (output, worths) in known.iter().enumerate() {
                    let (values, errors) = match (&*known, first.take()) {
                        // As probabilities of two classes: what one is worth more, the other is worth less.
                        ([one, other], Some(found)) if is_rest(one, other) => found,
                        _ => design.values(worths),
                    };
                    if output == 0 && known.len() == 2 {
                        first = Some((values.iter().map(|value| -value).collect(), errors.clone()));
                    }
                    for player in 0..players {
                        solved.0[player * outputs + output] = values[player];
                        solved.1[player * outputs + output] = errors[player];
                    }
                }
            }
        }
        solved
    }

    /// Puts the values of the players that vary among those of all.
    fn write(
        &self,
        row: usize,
        of: &[usize],
        solved: &Solved,
        out: &mut [f32],
        errors: &mut [f32],
    ) {
        let (players, outputs) = (self.players.len(), self.outputs());
        let places: Vec<usize> = if self.header.interactions {
            let pairs = |&a: &usize| of.iter().map(move |b| a * players + b);
            of.iter().flat_map(pairs).collect()
        } else {
            of.to_vec()
        };
        let first = row * self.header.cells() * outputs;
        for (at, cell) in places.into_iter().enumerate() {
            for output in 0..outputs {
                let (from, to) = (at * outputs + output, first + cell * outputs + output);
                out[to] = solved.0[from] as f32;
                if let Some(error) = errors.get_mut(to) {
                    *error = solved.1[from] as f32;
                }
            }
        }
    }

    /// What the coalitions of games are worth, or the values that come of it.
    fn play(&self, games: &[Game], asked: &mut Asked) -> Result<Vec<Said>> {
        let is_whole = self.tolerance.is_none() && !self.header.interactions;
        let base = (self.link == Link::Identity && is_whole).then_some(&*self.header.base_values);
        let mut played = self.source.play(games, base, asked)?;
        for (game, said) in games.iter().zip(&mut played) {
            let Said::Worths(worths) = said else {
                continue;
            };
            let count = game.coalitions.count();
            let [_, none] = game.coalitions.ends();
            for (worths, base) in worths.chunks_mut(count).zip(&self.header.base_values) {
                for (coalition, worth) in worths.iter_mut().enumerate() {
                    if coalition == none {
                        *worth = *base;
                    } else {
                        self.link.of_all(std::slice::from_mut(worth))?;
                    }
                }
            }
        }
        Ok(played)
    }
}
