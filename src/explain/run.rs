//! Runs a method over rows: batches, progress, sinks, and the check of some rows.

use std::ops::Range;

use ndarray::{Array2, Array3, ArrayView2, ArrayViewMut3, Axis};

use super::amount::Amount;
use super::check::{self, Check};
use super::method::{self, Found, Method, Rows};
use super::pace::Pace;
use super::threads::Threads;
use super::{Index, Options};
use crate::data::{Encoder, Reader, View};
use crate::error::{Error, MEMORY, Result};
use crate::explanation::{Block, Explanation, Sink, Trailer};

/// Bytes that a batch of rows may take when no memory limit is given.
const BATCH_BYTES: u64 = 100 << 20;

/// A method, and what its runs may take.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) method: Box<dyn Method>,
    pub(super) threads: Threads,
    pub(super) options: Options,
}

impl Runner {
    /// Explains all rows at once.
    pub(super) fn explain(&self, view: &View<'_>) -> Result<Explanation> {
        let (mut run, mut values, mut extra) = self.begin(view)?;
        run.batch(view, values.view_mut(), extra.rows(self, 0..view.rows()))?;
        run.explanation(values, extra)
    }

    /// Explains rows in batches after each of which `go_on` is told the rows done and says whether
    /// to go on; `None` if it says no.
    pub(super) fn explain_while(
        &self,
        view: &View<'_>,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Explanation>> {
        let (mut run, mut values, mut extra) = self.begin(view)?;
        let mut pace = Pace::new(self.method.seconds(), self.method.least_rows());
        let mut rest = values.view_mut();
        while run.rows < view.rows() {
            let rows = pace.begin().min(view.rows() - run.rows);
            let (part, others) = rest.split_at(Axis(0), rows);
            let range = run.rows..run.rows + rows;
            let extra = extra.rows(self, range.clone());
            run.batch(&view.slice(range)?, part, extra)?;
            rest = others;
            pace.end(rows);
            if !go_on(run.rows as u64) {
                return Ok(None);
            }
        }
        run.explanation(values, extra).map(Some)
    }

