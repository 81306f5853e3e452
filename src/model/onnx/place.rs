//! Where the nodes of ai.onnx.ml 1–3 ensembles are: trees as runs of the lists, node ids looked up.

use std::collections::HashMap;

use super::Fault;

/// A tree: a run of equal tree ids in the lists. Its root is the first node of the run.
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) start: usize,
    pub(super) end: usize,
    /// From node id to position in the run; `None` where they are the same, as converters write it.
    positions: Option<HashMap<i64, usize>>,
}

/// All trees, with their ids looked up.
pub(super) struct Places {
    pub(super) runs: Vec<Run>,
    numbers: HashMap<i64, usize>,
}

impl Run {
    /// The position in the run of the node with this id.
    pub(super) fn position(&self, id: i64) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(&id).copied(),
            None => usize::try_from(id)
                .ok()
                .filter(|&id| id < self.end - self.start),
        }
    }
}

impl Places {
    pub(super) fn new(tree_ids: &[i64], node_ids: &[i64]) -> Result<Places, Fault> {
        let mut runs = Vec::new();
        let mut numbers = HashMap::new();
        let mut start = 0;
        for run in tree_ids.chunk_by(|a, b| a == b) {
            let (id, end) = (run[0], start + run.len());
            if numbers.insert(id, runs.len()).is_some() {
                return Err(Fault::Bad(format!(
                    "the nodes of tree {id} are not next to each other in nodes_treeids"
                )));
            }
            let ids = &node_ids[start..end];
            let dense = ids.iter().enumerate().all(|(n, &id)| n as i64 == id);
            let mut positions = None;
            if !dense {
                let found: HashMap<i64, usize> = ids.iter().copied().zip(0..).collect();
                if let Some(twice) = ids.iter().zip(0..).find(|(id, n)| found.get(id) != Some(n)) {
                    return Err(Fault::Bad(format!(
                        "tree {id} has two nodes with id {}",
                        twice.0
                    )));
                }
                positions = Some(found);
            }
            runs.push(Run {
                id,
                start,
                end,
                positions,
            });
            start = end;
        }
        Ok(Places { runs, numbers })
    }

    /// The number of a tree and the position in the lists of one of its nodes.
    pub(super) fn find(&self, tree: i64, node: i64) -> Option<(usize, usize)> {
        let number = *self.numbers.get(&tree)?;
        let run = self.runs.get(number)?;
        Some((number, run.start + run.position(node)?))
    }
}
