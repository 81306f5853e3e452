//! A training on a GPU: the weights stay there, batches go in, and losses come back when an epoch is complete.

mod level;
mod needs;
mod products;
mod words;

use whylight_kernels::adam::{self, Step};
use whylight_kernels::gru::Sequences;
use whylight_kernels::loss;
use whylight_kernels::vectors;

use self::level::{Level, Rows};
use self::needs::Needs;
use self::products::{Products, View};
use self::words::Words;
use super::cpu::Gradients;
use super::encoder::TENSORS;
use super::training::Steps;
use super::{Corpus, Loss, Training};
use crate::device::Device;
use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu};
use crate::kernel;

/// Work that is submitted together, in multiplications.
const WORK: u64 = 1 << 31;

/// The device that trains a network of these sizes on a corpus, where that is known.
pub(super) fn able(training: &Training, device: &Device, corpus: Option<Corpus<'_>>) -> Device {
    let Device::Gpu { gpu, .. } = device else {
        return device.clone();
    };
    let config = &training.han.config;
    let table = training.han.weights.table().len();
    let limits = &gpu.adapter().limits;
    let by_corpus = || Needs::new(config, corpus?).refusal(config, table, limits);
    match needs::too_wide(config).or_else(by_corpus) {
        Some(reason) => Device::Cpu {
            reason: format!("the GPU cannot hold the training: {reason}").into(),
        },
        None => device.clone(),
    }
}

/// What takes the steps on a GPU, where the device is one.
pub(super) fn steps(
    training: &Training,
    device: &Device,
    corpus: Corpus<'_>,
) -> Option<Box<dyn Steps>> {
    let Device::Gpu { gpu, .. } = device else {
        return None;
    };
    Some(Box::new(OnGpu::new(gpu, training, corpus)))
}

/// What a batch of all documents asks, as [`Training::ask_all`] has it, where the device is a GPU.
pub(super) fn ask_all(training: &Training, corpus: Corpus<'_>) -> Result<Option<Gradients>> {
    let Device::Gpu { gpu, .. } = training.device() else {
        return Ok(None);
    };
    let config = &training.han.config;
    let documents: Vec<u32> = (0..corpus.documents.len() as u32).collect();
    let mut all = training.clone();
    all.han.config.batch = documents.len();
    let mut on_gpu = OnGpu::new(gpu, &all, corpus);
    let mut batch = gpu.batch();
    let words = on_gpu.ask(&mut batch, training, corpus, &documents)?;
    gpu.pace(&mut batch, WORK + 1, WORK);
    let dense = training.han.weights.dense().len();
    let learned = words.count as usize * config.embedding;
    let mut asked = on_gpu.read(&on_gpu.products.gradients, dense + learned)?;
    let of_words = asked.split_off(dense);
    let mut table = vec![0.0; training.han.weights.table().len()];
    for (&word, sums) in words.names.iter().zip(of_words.chunks(config.embedding)) {
        table[word as usize * config.embedding..][..config.embedding].copy_from_slice(sums);
    }
    let loss = f64::from(on_gpu.read(&on_gpu.sums, 1)?[0]);
    Ok(Some((loss, asked, table)))
}

/// A training's weights and what its batches write.
struct OnGpu {
    batch: Option<Batch>,
    gpu: Gpu,
    table: Buffer,
    dense: Buffer,
    /// First and second, of the table and of the others.
    table_moments: [Buffer; 2],
    dense_moments: [Buffer; 2],
    levels: [Level; 2],
    documents: Buffer,
    asked_documents: Buffer,
    outputs: Buffer,
    /// By document, and by batch since the last settling.
    losses: Buffer,
    sums: Buffer,
    norms: Buffer,
    products: Products,
    /// The weights of the batches whose losses are in `sums`.
    weights: Vec<f64>,
}

/// Losses that wait for the host, at most.
const MOST_BATCHES: usize = 1 << 20;

