//! Where the worths of coalitions come from.

use std::fmt::Debug;

use super::games::Game;
use crate::error::Result;
use crate::explain::method::Asked;

/// Values, or interactions, (place of a player that varies, output) and their standard errors.
pub(super) type Solved = (Vec<f64>, Vec<f64>);

/// What a source says of a game.
#[derive(Debug)]
pub(super) enum Said {
    /// What its coalitions are worth, before any link: (output, coalition). That of no players, which is
    /// [`Source::base`], may be left at 0.
    Worths(Vec<f64>),
    /// The values that its design makes of them.
    Values(Solved),
}

/// A model beside its background, that says what coalitions are worth before any link.
pub(super) trait Source: Debug + Send + Sync {
    /// The mean answer over the background, by output.
    fn base(&self) -> Result<Vec<f64>>;

    /// The mean answers of the coalitions of games; or what becomes of them without a link, where the base values
    /// are given. They are functions of the game, and of nothing beside it, down to the bit.
    fn play(&self, games: &[Game], base: Option<&[f64]>, asked: &mut Asked) -> Result<Vec<Said>>;

    /// The answers (rows, outputs) to rows whose cells are given (rows, features).
    fn answer(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>>;

    /// Rows of a batch at the least: what they share should be worth making.
    fn least_rows(&self) -> usize {
        1
    }

    /// What a coalition of a row costs, in seconds, roughly; `None` for as long as [`Source::base`] takes.
    fn seconds(&self) -> Option<f64> {
        None
    }

    /// Whether it is a model outside, whose answers are dear.
    fn is_asked(&self) -> bool {
        false
    }

    /// Whether it takes cells that are missing or infinite.
    fn takes_missing(&self) -> bool {
        true
    }

    /// Whether [`Source::closed_form`] is there.
    fn has_closed_form(&self) -> bool {
        false
    }

    /// The Shapley values (player, output) of each game, exactly and without its coalitions.
    fn closed_form(&self, _games: &[Game], _asked: &mut Asked) -> Result<Vec<Vec<f64>>> {
        Ok(Vec::new())
    }
}
