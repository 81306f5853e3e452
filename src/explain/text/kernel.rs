//! Kernel SHAP of the players of a text: all coalitions of a few, and else some, in pairs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ndarray::Array2;

use super::ask::Masks;
use crate::error::{Error, Result};
use crate::explain::Index;
use crate::explain::coalitions::{Design, Exact, Sampling};

/// Players whose coalitions can all be evaluated.
const MOST_EXACT: usize = 16;

/// The coalitions that are evaluated.
#[derive(Debug, Clone)]
pub(super) enum Coalitions {
    /// All of so many players: a coalition is the number that has a bit for each member.
    All(usize),
    /// Some, in pairs of a coalition and its complement; the last two are all players and none.
    Some(Arc<Design>, usize),
}

type Slot = Arc<OnceLock<Option<Arc<Design>>>>;

/// The designs of some documents, by their numbers of players and pairs: those of the same number share one.
#[derive(Debug)]
pub(super) struct Designs {
    seed: u64,
    made: Mutex<HashMap<(usize, Option<u32>), Slot>>,
}

impl Designs {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            made: Mutex::default(),
        }
    }

    /// The coalitions of so many players: all, if they are no more than would be drawn.
    pub(super) fn of(&self, players: usize, pairs: Option<u32>) -> Result<Coalitions> {
        let drawn = pairs.map_or(Design::default_pairs(players), |pairs| pairs as usize);
        if players < 2 || players <= MOST_EXACT && 2 * drawn + 2 >= 1 << players {
            return Ok(Coalitions::All(players));
        }
        let slot = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(made.entry((players, pairs)).or_default())
        };
        let make = || Design::new(Sampling::Adjusted, players, pairs, self.seed).map(Arc::new);
        let design = slot.get_or_init(make).clone();
        design
            .map(|design| Coalitions::Some(design, players))
            .ok_or_else(|| Error::Unsupported {
                what: format!("a text of {players} players"),
                by: "Kernel SHAP of so many coalitions".to_owned(),
                instead: "take the method hierarchical or lime, or sentences as players".to_owned(),
            })
    }
}

impl Coalitions {
    pub(super) fn masks(&self) -> Masks {
        match self {
            Self::All(players) => {
                let count = 1_usize << players;
                let words = usize::from(*players > 0);
                let bits = (0..(count * words) as u32).collect();
                Masks::of(*players, words, bits, count)
            }
            Self::Some(design, players) => {
                let (bits, words) = design.masks();
                Masks::of(*players, words, bits, design.coalitions())
            }
        }
    }

    /// The positions of all players, and of none.
    pub(super) fn ends(&self) -> (usize, usize) {
        match self {
            Self::All(players) => ((1 << players) - 1, 0),
            Self::Some(design, _) => (design.coalitions() - 2, design.coalitions() - 1),
        }
    }

    pub(super) fn is_exact(&self) -> bool {
        match self {
            Self::All(_) => true,
            Self::Some(design, _) => design.is_whole(),
        }
    }

    /// The values (player, output) and their standard errors, from the answers (coalition, output).
    pub(super) fn values(&self, answers: &Array2<f64>) -> (Vec<f64>, Vec<f64>) {
        let outputs = answers.ncols();
        match self {
            Self::All(players) => {
                let mut worth: Vec<f64> = answers.t().iter().copied().collect();
                let mut exact = Exact::new(*players, outputs, Index::Shapley);
                exact.add(0, *players, &mut worth);
                (exact.values(), vec![0.0; players * outputs])
            }
            Self::Some(design, players) => {
                let mut all = (vec![0.0; players * outputs], vec![0.0; players * outputs]);
                for (output, worth) in answers.columns().into_iter().enumerate() {
                    let (values, errors) = design.values(&worth.to_vec());
                    for player in 0..*players {
                        all.0[player * outputs + output] = values[player];
                        all.1[player * outputs + output] = errors[player];
                    }
                }
                all
            }
        }
    }
}
