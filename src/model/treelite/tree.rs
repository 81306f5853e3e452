//! One tree: parallel lists with an element per node.

use super::Fault;
use super::bytes::Bytes;
use super::outputs::{Outputs, Place};
use crate::model::sets;
use crate::model::trees::{Missing, Node, Output, Precision, Split, Test, Tree};

/// The kinds of nodes.
const LEAF: u8 = 0;
const NUMBER: u8 = 1;
const CATEGORY: u8 = 2;

/// What a tree has to know of its model.
pub(super) struct Frame<'a> {
    pub(super) precision: Precision,
    pub(super) outputs: &'a Outputs,
    pub(super) place: Place,
}

/// A part of a list for each node, by its first and its last element.
struct Parts<T> {
    list: Vec<T>,
    begin: Vec<u64>,
    end: Vec<u64>,
    /// How many elements the parts may still take: a list has room for parts that do not overlap,
    /// and copies of one could fill the memory.
    left: usize,
}

impl<T> Parts<T> {
    fn take(&mut self, node: usize, what: &str) -> Result<&[T], String> {
        let (begin, end) = (self.begin[node], self.end[node]);
        let part = usize::try_from(begin)
            .ok()
            .zip(usize::try_from(end).ok())
            .and_then(|(begin, end)| self.list.get(begin..end))
            .filter(|part| part.len() <= self.left);
        let Some(part) = part else {
            return Err(format!(
                "its {what} is {begin}..{end} of a list of {}, or another node's too; the file is \
                 damaged",
                self.list.len()
            ));
        };
        self.left -= part.len();
        Ok(part)
    }
}

/// The lists of a tree, all with one element per node.
struct Lists {
    kinds: Vec<u8>,
    left: Vec<i32>,
    right: Vec<i32>,
    features: Vec<i32>,
    missing_left: Vec<bool>,
    values: Vec<f64>,
    thresholds: Vec<f64>,
    operators: Vec<u8>,
    members_right: Vec<bool>,
    vectors: Parts<f64>,
    categories: Parts<u32>,
    /// The training weight of each node; `None` where some node has none.
    covers: Option<Vec<f64>>,
}

/// Reads a tree. `words` counts the words of the model's category sets. The second result is
/// whether the tree has covers; a tree without splits needs none.
pub(super) fn read(
    bytes: &mut Bytes,
    frame: &Frame,
    words: &mut usize,
) -> Result<(Tree, bool), Fault> {
    let mut lists = Lists::read(bytes, frame.precision)?;
    let n = lists.kinds.len();
    let mut nodes = Vec::with_capacity(n);
    let mut values = Vec::new();
    let mut leaves = 0;
    for i in 0..n {
        let at = |reason: String| Fault::Damage(format!("node {i}"), reason);
        let cover = lists.covers.as_ref().map_or(0.0, |covers| covers[i]);
        if (lists.kinds[i] == LEAF) != (lists.left[i] == -1) {
            return Err(at(format!(
                "its left child is {}, which does not fit its kind, {}",
                lists.left[i], lists.kinds[i]
            )));
        }
        if lists.kinds[i] == LEAF {
            lists.leaf(i, frame, &mut values).map_err(at)?;
            nodes.push(Node::Leaf {
                leaf: leaves,
                cover,
            });
            leaves += 1;
        } else {
            let split = lists.split(i, frame.precision, words).map_err(at)?;
            nodes.push(Node::Split(Split { cover, ..split }));
        }
    }
    let tree = Tree {
        nodes,
        values,
        output: match frame.place {
            Place::One(k) => Output::One(k as u32),
            Place::All => Output::All,
        },
        iteration: 0,
        linear: Vec::new(),
    };
    Ok((tree, n == 1 || lists.covers.is_some()))
}

impl Lists {
    fn read(bytes: &mut Bytes, precision: Precision) -> Result<Self, Fault> {
        let n = bytes.one("num_nodes", i32::from_le_bytes)?;
        bytes.one("has_categorical_split", u8::from_le_bytes)?;
        let kinds = bytes.list("node_type", u8::from_le_bytes)?;
        let left = bytes.list("cleft", i32::from_le_bytes)?;
        let right = bytes.list("cright", i32::from_le_bytes)?;
        let features = bytes.list("split_index", i32::from_le_bytes)?;
        let missing_left = bytes.flags("default_left")?;
        let values = bytes.reals("leaf_value", precision)?;
        let thresholds = bytes.reals("threshold", precision)?;
        let operators = bytes.list("cmp", u8::from_le_bytes)?;
        let members_right = bytes.flags("category_list_right_child")?;
        let vectors = bytes.reals("leaf_vector", precision)?;
        let vectors = Parts {
            left: vectors.len(),
            list: vectors,
            begin: bytes.list("leaf_vector_begin", u64::from_le_bytes)?,
            end: bytes.list("leaf_vector_end", u64::from_le_bytes)?,
        };
        let categories = bytes.list("category_list", u32::from_le_bytes)?;
        let categories = Parts {
            left: categories.len(),
            list: categories,
            begin: bytes.list("category_list_begin", u64::from_le_bytes)?,
            end: bytes.list("category_list_end", u64::from_le_bytes)?,
        };
        let counts = bytes.list("data_count", |count| u64::from_le_bytes(count) as f64)?;
        let counted = bytes.flags("data_count_present")?;
        let weights = bytes.list("sum_hess", f64::from_le_bytes)?;
        let weighted = bytes.flags("sum_hess_present")?;
        bytes.span("gain", size_of::<f64>())?;
        bytes.span("gain_present", 1)?;
        bytes.empty_slot("num_opt_field_per_tree")?;
        bytes.empty_slot("num_opt_field_per_node")?;

        let expected = usize::try_from(n).unwrap_or_default();
        for (what, found) in [
            ("node_type", kinds.len()),
            ("cleft", left.len()),
            ("cright", right.len()),
            ("split_index", features.len()),
            ("default_left", missing_left.len()),
            ("leaf_value", values.len()),
            ("threshold", thresholds.len()),
            ("cmp", operators.len()),
            ("category_list_right_child", members_right.len()),
            ("leaf_vector_begin", vectors.begin.len()),
            ("leaf_vector_end", vectors.end.len()),
            ("category_list_begin", categories.begin.len()),
            ("category_list_end", categories.end.len()),
        ] {
            if found != expected || found == 0 {
                return Err(Fault::Damage(
                    what.to_owned(),
                    format!("{found} elements for {n} nodes; expected one for each, at least one"),
                ));
            }
        }
        // Weights, where the file has both: XGBoost's own covers, and scikit-learn's.
        let whole = |list: &[f64], present: &[bool]| {
            list.len() == expected && present.len() == expected && present.iter().all(|&is| is)
        };
        let covers = if whole(&weights, &weighted) {
            Some(weights)
        } else {
            whole(&counts, &counted).then_some(counts)
        };
        Ok(Self {
            kinds,
            left,
            right,
            features,
            missing_left,
            values,
            thresholds,
            operators,
            members_right,
            vectors,
            categories,
            covers,
        })
    }