impl OnGpu {
    fn new(gpu: &Gpu, training: &Training, corpus: Corpus<'_>) -> Self {
        let han = &training.han;
        let config = &han.config;
        let bytes = |count: usize| 4 * count as u64;
        let Needs {
            words,
            sentences,
            documents,
            ..
        } = Needs::new(config, corpus);
        let state = 2 * config.hidden;
        let levels = [
            Level::new(gpu, config, 0, config.embedding, words, sentences),
            Level::new(gpu, config, TENSORS, state, sentences, documents),
        ];
        let dense = han.weights.dense().len();
        let gradients = dense + words * config.embedding;
        let stored = |label: &str, numbers: &[f32]| {
            let buffer = gpu.storage(label, bytes(numbers.len()));
            gpu.write(&buffer, numbers);
            buffer
        };
        let pair = |label: &str, pair: &[Vec<f32>; 2]| [0, 1].map(|i| stored(label, &pair[i]));
        let batches = corpus.documents.len().div_ceil(config.batch);
        Self {
            batch: None,
            table: stored("table", han.weights.table()),
            dense: stored("weights", han.weights.dense()),
            table_moments: pair("moments of the table", &training.moments.table),
            dense_moments: pair("moments", &training.moments.dense),
            levels,
            documents: gpu.storage("documents", bytes(documents * state)),
            asked_documents: gpu.storage("asked documents", bytes(documents * state)),
            outputs: gpu.storage("outputs", bytes(documents * config.outputs)),
            losses: gpu.storage("losses", bytes(documents)),
            sums: gpu.storage("sums of losses", bytes(batches.min(MOST_BATCHES))),
            norms: gpu.storage(
                "norms",
                bytes(1 + gradients.div_ceil(adam::NORM_RUN as usize)),
            ),
            products: Products::new(gpu, training, gradients, words),
            gpu: gpu.clone(),
            weights: Vec::new(),
        }
    }

    /// Forward, loss and back: leaves what is asked of the weights.
    fn ask(
        &mut self,
        batch: &mut Batch,
        training: &Training,
        corpus: Corpus<'_>,
        documents: &[u32],
    ) -> Result<Words> {
        let config = &training.han.config;
        let gpu = &self.gpu;
        let of = |document: &u32| &corpus.documents[*document as usize];
        let ids: Vec<u32> = (documents.iter())
            .flat_map(|&document| training.words(corpus, document))
            .collect();
        let words = Words::new(gpu, &ids);
        let sentences = documents.iter().flat_map(|d| &of(d).sentences);
        let rows = [
            Rows::new(gpu, &Sequences::new(sentences.copied())),
            Rows::new(
                gpu,
                &Sequences::new(documents.iter().map(|d| of(d).sentences.len() as u32)),
            ),
        ];
        let weight: f64 = documents.iter().map(|&d| corpus.weight(d)).sum();
        let mut targets = Vec::with_capacity(documents.len() * (config.outputs + 1));
        for &document in documents {
            targets.extend(corpus.targets.row(document as usize));
        }
        let shares = targets.len() as u32;
        let share = |&d: &u32| (corpus.weight(d) / weight.max(f64::MIN_POSITIVE)) as f32;
        targets.extend(documents.iter().map(share));
        let targets = gpu.upload("targets", &targets);
        let look_up = vectors::Params {
            count: ids.len() as u32,
            width: config.embedding as u32,
            ..Default::default()
        };
        let numbers = ids.len() as u64 * config.embedding as u64;
        let bound = [&words.buffer, &self.table, &self.levels[0].inputs];
        kernel::vectors.launch(gpu, batch, look_up, &bound, numbers)?;
        let dropouts = training.dropouts([0, 0]).0;
        let [of_words, of_sentences] = &self.levels;
        let products = &self.products;
        let dense = &self.dense;
        let pooled = &of_sentences.inputs;
        of_words.forward(products, batch, dense, &rows[0], pooled, dropouts[0])?;
        let pooled = &self.documents;
        of_sentences.forward(products, batch, dense, &rows[1], pooled, dropouts[1])?;
        self.output(batch, training, documents.len(), &targets, shares)?;
        let asked = &self.asked_documents;
        of_sentences.back(products, batch, dense, &rows[1], asked, true, dropouts[1])?;
        let asked = &of_sentences.asked_inputs;
        let learns = config.learns_embedding;
        of_words.back(products, batch, dense, &rows[0], asked, learns, dropouts[0])?;
        if learns {
            let sum = vectors::Params {
                count: words.count,
                width: config.embedding as u32,
                sums: 1,
                offsets: words.offsets,
                rows: words.rows,
                start: products.dense,
            };
            let bound = [&words.buffer, &of_words.asked_inputs, &products.gradients];
            let numbers = u64::from(words.count) * config.embedding as u64;
            kernel::vectors.launch(gpu, batch, sum, &bound, numbers)?;
        }
        self.weights.push(weight);
        Ok(words)
    }

