//! Path-dependent Tree SHAP (Lundberg et al. 2020): exact Shapley values of the game in which
//! features outside a coalition follow the cover of the training rows.

mod check;
mod columns;
mod compile;
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod plan;

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array3, ArrayViewMut3};
use rayon::ThreadPool;

use self::check::Check;
use self::compile::Compiled;
use self::cpu::Cpu;
#[cfg(feature = "gpu")]
use self::gpu::GpuPacks;
use self::plan::Amount;
use super::{MAX_THREADS, Options};
use crate::data::{Batch, Encoder, ReadOptions, Reader, Table, city_hash};
use crate::device::Device;
use crate::error::{Error, MEMORY, Result};
use crate::explanation::{Explanation, Header, Sink, Trailer};
use crate::model::{Model, Trees};

/// Bytes that a batch of rows may take when no memory limit is given.
const BATCH_BYTES: u64 = 100 << 20;

/// Leaf values that sum up to more could leave the range of float32 on the way to a value.
const LARGEST: f64 = 1e30;

/// The engines of a device.
#[derive(Debug)]
enum Engines {
    Cpu(Box<Cpu>),
    #[cfg(feature = "gpu")]
    Gpu(Box<GpuPacks>),
}

/// A tree ensemble made ready for a device.
#[derive(Debug)]
pub(super) struct TreeShap {
    model: Arc<Model>,
    /// The model with covers counted from a background, where it has none of its own.
    counted: Option<Trees>,
    compiled: Compiled,
    engines: Engines,
    header: Header,
    /// What is worth knowing before any row.
    notes: Vec<String>,
    options: Options,
    pool: Option<ThreadPool>,
}