    /// Adds the values of leaf `i`: its vector, or its number where it has none.
    fn leaf(&mut self, i: usize, frame: &Frame, values: &mut Vec<f64>) -> Result<(), String> {
        let number = self.values[i];
        let vector = self.vectors.take(i, "leaf vector")?;
        let vector = if vector.is_empty() {
            std::slice::from_ref(&number)
        } else {
            vector
        };
        let expected = match frame.place {
            Place::One(_) => 1,
            Place::All => frame.outputs.cells(),
        };
        if vector.len() != expected {
            return Err(format!(
                "its leaf holds {} numbers, expected {expected}",
                vector.len()
            ));
        }
        match frame.place {
            Place::One(_) => values.extend_from_slice(vector),
            Place::All => values.extend(frame.outputs.pick(vector)),
        }
        Ok(())
    }

    /// The split of node `i`, without its cover.
    fn split(
        &mut self,
        i: usize,
        precision: Precision,
        words: &mut usize,
    ) -> Result<Split, String> {
        let index = |number: i32, what: &str| {
            u32::try_from(number).map_err(|_| format!("its {what} is {number}"))
        };
        let (test, exchanged) = match self.kinds[i] {
            NUMBER => numeric(self.operators[i], self.thresholds[i], precision)?,
            CATEGORY => {
                let members = self.categories.take(i, "category list")?;
                let members = members.iter().map(|&member| i64::from(member));
                let set = sets::of(members, !self.members_right[i], words)?;
                (Test::Category(set), false)
            }
            kind => return Err(format!("its kind is {kind}; expected 0, 1 or 2")),
        };
        let (mut left, mut right) = (
            index(self.left[i], "left child")?,
            index(self.right[i], "right child")?,
        );
        if exchanged {
            (left, right) = (right, left);
        }
        Ok(Split {
            feature: index(self.features[i], "feature")?,
            test,
            missing: Missing::Nan,
            missing_left: self.missing_left[i] != exchanged,
            left,
            right,
            cover: 0.0,
        })
    }
}

/// A comparison with a threshold as a test, and whether what it holds for is the right child.
fn numeric(operator: u8, threshold: f64, precision: Precision) -> Result<(Test, bool), String> {
    let up_to = if threshold == f64::INFINITY {
        Test::Always
    } else {
        Test::Below(match precision {
            Precision::F32 => f64::from((threshold as f32).next_up()),
            Precision::F64 => threshold.next_up(),
        })
    };
    Ok(match operator {
        1 => (Test::OneOf(vec![threshold]), false),
        2 => (Test::Below(threshold), false),
        3 => (up_to, false),
        4 => (up_to, true),
        5 => (Test::Below(threshold), true),
        _ => {
            return Err(format!(
                "its comparison is {operator}; expected 1 to 5, for ==, <, <=, > and >="
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Precision, Test, numeric};

    #[test]
    fn comparisons_become_tests_of_what_is_below() {
        let next = f64::from(1.5_f32.next_up());
        for (operator, test, exchanged) in [
            (1, Test::OneOf(vec![1.5]), false),
            (2, Test::Below(1.5), false),
            (3, Test::Below(next), false),
            (4, Test::Below(next), true),
            (5, Test::Below(1.5), true),
        ] {
            let found = numeric(operator, 1.5, Precision::F32).unwrap();
            assert_eq!(found, (test, exchanged), "{operator}");
        }
        let (wide, _) = numeric(3, 1.5, Precision::F64).unwrap();
        assert_eq!(wide, Test::Below(1.5_f64.next_up()));
        for operator in [3, 4] {
            let (test, _) = numeric(operator, f64::INFINITY, Precision::F32).unwrap();
            assert_eq!(test, Test::Always);
        }
        for operator in [0, 6, 255] {
            assert!(numeric(operator, 1.5, Precision::F64).is_err());
        }
    }
}
