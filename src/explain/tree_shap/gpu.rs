//! Tree SHAP on a GPU: the model is uploaded once, rows stream through.

mod pack;

use std::collections::HashSet;
use std::sync::OnceLock;

use self::pack::GpuPack;
use super::columns::{self, Scale};
use super::compile::Compiled;
use super::cpu::Packs;
use super::interactions::{Interactions, Walks};
use super::plan::{self, PairPlan};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::explain::amount::Amount;
use crate::explain::method::Account;
use crate::gpu::Gpu;
use crate::gpu_trees::{Background, GpuTrees, Plan};
use crate::model::Precision;
use whylight_kernels::tree_tables::Lanes;

/// The trees on a GPU for many rows and for some, made when first needed.
#[derive(Debug)]
pub(super) struct GpuPacks {
    gpu: Gpu,
    memory_limit: Option<u64>,
    packs: [OnceLock<GpuPack>; 2],
    pairs: OnceLock<GpuPairs>,
}

/// The engines of the interactions, by whether the GPU can hold any.
#[derive(Debug)]
enum GpuPairs {
    /// The trees, if there are any, and those of them that the CPU walks within the same call.
    Gpu(Option<Box<GpuTrees>>, Box<Interactions>),
    /// What explains all on the CPU, and why.
    Cpu(Box<(Packs, Interactions)>, String),
}

impl GpuPacks {
    pub(super) fn new(gpu: Gpu, memory_limit: Option<u64>) -> Self {
        Self {
            gpu,
            memory_limit,
            packs: Default::default(),
            pairs: OnceLock::new(),
        }
    }

    pub(super) fn pack(&self, compiled: &Compiled, amount: Amount) -> Result<&GpuPack> {
        let known = &self.packs[usize::from(amount == Amount::Many)];
        if let Some(pack) = known.get() {
            return Ok(pack);
        }
        // As on the CPU, not inside `get_or_init`.
        let pack = GpuPack::new(self, compiled, amount)?;
        Ok(known.get_or_init(|| pack))
    }

    /// The engines of the interactions of the model.
    fn pairs(&self, compiled: &Compiled, plan: &PairPlan) -> Result<&GpuPairs> {
        if let Some(known) = self.pairs.get() {
            return Ok(known);
        }
        let pairs = Interactions::new(compiled, plan);
        let is_linear = |tree: u32| compiled.shapes[tree as usize].is_linear;
        let walks: Vec<u32> = (plan.walks.iter().copied())
            .filter(|&tree| !is_linear(tree))
            .collect();
        let on_cpu = |keep: &dyn Fn(u32) -> bool| {
            let mut walks = Walks::new(compiled, plan);
            walks.retain(keep);
            Box::new(Interactions {
                walks,
                ..Interactions::default()
            })
        };
        if plan.tables.is_empty() && walks.is_empty() {
            let linear = on_cpu(&is_linear);
            return Ok(self.pairs.get_or_init(|| GpuPairs::Gpu(None, linear)));
        }
        let (paths, against) = match &compiled.background {
            None => (&walks[..], None),
            Some(background) => {
                let background = Background {
                    rows: background.pairwise(compiled),
                    pairs: &walks,
                    leaves: &[],
                };
                (&[][..], Some(background))
            }
        };
        let trees = GpuTrees::new(
            &self.gpu,
            &Plan {
                forest: &compiled.forest,
                thresholds: &kinds(compiled),
                tables: &pairs.tables,
                quadrature: paths,
                background: against,
                margins: false,
                memory_limit: self.memory_limit,
                buffer_limit: None,
            },
        );
        let pairs = match trees {
            Err(Error::Unsupported { what, by, .. }) => {
                let packs = Packs::new(compiled, plan::choose(compiled, Amount::Many));
                let reason = format!("{by} cannot hold {what}; the CPU explained all trees");
                GpuPairs::Cpu(Box::new((packs, pairs)), reason)
            }
            trees => {
                let trees = trees?;
                let too_deep: HashSet<u32> = trees.left().iter().copied().collect();
                let left = on_cpu(&|tree| is_linear(tree) || too_deep.contains(&tree));
                GpuPairs::Gpu(Some(Box::new(trees)), left)
            }
        };
        Ok(self.pairs.get_or_init(|| pairs))
    }

    /// How the interactions are computed: the trees of each engine, and what is to be said of them.
    pub(super) fn account_of_pairs(&self, compiled: &Compiled, plan: &PairPlan) -> Result<Account> {
        let (tables, walks) = (plan.tables.len(), plan.walks.len());
        let (engines, notes) = match self.pairs(compiled, plan)? {
            GpuPairs::Cpu(_, reason) => {
                let on_cpu = [
                    ("tables_of_pairs_on_cpu", tables),
                    ("walks_of_pairs_on_cpu", walks),
                ];
                (on_cpu.to_vec(), vec![reason.clone()])
            }
            GpuPairs::Gpu(_, left) => {
                let left = left.walks.len();
                let engines = [
                    ("tables_of_pairs", tables),
                    ("walks_of_pairs", walks - left),
                    ("walks_of_pairs_on_cpu", left),
                ];
                // What the values say of linear leaves holds here, too.
                let is_linear = |tree: &&u32| compiled.shapes[**tree as usize].is_linear;
                let deep = left - plan.walks.iter().filter(is_linear).count();
                let note = format!(
                    "{deep} trees are too deep for the GPU and their interactions were explained by \
                     the CPU"
                );
                let notes = if deep > 0 { vec![note] } else { Vec::new() };
                (engines.to_vec(), notes)
            }
        };
        Ok(Account {
            engines: plan::named(&engines),
            notes,
        })
    }

