//! The launches of a tile: units of the rows and of the background rows, margins of their pairs, mean answers.

use whylight_kernels::coalition_sums::{self, Combine, TOGETHER};
use whylight_kernels::decision::Decision;
use whylight_kernels::mlp::TILE;
use whylight_kernels::normalised_units::Kind;
use whylight_kernels::{
    decision, kernel_machine, linear, mlp, neighbours, normalised_units, shuffled_sums,
};

use super::{GpuGames, OnGpu, WORK};
use crate::error::Result;
use crate::gpu::{Batch, Buffer};
use crate::kernel;

/// Steps of pairwise coupling at most.
const MOST_STEPS: u64 = 100;

/// Some of a row of things.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) all: usize,
}

impl Span {
    /// Up to `most` of `all` from the first on.
    pub(super) fn new(first: usize, most: usize, all: usize) -> Self {
        Self {
            first,
            count: most.min(all - first),
            all,
        }
    }
}

/// A batch of launches, and the buffers between them.
#[derive(Debug)]
pub(super) struct Launches<'a> {
    games: &'a GpuGames,
    batch: Batch,
    /// (row, unit, coalition), and of background rows.
    x: Buffer,
    y: Buffer,
    /// Of pairs of rows that are normalised, and what their background row adds: nothing.
    made: [Buffer; 2],
    /// Of the layers between the second and the last, in turn.
    hidden: [Buffer; 2],
    margins: Buffer,
    /// What `finish` waits for.
    readable: Buffer,
}

impl<'a> Launches<'a> {
    /// For tiles of up to so many rows, background rows and coalitions.
    pub(super) fn new(games: &'a GpuGames, [rows, others, coalitions]: [usize; 3]) -> Self {
        let gpu = &games.gpu;
        let bytes = |numbers: usize| (4 * numbers * coalitions) as u64;
        let pairs = rows * others;
        let hidden = match &games.body {
            OnGpu::Mlp { layers, .. } if layers.len() > 1 => games.widest() * pairs,
            _ => 0,
        };
        let (of_pairs, nothing) = match games.norm {
            Some(_) => (
                games.body_units() * games.width() * pairs,
                games.unit_cells(),
            ),
            None => (0, 0),
        };
        let made = [of_pairs, nothing].map(|numbers| gpu.storage("made", bytes(numbers)));
        let mut batch = gpu.batch();
        if nothing > 0 {
            batch.clear(&made[1], made[1].bytes());
        }
        Self {
            games,
            batch,
            made,
            x: gpu.storage("x", bytes(games.unit_cells() * rows)),
            y: gpu.storage("y", bytes(games.unit_cells() * others)),
            hidden: [(); 2].map(|()| gpu.storage("hidden", bytes(hidden))),
            margins: gpu.storage("margins", bytes(games.machines * pairs)),
            readable: gpu.readable("readable", 4),
        }
    }

    /// Fills a buffer with 0.
    pub(super) fn clear(&mut self, buffer: &Buffer) {
        self.batch.clear(buffer, buffer.bytes());
    }

    /// Makes the units of rows, or of background rows with what the members leave to them. `of` are the terms, the
    /// start and the masks.
    pub(super) fn units(
        &mut self,
        of: [&Buffer; 3],
        is_background: bool,
        rows: Span,
        players: usize,
        coalitions: Span,
    ) -> Result<()> {
        let games = self.games;
        let to = if is_background { &self.y } else { &self.x };
        let groups = (rows.count * games.units) as u64;
        let lanes = u64::from(kernel::WORKGROUP);
        let lookups = players.div_ceil(TOGETHER) as u64 * coalitions.count as u64;
        let [terms, start, masks] = of;
        kernel::coalition_sums.launch(
            &games.gpu,
            &mut self.batch,
            coalition_sums::Params {
                first_row: rows.first as u32,
                rows: rows.count as u32,
                units: games.units as u32,
                players: players as u32,
                first: coalitions.first as u32,
                coalitions: coalitions.count as u32,
                all: coalitions.all as u32,
                product: u32::from(games.combine == Combine::Product),
                outside: u32::from(is_background),
                width: games.width() as u32,
                zero: 0,
            },
            &[terms, start, masks, to],
            groups * lanes,
        )?;
        self.pace(groups * (lookups + coalitions.count as u64 + lanes));
        Ok(())
    }