    /// The last layer, the loss, and back to what is asked of the documents.
    fn output(
        &self,
        batch: &mut Batch,
        training: &Training,
        documents: usize,
        targets: &Buffer,
        shares: u32,
    ) -> Result<()> {
        let config = &training.han.config;
        let (outputs, state) = (config.outputs as u32, 2 * config.hidden as u32);
        let [matrix, bias] = [0, 1].map(|i| training.tensors[2 * TENSORS + i].start as u32);
        let count = documents as u32;
        let products = &self.products;
        let weights = View::new(&self.dense, matrix, state, 1);
        let logits = View::new(&self.outputs, 0, outputs, 1);
        let vectors = View::new(&self.documents, 0, state, 1);
        products.multiply(
            batch,
            vectors,
            weights.turned(),
            logits,
            [count, outputs, state],
            Some((&self.dense, bias)),
            false,
        )?;
        let mut params = loss::Params {
            documents: count,
            outputs,
            squares: u32::from(config.loss == Loss::Squares),
            adds_up: 0,
            place: self.weights.len() as u32,
            shares,
        };
        let bound = [targets, &self.outputs, &self.losses, &self.sums];
        kernel::loss.launch(&self.gpu, batch, params, &bound, count.into())?;
        params.adds_up = 1;
        kernel::loss.launch(&self.gpu, batch, params, &bound, 1)?;
        products.ask(
            batch,
            logits.turned(),
            vectors,
            [outputs, state, count],
            matrix,
        )?;
        products.ask_bias(batch, logits.turned(), [outputs, count], bias)?;
        let asked = View::new(&self.asked_documents, 0, state, 1);
        products.multiply(
            batch,
            logits,
            weights,
            asked,
            [count, state, outputs],
            None,
            false,
        )
    }

    /// A step along what is asked.
    fn update(&self, batch: &mut Batch, training: &Training, words: &Words) -> Result<()> {
        let config = &training.han.config;
        let step = Step::new(config.learning_rate, training.state.steps, 1.0);
        let dense = self.products.dense;
        let learned = if config.learns_embedding {
            words.count * config.embedding as u32
        } else {
            0
        };
        let mut params = adam::Params {
            part: 0,
            count: dense + learned,
            clip: (config.clip as f32).to_bits(),
            rate: step.rate.to_bits(),
            epsilon: step.epsilon.to_bits(),
            ..Default::default()
        };
        let mut launch = |params: adam::Params, weights, moments: &[Buffer; 2], count: u32| {
            let bound = [
                &self.products.gradients,
                &words.buffer,
                weights,
                &moments[0],
                &moments[1],
                &self.norms,
            ];
            kernel::adam.launch(&self.gpu, batch, params, &bound, count.into())
        };
        let moments = &self.dense_moments;
        launch(
            params,
            &self.dense,
            moments,
            params.count.div_ceil(adam::NORM_RUN),
        )?;
        params.part = 1;
        launch(params, &self.dense, moments, 1)?;
        (params.part, params.count) = (2, dense);
        launch(params, &self.dense, moments, dense)?;
        (params.start, params.count) = (dense, learned);
        (params.width, params.words) = (config.embedding as u32, words.list);
        launch(params, &self.table, &self.table_moments, learned)
    }

    /// The first numbers of a buffer.
    fn read(&self, buffer: &Buffer, numbers: usize) -> Result<Vec<f32>> {
        let bytes = 4 * numbers as u64;
        let readable = self.gpu.readable("read", bytes);
        let mut batch = self.gpu.batch();
        batch.copy(buffer, &readable, 0, bytes);
        let ticket = self.gpu.submit(batch, &readable, bytes);
        self.gpu.read(
            "training a network of texts",
            ticket,
            &readable,
            bytes,
            <[f32]>::to_vec,
        )
    }
}

impl Steps for OnGpu {
    fn step(&mut self, training: &mut Training, corpus: Corpus<'_>, batch: &[u32]) -> Result<()> {
        if self.weights.len() == MOST_BATCHES {
            self.settle(training)?;
        }
        let mut launches = self.batch.take().unwrap_or_else(|| self.gpu.batch());
        let words = self.ask(&mut launches, training, corpus, batch)?;
        training.state.steps += 1;
        self.update(&mut launches, training, &words)?;
        let work = words.all as u64 * self.products.work;
        self.gpu.pace(&mut launches, work, WORK);
        self.batch = Some(launches);
        Ok(())
    }

    fn settle(&mut self, training: &mut Training) -> Result<()> {
        if let Some(mut batch) = self.batch.take() {
            self.gpu.pace(&mut batch, WORK + 1, WORK);
        }
        let weights = std::mem::take(&mut self.weights);
        if weights.is_empty() {
            return Ok(());
        }
        let losses = self.read(&self.sums, weights.len())?;
        for (&loss, &weight) in losses.iter().zip(&weights) {
            training.add_loss(f64::from(loss) * weight, weight)?;
        }
        let (table, dense) = training.han.weights.both_mut();
        table.copy_from_slice(&self.read(&self.table, table.len())?);
        dense.copy_from_slice(&self.read(&self.dense, dense.len())?);
        training.han.network.pack(training.han.weights.dense());
        for which in 0..2 {
            let moments = &mut training.moments;
            let count = moments.table[which].len();
            if count > 0 {
                moments.table[which] = self.read(&self.table_moments[which], count)?;
            }
            let count = moments.dense[which].len();
            moments.dense[which] = self.read(&self.dense_moments[which], count)?;
        }
        Ok(())
    }
}
