//! What coalitions make of terms: for every unit of a model, the sum or the product of those of the members.
//! Twin: `shaders/coalition_sums.wgsl`
//!
//! A unit is what a model computes from a sum over its features, or from a product: the margin of a linear
//! model, a neuron of the first layer of a network, the likeness to a support vector. What a coalition takes from a
//! row, and what it takes from a background row, are then one number each, and the latter serves all rows.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use std::fmt::Debug;

use crate::binding::{bindings, params};
use crate::lanes::LANES;
use crate::simd::Real;

bindings! { terms: Read, start: Read, masks: Read, sums: Write }

params! {
    /// Parameters of the shader.
    {
        /// The first row of the launch.
        first_row,
        /// Rows of the launch.
        rows,
        /// Units of the model.
        units,
        /// Players.
        players,
        /// The first coalition of the launch.
        first,
        /// Coalitions of the launch.
        coalitions,
        /// Coalitions that the masks hold.
        all,
        /// 1 for products, else sums.
        product,
        /// 1 for the terms of those who are no members.
        outside,
        /// Numbers of a term: 2 where it is a pair, of which there are sums alone.
        width,
        /// 0.
        zero,
    }
}

/// Players whose terms are combined beforehand, in all ways.
pub const TOGETHER: usize = 4;
/// Their sets.
pub const SETS: usize = 1 << TOGETHER;

/// Sets whose terms are joined at a time.
const AT_ONCE: usize = 4;

/// Players that a workgroup of the shader has the sets of.
pub const HELD: u32 = 256;

/// What is made of the terms of several players.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Their sum.
    Sum,
    /// Their product.
    Product,
}

/// The term of a player for a unit, of one row or of [`LANES`] rows side by side.
pub trait Term: Copy + Debug + Send + Sync {
    /// What changes no sum.
    const ZERO: Self;
    /// What changes no product.
    const ONE: Self;
    /// The sum.
    #[must_use]
    fn plus(self, other: Self) -> Self;
    /// The product.
    #[must_use]
    fn times(self, other: Self) -> Self;
}

impl<T: Real> Term for T {
    const ZERO: Self = T::ZERO;
    const ONE: Self = T::ONE;
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self * other
    }
}

impl<T: Real> Term for [T; LANES] {
    const ZERO: Self = [T::ZERO; LANES];
    const ONE: Self = [T::ONE; LANES];
    #[inline(always)]
    fn plus(mut self, other: Self) -> Self {
        for l in 0..LANES {
            self[l] = self[l] + other[l];
        }
        self
    }
    #[inline(always)]
    fn times(mut self, other: Self) -> Self {
        for l in 0..LANES {
            self[l] = self[l] * other[l];
        }
        self
    }
}

/// Coalitions of players: (coalition, word), a bit for each player, from the lowest on.
#[derive(Debug, Clone, Copy)]
pub struct Coalitions<'a> {
    /// The words.
    pub masks: &'a [u32],
    /// Words of a coalition.
    pub words: usize,
}

impl<'a> Coalitions<'a> {
    /// Coalitions.
    pub fn count(&self) -> usize {
        self.masks.len() / self.words.max(1)
    }

    /// The words of a coalition.
    pub fn members(&self, coalition: usize) -> &'a [u32] {
        &self.masks[coalition * self.words..][..self.words]
    }
}

/// The terms of the players of a row, or of [`LANES`] rows side by side, combined for every four players.
#[derive(Debug, Clone)]
pub struct Terms<T> {
    combine: Combine,
    /// By unit: what all coalitions begin with.
    start: Vec<T>,
    /// (group of players, set of its players, unit).
    sets: Vec<T>,
}

