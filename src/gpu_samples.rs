//! Samples on a GPU, for the normal equations of many rows' linear models: the samples stay there, rows come and go.

use whylight_kernels::weighted_gram::{Params, Sums};

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};
use crate::kernel::{self, WORKGROUP};

/// Loop iterations of one launch: a fraction of a second on a small GPU, whose driver kills what takes longer than a few
/// seconds.
const WORK: u64 = 1 << 28;

/// What samples are, as a GPU holds them.
#[derive(Debug)]
pub struct Samples<'a> {
    /// By feature, whether cells are only compared.
    pub compared: &'a [bool],
    /// (samples, features): codes of compared cells, standardised cells of others.
    pub cells: &'a [f32],
    /// (samples, outputs).
    pub answers: &'a [f32],
    /// Number of samples.
    pub count: usize,
    /// The distance at which a sample weighs `exp(−1/2)`.
    pub kernel_width: f32,
}

/// Some rows, and what the model answers to them.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// (rows, features), as the samples' cells.
    pub cells: &'a [f32],
    /// (rows, outputs).
    pub own: &'a [f32],
    /// How many.
    pub count: usize,
}

/// Samples on a GPU.
#[derive(Debug)]
pub struct GpuSamples {
    gpu: Gpu,
    features: usize,
    outputs: usize,
    count: usize,
    kernel_width: f32,
    /// Bytes of a buffer at most.
    limit: u64,
    cells: Buffer,
    compared: Buffer,
    answers: Buffer,
}

impl GpuSamples {
    /// Uploads samples; no buffer of sums takes more than `limit` bytes, or what the GPU allows.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if a buffer of the GPU cannot hold the samples, or the sums of one row.
    pub fn new(gpu: &Gpu, samples: &Samples<'_>, limit: Option<u64>) -> Result<Self> {
        let most = gpu.adapter().limits.binding_bytes;
        let (features, count) = (samples.compared.len(), samples.count);
        let outputs = samples.answers.len() / count.max(1);
        let numbers = (1 + features + outputs) as u64;
        let row = 4 * numbers * (numbers + 1);
        let held = 4 * samples.cells.len().max(samples.answers.len()) as u64;
        // Of an invocation: each sample is added, and in turns weighed by its features.
        let blocks = count.div_ceil(WORKGROUP as usize) as u64;
        let iterations = count as u64 + blocks * (features as u64 + 1);
        let limits = &gpu.adapter().limits;
        if held > most || row > most || iterations > limits.iterations {
            return Err(Error::Unsupported {
                what: format!("{count} samples of {features} features and {outputs} outputs"),
                by: format!("GPU {} with buffers of {most} bytes", gpu.adapter().name),
                instead: "use device cpu".to_owned(),
            });
        }
        let compared: Vec<u32> = samples.compared.iter().map(|&c| u32::from(c)).collect();
        let made = Self {
            gpu: gpu.clone(),
            features,
            outputs,
            count,
            kernel_width: samples.kernel_width,
            limit: limit.unwrap_or(most).clamp(row, most),
            cells: gpu.upload("cells", samples.cells),
            compared: gpu.upload("compared", &compared),
            answers: gpu.upload("answers", samples.answers),
        };
        gpu.check("uploading samples")?;
        Ok(made)
    }

    /// The sums of every row over all samples, with targets that are answers less the row's own.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device fails.
    pub fn sums(&self, rows: Rows<'_>) -> Result<Vec<Sums>> {
        self.all(rows, None)
    }

    /// The sums of every row without targets, weighted by the squares of the weights times what a linear model, (rows,
    /// intercept and features), leaves of an output.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device fails.
    pub fn spreads(&self, rows: Rows<'_>, output: usize, models: &[f32]) -> Result<Vec<Sums>> {
        self.all(rows, Some((output, models)))
    }

    fn all(&self, rows: Rows<'_>, residual: Option<(usize, &[f32])>) -> Result<Vec<Sums>> {
        let outputs = if residual.is_some() { 0 } else { self.outputs };
        let numbers = 1 + self.features + outputs;
        let triangle = numbers * (numbers + 1) / 2;
        let work = (triangle * self.count) as u64;
        let at_once = (self.limit / (8 * triangle as u64))
            .min(WORK / work.max(1))
            .max(1);
        let mut all = Vec::with_capacity(rows.count);
        for start in (0..rows.count).step_by(at_once as usize) {
            let end = (start + at_once as usize).min(rows.count);
            let of = |cells: &[f32], width: usize| {
                self.gpu.upload("rows", &cells[start * width..end * width])
            };
            let models = residual.map_or(&[][..], |(_, models)| models);
            let models = if models.is_empty() {
                self.gpu.upload("models", models)
            } else {
                of(models, self.features + 1)
            };
            let count = end - start;
            let params = Params {
                rows: count as u32,
                samples: self.count as u32,
                features: self.features as u32,
                outputs: self.outputs as u32,
                numbers: numbers as u32,
                width: self.kernel_width.to_bits(),
                residual: residual.map_or(0, |(output, _)| 1 + output as u32),
                zero: 0,
            };
            let bytes = (8 * triangle * count) as u64;
            let sums = self.gpu.storage("sums", bytes);
            let readable = self.gpu.readable("readable", bytes);
            let mut batch = self.gpu.batch();
            let tiles = (triangle as u64).div_ceil(u64::from(WORKGROUP));
            kernel::weighted_gram.launch(
                &self.gpu,
                &mut batch,
                params,
                &[
                    &self.cells,
                    &self.compared,
                    &self.answers,
                    &of(rows.cells, self.features),
                    &of(rows.own, self.outputs),
                    &models,
                    &sums,
                ],
                count as u64 * tiles * u64::from(WORKGROUP),
            )?;
            batch.copy(&sums, &readable, 0, bytes);
            let ticket = self.gpu.submit(batch, &readable, bytes);
            let doing = "kernel weighted_gram";
            self.gpu.read(doing, ticket, &readable, bytes, |numbers| {
                let triangles = numbers.chunks(2 * triangle);
                all.extend(
                    triangles
                        .take(count)
                        .map(|cells| self.unpack(cells, outputs)),
                );
            })?;
        }
        Ok(all)
    }

    /// The sums in a triangle of pairs of numbers.
    fn unpack(&self, cells: &[f32], outputs: usize) -> Sums {
        let at = |i: usize, j: usize| {
            let cell = i * (i + 1) / 2 + j;
            f64::from(cells[2 * cell]) + f64::from(cells[2 * cell + 1])
        };
        let features = self.features;
        let targets = 1 + features..1 + features + outputs;
        Sums {
            weight: at(0, 0),
            z: (1..=features).map(|i| at(i, 0)).collect(),
            zz: (0..features * features)
                .map(|cell| (1 + cell / features, 1 + cell % features))
                .map(|(i, j)| at(i.max(j), i.min(j)))
                .collect(),
            t: targets.clone().map(|t| at(t, 0)).collect(),
            tt: targets.clone().map(|t| at(t, t)).collect(),
            zt: targets
                .flat_map(|t| (1..=features).map(move |i| (t, i)))
                .map(|(t, i)| at(t, i))
                .collect(),
        }
    }
}