    /// Makes the units of rows that take the cells of players from other rows; a shuffle is in the place of a coalition.
    /// `of` are the terms of all rows, the start, the runs, and the orders.
    pub(super) fn shuffled(
        &mut self,
        of: [&Buffer; 4],
        rows: Span,
        players: usize,
        runs: usize,
        shuffles: usize,
    ) -> Result<()> {
        let games = self.games;
        let invocations = (rows.count * runs * games.units) as u64;
        let [terms, start, of_runs, orders] = of;
        kernel::shuffled_sums.launch(
            &games.gpu,
            &mut self.batch,
            shuffled_sums::Params {
                first_row: rows.first as u32,
                rows: rows.count as u32,
                all_rows: rows.all as u32,
                units: games.units as u32,
                players: players as u32,
                runs: runs as u32,
                shuffles: shuffles as u32,
                product: u32::from(games.combine == Combine::Product),
                width: games.width() as u32,
                zero: 0,
            },
            &[terms, start, of_runs, orders, &self.x],
            invocations,
        )?;
        let of_shuffles = (rows.count * shuffles * games.units) as u64;
        self.pace(invocations * players as u64 + of_shuffles);
        Ok(())
    }

    /// Makes the margins (row, background row, machine, coalition) of units.
    pub(super) fn margins(&mut self, rows: usize, others: usize, coalitions: usize) -> Result<()> {
        let games = self.games;
        let pairs = (rows * others) as u64;
        let is_normalised = self.normalise(rows, others, coalitions)?;
        let [rows, others] = if is_normalised {
            [rows * others, 1]
        } else {
            [rows, others]
        };
        let [x, y] = if is_normalised {
            [&self.made[0], &self.made[1]]
        } else {
            [&self.x, &self.y]
        };
        let [rows, others, coalitions] = [rows, others, coalitions].map(|count| count as u32);
        let [units, machines] = [games.body_units(), games.machines].map(|count| count as u32);
        let (gpu, lanes) = (&games.gpu, u64::from(coalitions));
        match &games.body {
            OnGpu::Linear => {
                let params = linear::Params {
                    rows,
                    others,
                    machines,
                    coalitions,
                    zero: 0,
                };
                let invocations = pairs * u64::from(machines) * lanes;
                let buffers = [x, y, &self.margins];
                kernel::linear.launch(gpu, &mut self.batch, params, &buffers, invocations)?;
                self.pace(invocations);
            }
            OnGpu::Machine {
                shape,
                coefficients,
                intercepts,
            } => {
                let [shape, degree] = shape.code();
                let params = kernel_machine::Params {
                    rows,
                    others,
                    units,
                    machines,
                    coalitions,
                    shape,
                    degree,
                };
                let tiles = u64::from(rows.div_ceil(TILE)) * u64::from(others.div_ceil(TILE));
                let invocations = tiles * u64::from(machines) * lanes;
                let buffers = [x, y, coefficients, intercepts, &self.margins];
                kernel::kernel_machine.launch(
                    gpu,
                    &mut self.batch,
                    params,
                    &buffers,
                    invocations,
                )?;
                self.pace(invocations * u64::from(units) * u64::from(degree + 1));
            }
            OnGpu::Mlp { activation, layers } => {
                for (number, layer) in layers.iter().enumerate() {
                    let [to, before] = match number % 2 {
                        0 => [&self.hidden[0], &self.hidden[1]],
                        _ => [&self.hidden[1], &self.hidden[0]],
                    };
                    let is_last = number + 1 == layers.len();
                    let to = if is_last { &self.margins } else { to };
                    let params = mlp::Params {
                        rows,
                        others,
                        inputs: layer.inputs as u32,
                        neurons: layer.neurons as u32,
                        coalitions,
                        activation: *activation,
                        is_second: u32::from(number == 0),
                        is_last: u32::from(is_last),
                    };
                    let tiles = pairs.div_ceil(u64::from(TILE));
                    let invocations = tiles * u64::from(params.neurons.div_ceil(TILE)) * lanes;
                    let buffers = [x, y, before, &layer.weights, &layer.biases, to];
                    kernel::mlp.launch(gpu, &mut self.batch, params, &buffers, invocations)?;
                    let work = invocations * layer.inputs as u64;
                    gpu.pace(&mut self.batch, work, WORK);
                }
            }
            OnGpu::Neighbours {
                targets,
                count,
                weighting,
            } => {
                let params = neighbours::Params {
                    rows,
                    others,
                    units,
                    outputs: machines,
                    coalitions,
                    neighbours: *count as u32,
                    weighting: *weighting,
                    zero: 0,
                };
                let invocations = pairs * lanes;
                let buffers = [x, y, targets, &self.margins];
                kernel::neighbours.launch(gpu, &mut self.batch, params, &buffers, invocations)?;
                self.pace(invocations * u64::from(units));
            }
        }
        Ok(())
    }

