//! LIME on a GPU: it sums over the samples, and the CPU solves.

use ndarray::Array2;

use super::centred::Centred;
use super::fit::{About, Fit};
use super::samples::Samples;
use crate::device::Device;
use crate::error::Result;
use crate::explain::Options;
use crate::gpu_samples::{self, GpuSamples, Rows};

/// Bytes of the sums of rows, when no memory limit is given.
const MEMORY: u64 = 1 << 28;

/// The common samples on a GPU.
#[derive(Debug)]
pub(super) struct OnGpu {
    samples: GpuSamples,
    count: usize,
    /// Of each output's answers, so that what is left of them keeps its precision in float32.
    means: Vec<f64>,
}

impl OnGpu {
    /// Uploads the samples and the answers to them, where the device is a GPU.
    ///
    /// # Errors
    /// See [`GpuSamples::new`].
    pub(super) fn new(
        options: &Options,
        samples: &Samples,
        answers: &Array2<f64>,
        means: &[f64],
    ) -> Result<Option<Self>> {
        let Device::Gpu { gpu, .. } = &options.device else {
            return Ok(None);
        };
        let centred: Vec<f32> = (answers.outer_iter())
            .flat_map(|answers| less(answers.to_vec(), means))
            .collect();
        let held = gpu_samples::Samples {
            compared: &samples.compared(),
            cells: &samples.standardised(),
            answers: &centred,
            count: samples.count,
            kernel_width: samples.kernel_width as f32,
        };
        let memory = options.memory_limit.unwrap_or(MEMORY);
        Ok(Some(Self {
            samples: GpuSamples::new(gpu, &held, Some(memory))?,
            count: samples.count,
            means: means.to_vec(),
        }))
    }

    /// The models of rows whose cells, as the samples have them, and answers are given, by row and output.
    pub(super) fn fits(&self, cells: &[f32], abouts: &[About<'_>]) -> Result<Vec<Vec<Fit>>> {
        let own: Vec<f32> = (abouts.iter())
            .flat_map(|about| less(about.answers.to_vec(), &self.means))
            .collect();
        let rows = Rows {
            cells,
            own: &own,
            count: abouts.len(),
        };
        let sums = self.samples.sums(rows)?;
        let centred: Vec<Centred> = sums.iter().map(|sums| Centred::new(sums, 1.0)).collect();
        let mut solved: Vec<_> = (centred.iter().zip(abouts))
            .map(|(centred, about)| centred.solve(about).into_iter())
            .collect();
        let mut fits = vec![Vec::new(); abouts.len()];
        for output in 0..self.means.len() {
            let next: Vec<_> = solved.iter_mut().filter_map(Iterator::next).collect();
            let models: Vec<f32> = (next.iter().zip(&centred))
                .flat_map(|(solved, centred)| {
                    let rest = centred.rest(output, &solved.fit.values);
                    std::iter::once(rest).chain(solved.fit.values.iter().copied())
                })
                .map(|number| number as f32)
                .collect();
            let spreads = self.samples.spreads(rows, output, &models)?;
            let parts = next.into_iter().zip(&centred).zip(spreads);
            for (fits, ((solved, centred), spread)) in fits.iter_mut().zip(parts) {
                let spread = spread.among(&solved.fit.used);
                fits.push(solved.with_errors(centred, &spread, self.count));
            }
        }
        Ok(fits)
    }
}

fn less(answers: Vec<f64>, means: &[f64]) -> impl Iterator<Item = f32> {
    answers
        .into_iter()
        .zip(means)
        .map(|(answer, mean)| (answer - mean) as f32)
}
