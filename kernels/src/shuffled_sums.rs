//! Units of rows that take a player's cells from other rows: what all other players give, joined with what the taken
//! cells give. A shuffle changes one term of each unit, whatever the number of players.
//! Twin: `shaders/shuffled_sums.wgsl`

use crate::binding::{bindings, params};
use crate::coalition_sums::{Combine, Term};

bindings! { terms: Read, start: Read, runs: Read, orders: Read, sums: Write }

params! {
    /// Parameters of the shader.
    {
        /// The first row of the launch.
        first_row,
        /// Rows of the launch.
        rows,
        /// Rows that there are terms of.
        all_rows,
        /// Units of the model.
        units,
        /// Players.
        players,
        /// Runs of the launch.
        runs,
        /// Shuffles of the launch.
        shuffles,
        /// 1 for products, else sums.
        product,
        /// Numbers of a term: 2 where it is a pair, of which there are sums alone.
        width,
        /// 0.
        zero,
    }
}

/// Shuffles of one player that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Run {
    /// The player.
    pub player: u32,
    /// The first shuffle.
    pub first: u32,
    /// The shuffle after the last one.
    pub end: u32,
}

/// What the start and all players but one make of each unit, for every player: (player, unit), of terms laid out alike.
/// No difference is ever taken, in which a large term would leave its rounding.
pub fn rests<T: Term>(combine: Combine, start: &[T], terms: &[T]) -> Vec<T> {
    let units = start.len();
    let join = |a: T, b: T| match combine {
        Combine::Sum => a.plus(b),
        Combine::Product => a.times(b),
    };
    let mut before = start.to_vec();
    let mut rests = Vec::with_capacity(terms.len());
    for terms in terms.chunks_exact(units.max(1)) {
        rests.extend_from_slice(&before);
        for (before, term) in before.iter_mut().zip(terms) {
            *before = join(*before, *term);
        }
    }
    let mut after: Option<Vec<T>> = None;
    let of_players = rests
        .chunks_exact_mut(units.max(1))
        .zip(terms.chunks_exact(units.max(1)));
    for (rests, terms) in of_players.rev() {
        let Some(after) = &mut after else {
            after = Some(terms.to_vec());
            continue;
        };
        for ((rest, after), term) in rests.iter_mut().zip(after).zip(terms) {
            *rest = join(*rest, *after);
            *after = join(*after, *term);
        }
    }
    rests
}
