//! How many rows are explained at a time where someone waits for a word between the batches.

use std::time::{Duration, Instant};

/// A batch should take about so long: a reader of progress sees it move, and Ctrl-C is heard.
const BATCH: Duration = Duration::from_millis(400);

/// A batch grows or shrinks by so much at most.
const STEP: f64 = 4.0;

/// Sizes batches by the time that the ones before took. What they are changes no value.
#[derive(Debug)]
pub(super) struct Pace {
    rows: usize,
    least: usize,
    begun: Instant,
}

impl Pace {
    /// Begins with batches for this cost of a row, in seconds, of so many rows at the least.
    pub(super) fn new(seconds: f64, least: usize) -> Self {
        let rows = BATCH.as_secs_f64() / seconds.max(f64::MIN_POSITIVE);
        Self {
            rows: (rows as usize).max(least),
            least,
            begun: Instant::now(),
        }
    }

    /// Begins a batch: its rows at most.
    pub(super) fn begin(&mut self) -> usize {
        self.begun = Instant::now();
        self.rows
    }

    /// Ends a batch of so many rows.
    pub(super) fn end(&mut self, rows: usize) {
        let taken = self.begun.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        let factor = (BATCH.as_secs_f64() / taken).clamp(1.0 / STEP, STEP);
        self.rows = ((rows as f64 * factor) as usize).max(self.least);
    }
}
