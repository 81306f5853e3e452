//! Tree SHAP on a GPU: the model is uploaded once, rows stream through.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::columns::{self, Scale};
use super::compile::Compiled;
use super::cpu::Packs;
use super::interactions::{Interactions, Walks};
use super::plan::{self, Engine, PairPlan};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::explain::amount::Amount;
use crate::explain::method::Account;
use crate::gpu::Gpu;
use crate::gpu_trees::{GpuTrees, Pairs, Plan};
use crate::model::Precision;
use whylight_kernels::tree_tables::Lanes;

/// Why the CPU explains some trees.
const LINEAR: &str = "leaves that are linear in features have no GPU kernel";

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

/// The trees, divided among the engines.
#[derive(Debug)]
pub(super) struct GpuPack {
    /// None if the GPU can hold none.
    trees: Option<GpuTrees>,
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
                let trees = &walks;
                let background = background.pairwise(compiled);
                (&[][..], Some(Pairs { trees, background }))
            }
        };
        let trees = GpuTrees::new(
            &self.gpu,
            &Plan {
                forest: &compiled.forest,
                thresholds: &kinds(compiled),
                tables: &pairs.tables,
                quadrature: paths,
                pairs: against,
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

impl GpuPack {
    fn new(packs: &GpuPacks, compiled: &Compiled, amount: Amount) -> Result<Self> {
        // Without a pack of their own, few rows take the paths: they need the least building.
        let amount = if amount == Amount::Few {
            Amount::Some
        } else {
            amount
        };
        let mut plan = plan::choose(compiled, amount);
        for (_, engine) in &mut plan {
            // Leaf by leaf is the way to do less on few cores.
            if matches!(engine, Engine::Leaves(_)) {
                *engine = Engine::Pairs;
            }
        }
        let is_linear = |tree: &u32| compiled.shapes[*tree as usize].is_linear;
        let (linear, plan): (Vec<_>, Vec<_>) =
            plan.into_iter().partition(|(tree, _)| is_linear(tree));
        if plan.is_empty() && !linear.is_empty() {
            return Ok(Self::on_cpu(compiled, amount, LINEAR));
        }
        let is_path = |engine: &Engine| matches!(engine, Engine::Quadrature | Engine::Few);
        let (mut paths, others): (Vec<_>, Vec<_>) =
            plan.into_iter().partition(|(_, engine)| is_path(engine));
        let quadrature: Vec<u32> = paths.iter().map(|(tree, _)| *tree).collect();
        let others = Packs::new(compiled, others);
        let pairs = others.pairs(compiled);
        let trees = GpuTrees::new(
            &packs.gpu,
            &Plan {
                forest: &compiled.forest,
                thresholds: &kinds(compiled),
                tables: others.tables(),
                quadrature: &quadrature,
                pairs: pairs.map(|(trees, background)| Pairs { trees, background }),
                margins: false,
                memory_limit: packs.memory_limit,
                buffer_limit: None,
            },
        );
        let trees = match trees {
            Err(Error::Unsupported { what, by, .. }) => {
                return Ok(Self::on_cpu(
                    compiled,
                    amount,
                    &format!("{by} cannot hold {what}"),
                ));
            }
            trees => trees?,
        };
        let too_deep: HashSet<u32> = trees.left().iter().copied().collect();
        let is_left = |tree: &u32| too_deep.contains(tree);
        paths.retain(|(tree, _)| is_left(tree));
        let pairs = pairs.map_or(&[][..], |(trees, _)| trees);
        let pairs_left: Vec<u32> = pairs.iter().copied().filter(is_left).collect();
        let mut engines = vec![
            ("tables".to_owned(), others.tables().trees.len()),
            ("quadrature".to_owned(), quadrature.len() - paths.len()),
            ("quadrature_on_cpu".to_owned(), paths.len()),
            ("pairs".to_owned(), pairs.len() - pairs_left.len()),
            ("pairs_on_cpu".to_owned(), pairs_left.len() + linear.len()),
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
        let mut left = paths;
        left.extend(pairs_left.into_iter().map(|tree| (tree, Engine::Pairs)));
        if !left.is_empty() {
            notes.push(format!(
                "{} trees are too deep for the GPU and were explained by the CPU",
                left.len()
            ));
        }
        if !linear.is_empty() {
            notes.push(format!(
                "{LINEAR}; the CPU explained {} trees with such leaves",
                linear.len()
            ));
        }
        left.extend(linear);
        Ok(Self {
            left: Packs::new(compiled, left),
            trees: Some(trees),
            engines,
            notes,
        })
    }

    /// All trees, explained by the CPU for a reason.
    fn on_cpu(compiled: &Compiled, amount: Amount, reason: &str) -> Self {
        let left = Packs::new(compiled, plan::choose(compiled, amount));
        let engines = left.engines().into_iter();
        Self {
            trees: None,
            engines: engines
                .map(|(engine, trees)| (format!("{engine}_on_cpu"), trees))
                .collect(),
            notes: vec![format!("{reason}; the CPU explained all trees")],
            left,
        }
    }

    pub(super) fn engines(&self) -> Vec<(String, usize)> {
        self.engines.clone()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