    /// As [`Runner::explain_while`], into a sink.
    pub(super) fn stream(
        &self,
        view: &View<'_>,
        sink: &mut dyn Sink,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Trailer>> {
        let mut run = Run::of(self, view)?;
        let mut pace = Pace::new(self.method.seconds(), self.method.least_rows());
        let mut buffer = Vec::new();
        sink.begin(self.method.header())?;
        while run.rows < view.rows() {
            let most = pace.begin().min(self.batch_rows());
            let rows = most.min(view.rows() - run.rows);
            run.block(&view.slice(run.rows..run.rows + rows)?, &mut buffer, sink)?;
            pace.end(rows);
            if !go_on(run.rows as u64) {
                return Ok(None);
            }
        }
        let trailer = run.trailer()?;
        sink.end(&trailer)?;
        Ok(Some(trailer))
    }

    pub(super) fn explain_into(
        &self,
        reader: &mut Reader,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Trailer> {
        let path = reader.path().to_owned();
        let run = Run::new(self, reader.names(), reader.columns(), reader.rows());
        let mut run = run.map_err(|error| error.in_file(&path))?;
        let mut buffer = Vec::new();
        sink.begin(self.method.header())?;
        while let Some(table) = reader.next(self.batch_rows())? {
            let view = View::from(&table);
            run.block(&view, &mut buffer, sink)
                .map_err(|error| error.in_file(&path))?;
            progress(run.rows as u64);
        }
        let trailer = run.trailer()?;
        sink.end(&trailer)?;
        Ok(trailer)
    }

    /// What a method says of the rows of a view, taken as one batch.
    pub(super) fn ask<T: Send>(
        &self,
        view: &View<'_>,
        ask: impl FnOnce(&dyn Method, &Rows<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        let run = Run::of(self, view)?;
        let batch = run.encoder.batch(view)?;
        let rows = Rows {
            batch: &batch,
            before: 0,
            amount: run.amount,
        };
        self.threads.run(|| ask(&*self.method, &rows))
    }

    /// A run over rows that lie in memory, and the room for their values and what comes with these.
    fn begin(&self, view: &View<'_>) -> Result<(Run<'_>, Array3<f32>, Extra)> {
        let run = Run::of(self, view)?;
        let shape = self.shape(view.rows());
        room(shape)?;
        Ok((run, Array3::zeros(shape), Extra::new(self, view.rows())))
    }

    /// Standard errors, completeness deltas, marks of the fallback, and intercepts, of a row.
    fn extra_widths(&self) -> [usize; 4] {
        let (_, cells, outputs) = self.shape(0);
        [
            usize::from(self.method.has_errors()) * cells * outputs,
            usize::from(self.method.has_deltas()) * outputs,
            usize::from(self.method.has_fallback()),
            usize::from(self.method.has_intercepts()) * outputs,
        ]
    }

    fn shape(&self, rows: usize) -> (usize, usize, usize) {
        let header = self.method.header();
        (rows, header.cells(), header.output_names.len())
    }

    /// Rows of a batch under the memory limit: cells in float64, values in float32, and as much
    /// again, twice, for what reads and writes them.
    fn batch_rows(&self) -> usize {
        let (_, features, outputs) = self.shape(0);
        let row = 3 * features as u64 * (8 + 4 * outputs as u64);
        let limit = self.options.memory_limit.unwrap_or(BATCH_BYTES);
        (limit / row.max(1)).clamp(1, 1 << 20) as usize
    }
}

/// What comes with values: of the methods that have them, standard errors and completeness deltas.
struct Extra {
    /// (row, value).
    errors: Vec<f32>,
    /// (row, output).
    deltas: Vec<f32>,
    /// By row.
    recomputed: Vec<bool>,
    /// (row, output).
    intercepts: Vec<f64>,
    /// (row, output).
    fits: Vec<f32>,
}

impl Extra {
    /// For so many rows.
    fn new(runner: &Runner, rows: usize) -> Self {
        let [errors, deltas, marks, intercepts] = runner.extra_widths();
        Self {
            errors: vec![0.0; rows * errors],
            deltas: vec![0.0; rows * deltas],
            recomputed: vec![false; rows * marks],
            intercepts: vec![0.0; rows * intercepts],
            fits: vec![0.0; rows * intercepts],
        }
    }

    /// The parts of some rows.
    fn rows(&mut self, runner: &Runner, rows: Range<usize>) -> method::Extra<'_> {
        let [errors, deltas, marks, intercepts] = runner.extra_widths();
        let own = rows.start * intercepts..rows.end * intercepts;
        method::Extra {
            errors: &mut self.errors[rows.start * errors..rows.end * errors],
            deltas: &mut self.deltas[rows.start * deltas..rows.end * deltas],
            recomputed: &mut self.recomputed[rows.start * marks..rows.end * marks],
            intercepts: &mut self.intercepts[own.clone()],
            fits: &mut self.fits[own],
        }
    }
}

/// The rows of one call, batch after batch.
struct Run<'a> {
    runner: &'a Runner,
    encoder: Encoder,
    amount: Amount,
    check: Check,
    found: Found,
    /// Explained so far.
    rows: usize,
}

impl<'a> Run<'a> {
    /// For a table of these columns, and of these rows where they are known.
    fn new(
        runner: &'a Runner,
        names: Option<&[String]>,
        columns: usize,
        rows: Option<u64>,
    ) -> Result<Self> {
        let mut encoder = Encoder::new(runner.method.features(), names, columns)?;
        if let Some(kept) = runner.method.kept() {
            encoder = encoder.keep(kept);
        }
        Ok(Self {
            runner,
            encoder,
            amount: Amount::of(rows),
            check: match runner.options.index {
                Index::Shapley if !runner.method.has_intercepts() => {
                    Check::new(runner.options.additivity_rows, rows)
                }
                _ => Check::undefined(),
            },
            found: Found::default(),
            rows: 0,
        })
    }

    /// For rows that lie in memory.
    fn of(runner: &'a Runner, view: &View<'_>) -> Result<Self> {
        let rows = Some(view.rows() as u64);
        let run = Self::new(runner, view.names(), view.columns(), rows)?;
        if view.rows() == 0 {
            return Err(Error::Data {
                path: MEMORY.into(),
                at: "the table".to_owned(),
                reason: "no rows; expected at least one".to_owned(),
            });
        }
        Ok(run)
    }

