//! How many rows one call explains.

/// Up to this many rows, neither a pack nor another thread pays for itself.
const FEW_ROWS: u64 = 24;

/// From this many rows on the build of a table is small beside its use.
const MANY_ROWS: u64 = 1500;

/// How many rows one call explains, as far as it matters for the choice of engines. It depends on
/// the rows of the whole call alone, so neither batches nor threads change a bit of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Few,
    Some,
    Many,
}

impl Amount {
    pub(super) fn of(rows: Option<u64>) -> Self {
        match rows {
            Some(rows) if rows <= FEW_ROWS => Amount::Few,
            Some(rows) if rows < MANY_ROWS => Amount::Some,
            _ => Amount::Many,
        }
    }

    /// How many rows it stands for where costs are compared.
    pub(super) fn rows(self) -> f64 {
        match self {
            Amount::Few => 10.0,
            Amount::Some => 300.0,
            Amount::Many => 5000.0,
        }
    }
}
