//! Values from what coalitions are worth, for any game: exactly from all of them, or estimated from
//! some.

mod exact;
mod sample;
mod solve;

pub(super) use exact::Exact;
pub(super) use sample::Design;