    /// Divides the units of pairs by their norms; whether there are any.
    fn normalise(&mut self, rows: usize, others: usize, coalitions: usize) -> Result<bool> {
        let games = self.games;
        let Some(norm) = &games.norm else {
            return Ok(false);
        };
        let invocations = (rows * others * games.body_units() * coalitions) as u64;
        kernel::normalised_units.launch(
            &games.gpu,
            &mut self.batch,
            normalised_units::Params {
                rows: rows as u32,
                others: others as u32,
                units: games.body_units() as u32,
                coalitions: coalitions as u32,
                width: games.width() as u32,
                root: u32::from(norm.kind == Kind::Root),
                shift: norm.shift.to_bits(),
                zero: 0,
            },
            &[&self.x, &self.y, &norm.start, &self.made[0]],
            invocations,
        )?;
        self.pace(2 * invocations);
        Ok(true)
    }

    /// Adds the answers that come of the margins to the means.
    pub(super) fn decide(
        &mut self,
        [weights, means]: [&Buffer; 2],
        rows: Span,
        others: Span,
        coalitions: Span,
    ) -> Result<()> {
        let games = self.games;
        let outputs = games.outputs() as u64;
        let least = match games.decision {
            Decision::Pair { least } => least as f32,
            _ => 0.0,
        };
        let of_other = match games.decision {
            Decision::Margins | Decision::Softmax | Decision::Pair { .. } => 3 * outputs + 1,
            Decision::Coupled { classes: 2 } => MOST_STEPS + 1,
            Decision::Coupled { .. } => MOST_STEPS * (2 * outputs * outputs + 4 * outputs + 1),
            Decision::Votes { .. } => outputs * (outputs + 2) + 1,
        };
        let at_once = (games.gpu.adapter().limits.iterations / of_other).max(1);
        let at_once = usize::try_from(at_once).unwrap_or(usize::MAX);
        let invocations = (rows.count * coalitions.count) as u64;
        for begin in (0..others.count).step_by(at_once) {
            let here = Span::new(begin, at_once, others.count);
            kernel::decision.launch(
                &games.gpu,
                &mut self.batch,
                decision::Params {
                    first_row: rows.first as u32,
                    rows: rows.count as u32,
                    first_other: others.first as u32,
                    others: others.count as u32,
                    begin: begin as u32,
                    end: (begin + here.count) as u32,
                    machines: games.machines as u32,
                    outputs: outputs as u32,
                    first: coalitions.first as u32,
                    coalitions: coalitions.count as u32,
                    all: coalitions.all as u32,
                    decision: games.decision.code(),
                    least: least.to_bits(),
                    zero: 0,
                },
                &[&self.margins, weights, means],
                invocations,
            )?;
            self.pace(invocations * here.count as u64 * of_other.min(64));
        }
        Ok(())
    }

    fn pace(&mut self, work: u64) {
        self.games.gpu.pace(&mut self.batch, work, WORK);
    }

    /// Waits for all of it.
    pub(super) fn finish(self) -> Result<()> {
        let gpu = &self.games.gpu;
        let ticket = gpu.submit(self.batch, &self.readable, 4);
        gpu.read("evaluating coalitions", ticket, &self.readable, 4, |_| ())
    }
}