    /// Writes the values of the next rows to `out`, (rows, features, outputs), and checks some of
    /// them.
    fn batch(
        &mut self,
        view: &View<'_>,
        mut out: ArrayViewMut3<'_, f32>,
        extra: method::Extra<'_>,
    ) -> Result<()> {
        let batch = self.encoder.batch(view)?;
        let Runner {
            method, threads, ..
        } = self.runner;
        let rows = Rows {
            batch: &batch,
            before: self.rows,
            amount: self.amount,
        };
        let picked = self.check.pick(batch.rows());
        let cells = out.as_slice_mut().unwrap_or_default();
        let values = || method.estimates(&rows, cells, extra);
        let margins = || check::margins(&**method, &batch, &picked);
        let (done, margins) = if method.is_serial() {
            let done = threads.run(values)?;
            (Ok(done), margins())
        } else if self.amount == Amount::Few {
            // To wake another thread takes longer than a row of a small model.
            (values(), margins())
        } else {
            // The margins need no values: a thread that still waits for its share, of the tables or
            // of the device, sums them.
            threads.run(|| rayon::join(values, margins))
        };
        self.found = self.found.with(done?);
        let base_values = &method.header().base_values;
        self.check
            .compare(base_values, &picked, &margins?, &out.view());
        self.rows += batch.rows();
        Ok(())
    }

    /// As [`Run::batch`], to a sink.
    fn block(&mut self, view: &View<'_>, buffer: &mut Vec<f32>, sink: &mut dyn Sink) -> Result<()> {
        let shape = self.runner.shape(view.rows());
        buffer.resize(room(shape)?, 0.0);
        let mut values =
            ArrayViewMut3::from_shape(shape, buffer).map_err(|error| Error::Shape {
                what: "the values of a batch".to_owned(),
                expected: format!("{shape:?}"),
                got: error.to_string(),
            })?;
        let mut extra = Extra::new(self.runner, view.rows());
        let room = extra.rows(self.runner, 0..view.rows());
        self.batch(view, values.view_mut(), room)?;
        let (rows, _, outputs) = shape;
        sink.block(&Block {
            values: values.view(),
            completeness_delta: ArrayView2::from_shape((rows, outputs), &extra.deltas).ok(),
            recomputed: (!extra.recomputed.is_empty()).then_some(&*extra.recomputed),
            intercepts: ArrayView2::from_shape((rows, outputs), &extra.intercepts).ok(),
            local_fit: ArrayView2::from_shape((rows, outputs), &extra.fits).ok(),
        })
    }

    fn explanation(&self, values: Array3<f32>, extra: Extra) -> Result<Explanation> {
        let (rows, _, outputs) = values.dim();
        let errors = Array3::from_shape_vec(values.dim(), extra.errors);
        let deltas = Array2::from_shape_vec((rows, outputs), extra.deltas);
        let intercepts = Array2::from_shape_vec((rows, outputs), extra.intercepts);
        let fits = Array2::from_shape_vec((rows, outputs), extra.fits);
        Ok(Explanation {
            header: self.runner.method.header().clone(),
            trailer: self.trailer()?,
            values,
            // Of a method that has none, there are no numbers for so many rows.
            standard_errors: errors.ok(),
            completeness_delta: deltas.ok(),
            recomputed: (!extra.recomputed.is_empty()).then_some(extra.recomputed),
            intercepts: intercepts.ok(),
            local_fit: fits.ok(),
            picked: None,
            data: None,
        })
    }

    fn trailer(&self) -> Result<Trailer> {
        let account = self.runner.method.account(self.amount)?;
        Ok(Trailer {
            rows: self.rows as u64,
            additivity_error: self.check.error(),
            additivity_rows: self.check.rows(),
            engines: account.engines,
            standard_error: self.found.standard_error,
            approximation_error: self.found.approximation_error,
            notes: [account.notes, self.found.notes()].concat(),
        })
    }
}

/// The number of values of a shape, if the memory for them can be had.
fn room(shape: (usize, usize, usize)) -> Result<usize> {
    let (rows, features, outputs) = shape;
    let values = rows
        .checked_mul(features)
        .and_then(|cells| cells.checked_mul(outputs));
    let had = |&values: &usize| Vec::<f32>::new().try_reserve_exact(values).is_ok();
    values.filter(had).ok_or_else(|| Error::Unsupported {
        what: format!("{rows} rows of {features} features and {outputs} outputs at a time"),
        by: "the memory of this machine".to_owned(),
        instead: "stream the values to a .npy, .parquet, .arrow or .csv file, with a memory limit"
            .to_owned(),
    })
}