impl TreeShap {
    pub(super) fn new(
        model: Arc<Model>,
        background: Option<&Table>,
        options: Options,
    ) -> Result<Self> {
        let Model::Trees(trees) = &*model;
        let mut cover = "model".to_owned();
        let mut counted = None;
        let mut notes = Vec::new();
        if trees.has_cover && background.is_some() {
            notes.push("the covers are the model's own: the background was not used".to_owned());
        }
        if !trees.has_cover {
            let Some(background) = background else {
                return Err(Error::Parameter {
                    name: "background",
                    got: "none".to_owned(),
                    allowed: format!(
                        "this {} file stores no cover, which path-dependent values need; give the \
                         training rows, or a sample of them, as background",
                        trees.format
                    ),
                });
            };
            let mut trees = trees.clone();
            let hash = count_covers(&mut trees, background)
                .map_err(|error| error.in_file(Path::new("the background")))?;
            cover = format!("background of {} rows, hash {hash:016x}", background.rows());
            counted = Some(trees);
        }
        let trees = counted.as_ref().unwrap_or(trees);
        let compiled = Compiled::new(trees)?;
        let largest = compiled.largest();
        // NaN, too, is not below.
        if largest.is_nan() || largest >= LARGEST {
            return Err(Error::Unsupported {
                what: format!(
                    "this {} model, whose leaf values, weighted with the covers of their paths, \
                     reach {largest:e}",
                    trees.format
                ),
                by: "Tree SHAP in float32".to_owned(),
                instead: format!("train on a target that is scaled down, below {LARGEST:e}"),
            });
        }
        let expected = compiled.forest.expected();
        let base_values = trees.base.iter().zip(&expected).map(|(a, b)| a + b);
        let names = (trees.features.iter().enumerate())
            .map(|(f, feature)| feature.name.clone().unwrap_or_else(|| format!("f{f}")));
        let header = Header {
            method: "tree_shap".to_owned(),
            value_function: "path_dependent".to_owned(),
            output: "raw".to_owned(),
            exact: true,
            base_values: base_values.collect(),
            feature_names: names.collect(),
            output_names: trees.outputs.clone(),
            model_format: trees.format.to_owned(),
            objective: trees.objective.clone(),
            cover,
            device: options.device.name(),
            device_reason: options.device.reason(),
            seed: options.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let engines = match &options.device {
            Device::Cpu { .. } => Engines::Cpu(Box::default()),
            #[cfg(feature = "gpu")]
            Device::Gpu { gpu, .. } => {
                Engines::Gpu(Box::new(GpuPacks::new(gpu.clone(), options.memory_limit)))
            }
        };
        let pool = match options.threads {
            0 => None,
            threads => Some(pool(threads)?),
        };
        Ok(Self {
            model,
            counted,
            compiled,
            engines,
            header,
            notes,
            options,
            pool,
        })
    }

    fn trees(&self) -> &Trees {
        let Model::Trees(trees) = &*self.model;
        self.counted.as_ref().unwrap_or(trees)
    }

    pub(super) fn read_options(&self) -> ReadOptions {
        ReadOptions::for_features(&self.trees().features)
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn explain(&self, table: &Table) -> Result<Explanation> {
        let encoder = self.encoder(table.names.as_deref(), table.columns())?;
        let batch = encoder.batch(table)?;
        if batch.rows() == 0 {
            return Err(Error::Data {
                path: MEMORY.into(),
                at: "the table".to_owned(),
                reason: "no rows; expected at least one".to_owned(),
            });
        }
        let amount = Amount::of(Some(batch.rows() as u64));
        let shape = self.shape(batch.rows());
        room(shape)?;
        let mut values = Array3::zeros(shape);
        let mut check = Check::new(self.options.additivity_rows, Some(batch.rows() as u64));
        self.values(&batch, amount, &mut check, values.view_mut())?;
        Ok(Explanation {
            header: self.header.clone(),
            trailer: self.trailer(batch.rows() as u64, amount, &check)?,
            values,
            data: None,
        })
    }

    pub(super) fn explain_into(
        &self,
        reader: &mut Reader,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Trailer> {
        let path = reader.path().to_owned();
        let encoder = self.encoder(reader.names(), reader.columns());
        let encoder = encoder.map_err(|error| error.in_file(&path))?;
        let known = reader.rows();
        let amount = Amount::of(known);
        let mut check = Check::new(self.options.additivity_rows, known);
        let mut rows = 0;
        let mut buffer = Vec::new();
        sink.begin(&self.header)?;
        while let Some(table) = reader.next(self.batch_rows())? {
            let batch = encoder
                .batch(&table)
                .map_err(|error| error.in_file(&path))?;
            let shape = self.shape(batch.rows());
            buffer.resize(room(shape)?, 0.0);
            let mut values =
                ArrayViewMut3::from_shape(shape, &mut buffer).map_err(|error| Error::Shape {
                    what: "the values of a batch".to_owned(),
                    expected: format!("{shape:?}"),
                    got: error.to_string(),
                })?;
            self.values(&batch, amount, &mut check, values.view_mut())?;
            sink.block(values.view())?;
            rows += batch.rows() as u64;
            progress(rows);
        }
        let trailer = self.trailer(rows, amount, &check)?;
        sink.end(&trailer)?;
        Ok(trailer)
    }

    fn encoder(&self, names: Option<&[String]>, columns: usize) -> Result<Encoder> {
        Encoder::new(&self.trees().features, names, columns)
    }

    fn shape(&self, rows: usize) -> (usize, usize, usize) {
        let forest = &self.compiled.forest;
        (rows, forest.features as usize, forest.outputs as usize)
    }

    /// Rows of a batch under the memory limit: cells in float64, values in float32, and as much
    /// again, twice, for what reads and writes them.
    fn batch_rows(&self) -> usize {
        let (_, features, outputs) = self.shape(0);
        let row = 3 * features as u64 * (8 + 4 * outputs as u64);
        let limit = self.options.memory_limit.unwrap_or(BATCH_BYTES);
        (limit / row.max(1)).clamp(1, 1 << 20) as usize
    }

    /// Writes the values of a batch to `out`, (rows, features, outputs), and checks some of them.
    fn values(
        &self,
        batch: &Batch<'_>,
        amount: Amount,
        check: &mut Check,
        mut out: ArrayViewMut3<'_, f32>,
    ) -> Result<()> {
        let rows = check.pick(batch.rows());
        let cells = out.as_slice_mut().unwrap_or_default();
        let mut values = || match &self.engines {
            Engines::Cpu(cpu) => cpu.values(&self.compiled, batch, amount, cells),
            #[cfg(feature = "gpu")]
            Engines::Gpu(gpu) => gpu.values(&self.compiled, batch, amount, cells),
        };
        let margins = || check::margins(self.trees(), batch, &rows);
        let (done, margins) = if amount == Amount::Few {
            // To wake another thread takes longer than a row of a small model.
            (values(), margins())
        } else {
            // The margins need no values: a thread that still waits for its share, of the tables or
            // of the device, sums them.
            self.on_threads(|| rayon::join(values, margins))
        };
        done?;
        check.compare(&self.header.base_values, &rows, &margins?, &out.view());
        Ok(())
    }

    /// Runs work on the threads that were asked for.
    fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    #[cfg_attr(
        not(feature = "gpu"),
        expect(clippy::unnecessary_wraps, reason = "a GPU can fail")
    )]
    fn trailer(&self, rows: u64, amount: Amount, check: &Check) -> Result<Trailer> {
        let (engines, more) = match &self.engines {
            Engines::Cpu(cpu) => (cpu.packs(&self.compiled, amount).engines(), Vec::new()),
            #[cfg(feature = "gpu")]
            Engines::Gpu(gpu) => {
                let pack = gpu.pack(&self.compiled, amount)?;
                (pack.engines(), pack.notes())
            }
        };
        let mut notes = self.notes.clone();
        notes.extend(more);
        Ok(Trailer {
            rows,
            additivity_error: check.error(),
            additivity_rows: check.rows(),
            engines,
            notes,
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

fn pool(threads: usize) -> Result<ThreadPool> {
    let refused = |reason: String| Error::Parameter {
        name: "threads",
        got: threads.to_string(),
        allowed: format!("up to {MAX_THREADS} that the system grants{reason}"),
    };
    if threads > MAX_THREADS {
        return Err(refused(String::new()));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| refused(format!(" ({error})")))
}

/// Sets every node's cover to the number of background rows that reach it, and hashes their cells as
/// the model reads them.
fn count_covers(trees: &mut Trees, background: &Table) -> Result<u64> {
    let encoder = Encoder::new(
        &trees.features,
        background.names.as_deref(),
        background.columns(),
    )?;
    let batch = encoder.batch(background)?;
    if batch.rows() == 0 {
        return Err(Error::Data {
            path: MEMORY.into(),
            at: "its end".to_owned(),
            reason: "no rows; expected the training rows, or a sample of them".to_owned(),
        });
    }
    trees.clear_covers();
    let mut column = vec![0.0; batch.rows()];
    let mut cells = vec![0.0; batch.rows() * batch.features()];
    for feature in 0..batch.features() {
        batch.column(feature, 0..batch.rows(), &mut column)?;
        for (row, &cell) in column.iter().enumerate() {
            cells[row * batch.features() + feature] = cell;
        }
    }
    for row in cells.chunks(batch.features().max(1)) {
        trees.count_cover(row);
    }
    Ok(city_hash(bytemuck::cast_slice(&cells)))
}
