//! Which tensors share a buffer: those that are not needed at the same time.

use crate::explain::deep_shap::graph::{Graph, Kernel};
use crate::explain::deep_shap::way::Way;

/// Buffers that are handed out and given back.
#[derive(Debug, Default)]
struct Pool {
    /// Cells of each.
    cells: Vec<usize>,
    free: Vec<usize>,
}

impl Pool {
    /// A buffer of so many cells that nobody has.
    fn take(&mut self, cells: usize) -> usize {
        // The smallest that is large enough, or else the largest, which grows.
        let fits = |&slot: &usize| (self.cells[slot] < cells, self.cells[slot].abs_diff(cells));
        let best = (0..self.free.len()).min_by_key(|&place| fits(&self.free[place]));
        match best {
            Some(place) => {
                let slot = self.free.swap_remove(place);
                self.cells[slot] = self.cells[slot].max(cells);
                slot
            }
            None => self.own(cells),
        }
    }

    /// A buffer that is never given back.
    fn own(&mut self, cells: usize) -> usize {
        self.cells.push(cells);
        self.cells.len() - 1
    }
}

/// The buffers of the way forward.
#[derive(Debug)]
pub(super) struct Forward {
    /// Cells of each buffer.
    pub(super) cells: Vec<usize>,
    /// Whether the way back reads it.
    pub(super) is_kept: Vec<bool>,
    /// The buffer of each tensor that is no input.
    pub(super) of: Vec<Option<usize>>,
    pub(super) way: Way,
}

impl Forward {
    pub(super) fn new(graph: &Graph, way: Way) -> Self {
        let mut pool = Pool::default();
        let mut of = vec![None; graph.cells.len()];
        let mut kept = Vec::new();
        for (number, step) in graph.steps.iter().enumerate() {
            // What is known before any step has a buffer, too.
            if !way.runs[number] && !graph.targets.contains(&step.output) {
                continue;
            }
            let cells = graph.cells[step.output];
            of[step.output] = Some(if way.keeps[step.output] {
                let slot = pool.own(cells);
                kept.push(slot);
                slot
            } else {
                pool.take(cells)
            });
            let mut read = step.inputs.clone();
            read.sort_unstable();
            read.dedup();
            for input in read {
                if way.last[input] == Some(number) && !way.keeps[input] {
                    pool.free.extend(of[input]);
                }
            }
        }
        let mut is_kept = vec![false; pool.cells.len()];
        for slot in kept {
            is_kept[slot] = true;
        }
        Self {
            cells: pool.cells,
            is_kept,
            of,
            way,
        }
    }
}

/// The launches of the way back, and their buffers.
#[derive(Debug)]
pub(super) struct Backward {
    /// Cells of each buffer.
    pub(super) cells: Vec<usize>,
    /// The buffer of the output's multipliers.
    pub(super) seeds: usize,
    pub(super) moves: Vec<Move>,
    /// The buffer of each target; `None` if the output does not depend on it.
    pub(super) targets: Vec<Option<usize>>,
}

/// Multipliers that go through a step to one of its inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) step: usize,
    /// Which of the step's inputs.
    pub(super) place: usize,
    /// The buffers of the multipliers of what the step writes, and of what it reads; they may be one.
    pub(super) outward: usize,
    pub(super) inward: usize,
    /// Whether there are some already, to add to.
    pub(super) adds: bool,
    /// What the kernel works with, if anything.
    pub(super) scratch: Option<usize>,
}

impl Backward {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut pool = Pool::default();
        let mut of = vec![None; graph.cells.len()];
        let seeds = pool.take(graph.cells[graph.output]);
        of[graph.output] = Some(seeds);
        let mut moves = Vec::new();
        for (number, step) in graph.steps.iter().enumerate().rev() {
            if !graph.depends[step.output] || graph.targets.contains(&step.output) {
                continue;
            }
            // What the output does not depend on has no multipliers.
            let Some(outward) = of[step.output].take() else {
                continue;
            };
            let is_in_place = matches!(step.kernel, Kernel::Scale(..) | Kernel::Curves(_));
            if let [input] = step.inputs[..]
                && is_in_place
                && of[input].is_none()
            {
                of[input] = Some(outward);
                moves.push(Move {
                    step: number,
                    place: 0,
                    outward,
                    inward: outward,
                    adds: false,
                    scratch: None,
                });
                continue;
            }
            let scratch = match &step.kernel {
                // The winner and its factor.
                Kernel::Max(_) => Some(pool.take(2 * graph.cells[step.output])),
                _ => None,
            };
            for (place, &input) in step.inputs.iter().enumerate() {
                if !graph.depends[input] {
                    continue;
                }
                let adds = of[input].is_some();
                let inward = of[input].unwrap_or_else(|| pool.take(graph.cells[input]));
                of[input] = Some(inward);
                moves.push(Move {
                    step: number,
                    place,
                    outward,
                    inward,
                    adds,
                    scratch,
                });
            }
            pool.free.push(outward);
            pool.free.extend(scratch);
        }
        Self {
            cells: pool.cells,
            seeds,
            moves,
            targets: graph.targets.iter().map(|&target| of[target]).collect(),
        }
    }
}
