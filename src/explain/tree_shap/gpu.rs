//! Tree SHAP on a GPU: the model is uploaded once, rows stream through.

use std::sync::{Arc, Mutex, PoisonError};

use super::columns::{self, Scale};
use super::compile::Compiled;
use super::cpu::Packs;
use super::plan::{self, Amount, Engine};
use crate::data::Batch;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::gpu_trees::{GpuTrees, Plan};
use crate::model::Precision;

/// The trees on a GPU for many rows and for some, made when first needed.
#[derive(Debug)]
pub(super) struct GpuPacks {
    gpu: Gpu,
    memory_limit: Option<u64>,
    packs: [Mutex<Option<Arc<GpuPack>>>; 2],
}

/// The trees, divided among the engines.
#[derive(Debug)]
pub(super) struct GpuPack {
    trees: GpuTrees,
    /// Trees that the GPU cannot hold, explained by the CPU within the same call.
    left: Packs,
    engines: Vec<(String, usize)>,
    notes: Vec<String>,
}

impl GpuPacks {
    pub(super) fn new(gpu: Gpu, memory_limit: Option<u64>) -> Self {
        Self {
            gpu,
            memory_limit,
            packs: Default::default(),
        }
    }

    pub(super) fn pack(&self, compiled: &Compiled, amount: Amount) -> Result<Arc<GpuPack>> {
        let many = usize::from(amount == Amount::Many);
        // A pack is set whole or not at all, so a panic elsewhere leaves nothing half done.
        let mut pack = self.packs[many]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(pack) = &*pack {
            return Ok(Arc::clone(pack));
        }
        let made = Arc::new(GpuPack::new(
            &self.gpu,
            self.memory_limit,
            compiled,
            amount,
        )?);
        Ok(Arc::clone(pack.insert(made)))
    }

    /// Writes the values of a batch to `out`, laid out (rows, features, outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        amount: Amount,
        out: &mut [f32],
    ) -> Result<()> {
        let pack = self.pack(compiled, amount)?;
        let scale = compiled.scale(batch);
        let fill = |start: usize, rows: usize, cells: &mut [f32]| {
            let mut scratch = columns::Scratch::default();
            compiled.fill(batch, scale, start, rows, &mut scratch, cells)
        };
        let kind = usize::from(scale == Scale::Ranks);
        pack.trees.values(kind, batch.rows(), fill, out)?;
        if !pack.left.engines().is_empty() {
            let mut rest = vec![0.0; out.len()];
            pack.left.values(compiled, batch, &mut rest)?;
            for (value, rest) in out.iter_mut().zip(&rest) {
                *value += rest;
            }
        }
        Ok(())
    }
}

impl GpuPack {
    fn new(
        gpu: &Gpu,
        memory_limit: Option<u64>,
        compiled: &Compiled,
        amount: Amount,
    ) -> Result<Self> {
        // Without a pack of their own, few rows take the paths: they need the least building.
        let amount = if amount == Amount::Few {
            Amount::Some
        } else {
            amount
        };
        let plan = plan::choose(compiled, amount);
        let is_table = |engine: &Engine| matches!(engine, Engine::Tables(_));
        let (tables, paths): (Vec<_>, Vec<_>) =
            plan.into_iter().partition(|(_, engine)| is_table(engine));
        let quadrature: Vec<u32> = paths.iter().map(|(tree, _)| *tree).collect();
        let count = tables.len();
        let tables = Packs::new(compiled, tables);
        let ranks;
        let mut kinds = vec![compiled.thresholds(Scale::Numbers)];
        if compiled.precision == Precision::F64 {
            ranks = compiled.thresholds(Scale::Ranks);
            kinds.push(ranks);
        }
        let trees = GpuTrees::new(
            gpu,
            &Plan {
                forest: &compiled.forest,
                thresholds: &kinds,
                tables: tables.tables(),
                quadrature: &quadrature,
                margins: false,
                memory_limit,
                buffer_limit: None,
            },
        )?;
        let left: Vec<(u32, Engine)> = trees
            .left()
            .iter()
            .map(|&t| (t, Engine::Quadrature))
            .collect();
        let mut engines = vec![
            ("tables".to_owned(), count),
            ("quadrature".to_owned(), quadrature.len() - left.len()),
            ("quadrature_on_cpu".to_owned(), left.len()),
        ];
        engines.retain(|(_, trees)| *trees > 0);
        let layout = trees.layout();
        let mut notes = Vec::new();
        if layout.parts.iter().any(|&parts| parts > 1) {
            notes.push(format!(
                "the model takes {} buffers of the GPU",
                layout.parts.iter().sum::<usize>()
            ));
        }
        if !left.is_empty() {
            notes.push(format!(
                "{} trees are too deep for the GPU and were explained by the CPU",
                left.len()
            ));
        }
        Ok(Self {
            left: Packs::new(compiled, left),
            trees,
            engines,
            notes,
        })
    }

    pub(super) fn engines(&self) -> Vec<(String, usize)> {
        self.engines.clone()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
