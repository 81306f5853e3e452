//! Values from what coalitions are worth, for any game: exactly from all of them, or estimated from
//! some.

mod controls;
mod design;
mod draw;
mod exact;
mod pairs;
mod solve;
mod squares;

pub(super) use design::{Design, MOST_PAIRS, Sampling};
pub(super) use draw::Pair;
pub(super) use exact::Exact;
pub(super) use pairs::interactions;
#[cfg(feature = "text")]
pub(super) use solve::Factor;