    /// Writes the values of a batch to `out`, laid out (rows, features, outputs), or the interactions
    /// (rows, features, features, outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        amount: Amount,
        out: &mut [f32],
    ) -> Result<()> {
        let Some(plan) = &compiled.interactions else {
            return self.of_features(compiled, batch, amount, out);
        };
        let (trees, left) = match self.pairs(compiled, plan)? {
            GpuPairs::Gpu(trees, left) => (trees, left),
            GpuPairs::Cpu(engines, _) => {
                let (packs, pairs) = &**engines;
                return packs.values(compiled, batch, Some(pairs), out);
            }
        };
        let forest = &compiled.forest;
        let (features, outputs) = (forest.features as usize, forest.outputs as usize);
        let pairs = Lanes::Pairs.values(forest.features) as usize;
        let mut of_features = vec![0.0; batch.rows() * features * outputs];
        self.of_features(compiled, batch, amount, &mut of_features)?;
        let mut of_pairs = vec![0.0; batch.rows() * pairs * outputs];
        if let Some(trees) = trees
            && pairs > 0
        {
            let scale = compiled.scale(batch);
            let fill = fill(compiled, batch, scale);
            trees.values(kind(scale), batch.rows(), fill, &mut of_pairs)?;
        }
        let rows = of_features.chunks(features * outputs);
        let rows = rows.zip(out.chunks_mut(features * features * outputs));
        for (row, (of_features, out)) in rows.enumerate() {
            let of_pairs = &of_pairs[row * pairs * outputs..][..pairs * outputs];
            for output in 0..outputs {
                spread(features, outputs, output, of_features, of_pairs, out);
            }
        }
        if left.walks.len() > 0 {
            // Without values, the diagonal is what the pairs take from it.
            let mut rest = vec![0.0; out.len()];
            Packs::default().values(compiled, batch, Some(left), &mut rest)?;
            for (value, rest) in out.iter_mut().zip(&rest) {
                *value += rest;
            }
        }
        Ok(())
    }

    /// Writes the values of a batch to `out`, laid out (rows, features, outputs).
    fn of_features(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        amount: Amount,
        out: &mut [f32],
    ) -> Result<()> {
        let pack = self.pack(compiled, amount)?;
        let Some(trees) = &pack.trees else {
            return pack.left.values(compiled, batch, None, out);
        };
        let scale = compiled.scale(batch);
        let fill = fill(compiled, batch, scale);
        trees.values(kind(scale), batch.rows(), fill, out)?;
        if !pack.left.engines().is_empty() {
            let mut rest = vec![0.0; out.len()];
            pack.left.values(compiled, batch, None, &mut rest)?;
            for (value, rest) in out.iter_mut().zip(&rest) {
                *value += rest;
            }
        }
        Ok(())
    }
}

/// What fills blocks of cells from a batch.
fn fill(
    compiled: &Compiled,
    batch: &Batch<'_>,
    scale: Scale,
) -> impl Fn(usize, usize, &mut [f32]) -> Result<()> + Sync {
    move |start, rows, cells| {
        let mut scratch = columns::Scratch::default();
        compiled.fill(batch, scale, start, rows, &mut scratch, cells)
    }
}

/// The position of a scale among the kinds of thresholds.
fn kind(scale: Scale) -> usize {
    usize::from(scale == Scale::Ranks)
}

/// The kinds of thresholds that rows may be compared with.
fn kinds(compiled: &Compiled) -> Vec<&[f32]> {
    let mut kinds = vec![compiled.thresholds(Scale::Numbers)];
    if compiled.precision == Precision::F64 {
        kinds.push(compiled.thresholds(Scale::Ranks));
    }
    kinds
}

/// The interactions (feature, feature, output) of a row, for one output, from its values (feature,
/// output) and those of its pairs (pair, output).
fn spread(
    features: usize,
    outputs: usize,
    output: usize,
    of_features: &[f32],
    of_pairs: &[f32],
    out: &mut [f32],
) {
    let mut rests: Vec<f64> = (0..features)
        .map(|feature| f64::from(of_features[feature * outputs + output]))
        .collect();
    let mut pairs = of_pairs.iter().skip(output).step_by(outputs);
    for i in 0..features {
        for (j, &value) in (i + 1..features).zip(&mut pairs) {
            out[(i * features + j) * outputs + output] = value;
            out[(j * features + i) * outputs + output] = value;
            rests[i] -= f64::from(value);
            rests[j] -= f64::from(value);
        }
    }
    for (i, rest) in rests.into_iter().enumerate() {
        out[(i * features + i) * outputs + output] = rest as f32;
    }
}
