//! Which trees of a model a GPU explains, and how.

use std::collections::HashSet;

use super::super::background::BackgroundRows;
use super::super::compile::Compiled;
use super::super::cpu::Packs;
use super::super::plan::{self, Engine};
use super::{GpuPacks, kinds};
use crate::error::{Error, Result};
use crate::explain::amount::Amount;
use crate::gpu_trees::{Background, GpuTrees, Plan};

/// Why the CPU explains some trees.
const LINEAR: &str = "leaves that are linear in features have no GPU kernel";

/// Trees and their engines.
type Trees = Vec<(u32, Engine)>;

/// The trees, divided among the engines.
#[derive(Debug)]
pub(in crate::explain::tree_shap) struct GpuPack {
    /// None if the GPU can hold none.
    pub(super) trees: Option<GpuTrees>,
    /// Trees that the GPU cannot hold, explained by the CPU within the same call.
    pub(super) left: Packs,
    engines: Vec<(String, usize)>,
    notes: Vec<String>,
}

/// The trees by what the GPU makes of them.
#[derive(Debug, Default)]
struct Division {
    tables: Trees,
    quadrature: Trees,
    leaves: Trees,
    pairs: Trees,
    /// Without a kernel.
    linear: Trees,
}

impl Division {
    fn new(compiled: &Compiled, amount: Amount) -> Self {
        let background = compiled.background.as_ref().map_or(0, BackgroundRows::rows);
        let mut division = Self::default();
        for (tree, engine) in plan::choose(compiled, amount) {
            let trees = if compiled.shapes[tree as usize].is_linear {
                &mut division.linear
            } else {
                match engine {
                    Engine::Tables(_) => &mut division.tables,
                    Engine::Quadrature | Engine::Few => &mut division.quadrature,
                    Engine::Leaves(_) | Engine::Pairs
                        if plan::tables_of_leaves_pay(compiled, tree, amount, background) =>
                    {
                        &mut division.leaves
                    }
                    Engine::Leaves(_) | Engine::Pairs => &mut division.pairs,
                }
            };
            trees.push((tree, engine));
        }
        division
    }

    fn is_linear_alone(&self) -> bool {
        let others = [&self.tables, &self.quadrature, &self.leaves, &self.pairs];
        !self.linear.is_empty() && others.into_iter().all(Vec::is_empty)
    }
}

fn numbers(trees: &Trees) -> Vec<u32> {
    trees.iter().map(|(tree, _)| *tree).collect()
}

impl GpuPack {
    pub(super) fn new(packs: &GpuPacks, compiled: &Compiled, amount: Amount) -> Result<Self> {
        // Without a pack of their own, few rows take the paths: they need the least building.
        let amount = if amount == Amount::Few {
            Amount::Some
        } else {
            amount
        };
        let division = Division::new(compiled, amount);
        if division.is_linear_alone() {
            return Ok(Self::on_cpu(compiled, amount, LINEAR));
        }
        let [quadrature, leaves, pairs] =
            [&division.quadrature, &division.leaves, &division.pairs].map(numbers);
        let is_compared = !leaves.is_empty() || !pairs.is_empty();
        let background = compiled.background.as_ref().filter(|_| is_compared);
        let tables = Packs::new(compiled, division.tables);
        let trees = GpuTrees::new(
            &packs.gpu,
            &Plan {
                forest: &compiled.forest,
                thresholds: &kinds(compiled),
                tables: tables.tables(),
                quadrature: &quadrature,
                background: background.map(|background| Background {
                    rows: background.pairwise(compiled),
                    pairs: &pairs,
                    leaves: &leaves,
                }),
                margins: false,
                memory_limit: packs.memory_limit,
                buffer_limit: None,
            },
        );
        let trees = match trees {
            Err(Error::Unsupported { what, by, .. }) => {
                let reason = format!("{by} cannot hold {what}");
                return Ok(Self::on_cpu(compiled, amount, &reason));
            }
            trees => trees?,
        };
        let too_deep: HashSet<u32> = trees.left().iter().copied().collect();
        let held = |trees: &[u32]| trees.iter().filter(|tree| !too_deep.contains(tree)).count();
        let mut engines = vec![
            ("tables".to_owned(), tables.tables().trees.len()),
            ("quadrature".to_owned(), held(&quadrature)),
            ("leaves".to_owned(), held(&leaves)),
            ("pairs".to_owned(), held(&pairs)),
        ];
        let all = [division.quadrature, division.leaves, division.pairs];
        let all = all.into_iter().flatten();
        let mut left: Trees = all.filter(|(tree, _)| too_deep.contains(tree)).collect();
        let mut notes = Vec::new();
        let parts = trees.layout().parts;
        if parts.iter().any(|&parts| parts > 1) {
            let buffers = parts.iter().sum::<usize>();
            notes.push(format!("the model takes {buffers} buffers of the GPU"));
        }
        if !left.is_empty() {
            notes.push(format!(
                "{} trees are too deep for the GPU and were explained by the CPU",
                left.len()
            ));
        }
        if !division.linear.is_empty() {
            notes.push(format!(
                "{LINEAR}; the CPU explained {} trees with such leaves",
                division.linear.len()
            ));
        }
        left.extend(division.linear);
        let left = Packs::new(compiled, left);
        engines.extend(on_cpu(&left));
        engines.retain(|(_, trees)| *trees > 0);
        Ok(Self {
            left,
            trees: Some(trees),
            engines,
            notes,
        })
    }

    /// All trees, explained by the CPU for a reason.
    fn on_cpu(compiled: &Compiled, amount: Amount, reason: &str) -> Self {
        let left = Packs::new(compiled, plan::choose(compiled, amount));
        Self {
            trees: None,
            engines: on_cpu(&left).collect(),
            notes: vec![format!("{reason}; the CPU explained all trees")],
            left,
        }
    }

    pub(in crate::explain::tree_shap) fn engines(&self) -> Vec<(String, usize)> {
        self.engines.clone()
    }

    pub(in crate::explain::tree_shap) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// The engines of trees that the CPU explains, by the names that say so.
fn on_cpu(packs: &Packs) -> impl Iterator<Item = (String, usize)> {
    let engines = packs.engines().into_iter();
    engines.map(|(engine, trees)| (format!("{engine}_on_cpu"), trees))
}
