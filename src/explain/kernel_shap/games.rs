//! The games of some rows: who plays in each, which coalitions are evaluated, and their synthetic rows in
//! the batches that a model is asked for.

use std::sync::Arc;

use ndarray::Array2;
use whylight_kernels::Level;
use whylight_kernels::coalition_trees::CHUNK;
use whylight_kernels::synthetic_rows::Cells;

use crate::explain::coalitions::Design;

/// The game of a row against a background.
#[derive(Debug)]
pub(super) struct Game {
    /// The cells of the row.
    pub(super) cells: Vec<f64>,
    /// The features of each player that varies between the row and the background.
    pub(super) players: Vec<Vec<usize>>,
    pub(super) coalitions: Coalitions,
}

/// The coalitions that are evaluated, of the players that vary.
#[derive(Debug, Clone)]
pub(super) enum Coalitions {
    /// All of so many players: a coalition is the number that has a bit for each member.
    All(usize),
    /// Some, in pairs of a coalition and its complement; the last two are all players and none.
    Some(Arc<Design>),
}

/// Synthetic rows of one coalition: the background rows of a range, with the cells of the coalition from
/// the explained row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) game: usize,
    pub(super) coalition: usize,
    /// First background row, and number of rows.
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Game {
    /// One whose coalitions nobody asks for.
    pub(super) fn of(cells: Vec<f64>, players: Vec<Vec<usize>>) -> Self {
        Self {
            cells,
            players,
            coalitions: Coalitions::All(0),
        }
    }
}

impl Coalitions {
    pub(super) fn count(&self) -> usize {
        match self {
            Self::All(players) => 1 << players,
            Self::Some(design) => design.coalitions(),
        }
    }

    /// Where all players are, and none.
    pub(super) fn ends(&self) -> [usize; 2] {
        match self {
            Self::All(_) => [self.count() - 1, 0],
            Self::Some(_) => [self.count() - 2, self.count() - 1],
        }
    }

    /// Whether these are the coalitions of others.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All(players), Self::All(others)) => players == others,
            (Self::Some(design), Self::Some(other)) => Arc::ptr_eq(design, other),
            _ => false,
        }
    }

    /// Them one after the other, as words with a bit for each player, and the words of each.
    pub(super) fn masks(&self) -> (Vec<u32>, usize) {
        match self {
            Self::All(players) => ((0..1_u32 << players).collect(), 1),
            Self::Some(design) => design.masks(),
        }
    }

    /// Calls `take` for the members of a coalition, of as many players.
    fn each_member(&self, coalition: usize, players: usize, mut take: impl FnMut(usize)) {
        match self {
            Self::All(_) => (0..players)
                .filter(|player| coalition >> player & 1 == 1)
                .for_each(take),
            Self::Some(design) => {
                let (chunk, c) = (&design.chunks[coalition / CHUNK], coalition % CHUNK);
                for (player, members) in chunk.members.iter().enumerate().take(players) {
                    if members[c / 64] >> (c % 64) & 1 == 1 {
                        take(player);
                    }
                }
            }
        }
    }
}

/// Goes through the synthetic rows of games: coalition by coalition, background row by background row. No
/// players are worth the base value, which is known, and all of them what the row itself is, whatever the
/// background.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    games: &'a [Game],
    /// (rows, features).
    background: &'a [f64],
    rows: usize,
    features: usize,
    next: (usize, usize, usize),
}

impl<'a> Cursor<'a> {
    pub(super) fn new(games: &'a [Game], background: &'a [f64], features: usize) -> Self {
        Self {
            games,
            background,
            rows: background.len() / features.max(1),
            features,
            next: (0, 0, 0),
        }
    }

    /// The next synthetic rows, up to `most`, and the runs that they are; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Option<(Array2<f64>, Vec<Run>)> {
        let (mut cells, mut runs, mut filled) = (self.room(most), Vec::new(), 0);
        let mut given = Cells::new(self.features);
        while filled < most && self.next.0 < self.games.len() {
            let (g, coalition, first) = self.next;
            let game = &self.games[g];
            let [all, none] = game.coalitions.ends();
            let height = match coalition {
                _ if coalition == none => 0,
                _ if coalition == all => 1,
                _ => self.rows,
            };
            let count = (height - first).min(most - filled);
            if count > 0 {
                let run = Run {
                    game: g,
                    coalition,
                    first,
                    count,
                };
                self.fill(&run, &mut given, &mut cells);
                runs.push(run);
                filled += count;
            }
            self.next = if first + count < height {
                (g, coalition, first + count)
            } else if coalition + 1 < game.coalitions.count() {
                (g, coalition + 1, 0)
            } else {
                (g + 1, 0, 0)
            };
        }
        let rows = Array2::from_shape_vec((filled, self.features), cells).ok()?;
        (filled > 0).then_some((rows, runs))
    }

    /// Room for so many rows, or for all that are left where these are fewer.
    fn room(&self, most: usize) -> Vec<f64> {
        let (first, coalition, _) = self.next;
        let games = self.games[first..].iter();
        let left: usize = games.map(|game| game.coalitions.count()).sum();
        let left = (left - coalition.min(left)).saturating_mul(self.rows);
        // One row more, which may be added.
        Vec::with_capacity((most.min(left) + 1) * self.features)
    }

    fn fill(&self, run: &Run, given: &mut Cells, cells: &mut Vec<f64>) {
        let game = &self.games[run.game];
        if run.coalition == game.coalitions.ends()[0] {
            cells.extend_from_slice(&game.cells);
            return;
        }
        given.clear();
        let players = game.players.len();
        game.coalitions
            .each_member(run.coalition, players, |place| {
                for &column in &game.players[place] {
                    given.give(column, game.cells[column]);
                }
            });
        let rows = run.first * self.features..(run.first + run.count) * self.features;
        given.fill(Level::detect(), &self.background[rows], cells);
    }
}