impl<T: Term> Terms<T> {
    /// Of terms laid out (player, unit), and of what all coalitions begin with, by unit.
    pub fn new(combine: Combine, start: Vec<T>, terms: &[T]) -> Self {
        let units = start.len();
        let groups = (terms.len() / units.max(1)).div_ceil(TOGETHER);
        let neutral = match combine {
            Combine::Sum => T::ZERO,
            Combine::Product => T::ONE,
        };
        let mut sets = vec![neutral; groups * SETS * units];
        let groups = sets.chunks_exact_mut((SETS * units).max(1));
        for (sets, terms) in groups.zip(terms.chunks((TOGETHER * units).max(1))) {
            for set in 1..SETS {
                let (before, here) = sets.split_at_mut(set * units);
                let player = set.ilog2() as usize;
                let rest = &before[(set & !(1 << player)) * units..][..units];
                match terms.get(player * units..(player + 1) * units) {
                    Some(terms) => {
                        for ((here, rest), term) in here.iter_mut().zip(rest).zip(terms) {
                            *here = match combine {
                                Combine::Sum => rest.plus(*term),
                                Combine::Product => rest.times(*term),
                            };
                        }
                    }
                    // There are no more players.
                    None => here[..units].copy_from_slice(rest),
                }
            }
        }
        Self {
            combine,
            start,
            sets,
        }
    }

    /// Units of the model.
    pub fn units(&self) -> usize {
        self.start.len()
    }

    /// Writes what the members make of each unit, or with `outside` what the others make of it.
    #[inline(always)]
    pub fn fill(&self, members: &[u32], outside: bool, to: &mut [T]) {
        to.copy_from_slice(&self.start);
        let units = self.units();
        let groups = self.sets.chunks_exact((SETS * units).max(1));
        // Several at a time: what there is so far is read and written once for all of them.
        let (mut some, mut count) = ([&self.sets[..0]; AT_ONCE], 0);
        for (group, sets) in groups.enumerate() {
            let place = group * TOGETHER;
            let word = members[place / 32] ^ if outside { u32::MAX } else { 0 };
            let set = (word >> (place % 32)) as usize % SETS;
            if set == 0 {
                continue;
            }
            some[count] = &sets[set * units..][..units];
            count += 1;
            if count == AT_ONCE {
                self.join(some, to);
                count = 0;
            }
        }
        for terms in &some[..count] {
            self.join([*terms], to);
        }
    }

    /// Joins the terms of sets to what there is, one after the other.
    #[inline(always)]
    fn join<const N: usize>(&self, some: [&[T]; N], to: &mut [T]) {
        let some = some.map(|terms| &terms[..to.len()]);
        match self.combine {
            Combine::Sum => {
                for u in 0..to.len() {
                    let mut sum = to[u];
                    for terms in some {
                        sum = sum.plus(terms[u]);
                    }
                    to[u] = sum;
                }
            }
            Combine::Product => {
                for u in 0..to.len() {
                    let mut product = to[u];
                    for terms in some {
                        product = product.times(terms[u]);
                    }
                    to[u] = product;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Coalitions, Combine, Terms};

    #[test]
    fn every_coalition_has_the_terms_of_its_members_and_the_others_the_rest() {
        for players in [0, 1, 3, 4, 5, 11, 33, 40] {
            let units = 3;
            let terms: Vec<f64> = (0..players * units).map(|i| 1.0 + (i % 7) as f64).collect();
            let start = [2.0, 3.0, 5.0];
            let masks: Vec<u32> = (0..20_u32)
                .map(|i| i.wrapping_mul(2_654_435_761) ^ i << 7)
                .collect();
            let coalitions = Coalitions {
                masks: &masks,
                words: 2,
            };
            for combine in [Combine::Sum, Combine::Product] {
                let ready = Terms::new(combine, start.to_vec(), &terms);
                for c in 0..coalitions.count() {
                    for outside in [false, true] {
                        let mut got = [0.0; 3];
                        ready.fill(coalitions.members(c), outside, &mut got);
                        for unit in 0..units {
                            let mut expected = start[unit];
                            for player in 0..players {
                                let is_in = masks[2 * c + player / 32] >> (player % 32) & 1 == 1;
                                let term = terms[player * units + unit];
                                expected = match combine {
                                    _ if is_in == outside => expected,
                                    Combine::Sum => expected + term,
                                    Combine::Product => expected * term,
                                };
                            }
                            let off = (got[unit] - expected).abs();
                            assert!(off <= 1e-13 * expected, "{players} {combine:?} {c}");
                        }
                    }
                }
            }
        }
    }
}
