//! Drafts as treelite writes its checkpoints.

use super::Library;
use super::draft::{Ask, Average, Draft, Habits, Part, Split, Task, Tree};

pub(super) const TREELITE: Library = Library {
    name: "treelite",
    first_seed: 400_000,
    habits: Habits {
        members: 1000,
        is_vector: None,
        can_be_oblivious: false,
        can_lack_cover: true,
        has_base: true,
        average: Average::Rounds,
    },
    is_f32: false,
    yes,
    write,
};

/// By the number of the comparison, or in the set once the fraction is cut off.
fn yes(_: &Draft, split: &Split, cell: f64) -> bool {
    if cell.is_nan() {
        return split.missing_yes;
    }
    match &split.ask {
        Ask::Members(members) => {
            cell >= 0.0 && members.iter().any(|&m| f64::from(m) == cell.trunc())
        }
        Ask::Threshold(threshold) => match operator(split) {
            1 => cell == *threshold,
            2 => cell < *threshold,
            3 => cell <= *threshold,
            4 => cell > *threshold,
            _ => cell >= *threshold,
        },
    }
}

/// `==`, `<`, `<=`, `>`, `>=` from 1 on.
fn operator(split: &Split) -> u8 {
    1 + (split.kind % 5) as u8
}

/// Whether the members of a set go right.
fn members_right(split: &Split) -> bool {
    matches!(split.ask, Ask::Members(_)) && split.kind.is_multiple_of(2)
}

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn list<const N: usize>(&mut self, list: impl IntoIterator<Item = [u8; N]>) -> &mut Self {
        let list: Vec<u8> = list.into_iter().flatten().collect();
        self.put(((list.len() / N) as u64).to_le_bytes());
        self.0.extend(list);
        self
    }
}

fn write(draft: &Draft) -> Vec<u8> {
    let (trees, outputs) = (draft.trees.len(), draft.outputs);
    let link = match draft.task {
        Task::Number => "identity",
        Task::Binary => "sigmoid",
        Task::Classes => "softmax",
    };
    let int = |number: usize| (number as i32).to_le_bytes();
    let class = |t: usize| {
        if draft.is_vector {
            -1
        } else {
            (t % outputs) as i32
        }
    };
    let mut bytes = Bytes::default();
    bytes.put(int(4)).put(int(4)).put(int(1)).put([3, 3]);
    bytes.put((trees as u64).to_le_bytes());
    let average = u8::from(draft.divisor.is_some());
    bytes
        .put(int(draft.columns.len()))
        .put([0, average])
        .put(int(1));
    bytes
        .list([int(outputs)])
        .list([int(1), int(draft.width())]);
    bytes.list((0..trees).map(|_| int(0)));
    bytes.list((0..trees).map(|t| class(t).to_le_bytes()));
    bytes.list(link.bytes().map(|byte| [byte]));
    bytes.put(1.0_f32.to_le_bytes()).put(1.0_f32.to_le_bytes());
    bytes.list(draft.base.iter().map(|base| base.to_le_bytes()));
    bytes.list([*b"{", *b"}"]).put(int(0));
    for it in &draft.trees {
        tree(&mut bytes, it, draft);
    }
    bytes.0
}

/// Where the comparison holds a row goes left; so do members, or right.
fn tree(bytes: &mut Bytes, tree: &Tree, draft: &Draft) {
    let parts = &tree.parts;
    let splits = || {
        parts.iter().map(|part| match part {
            Part::Split(split) => Some(split),
            Part::Leaf { .. } => None,
        })
    };
    let of = |number: &dyn Fn(&Split) -> i32, leaf: i32| -> Vec<[u8; 4]> {
        let all = splits().map(|split| split.map_or(leaf, number));
        all.map(i32::to_le_bytes).collect()
    };
    let flags = |flag: &dyn Fn(&Split) -> bool| -> Vec<[u8; 1]> {
        splits()
            .map(|split| [u8::from(split.is_some_and(flag))])
            .collect()
    };
    let reals = |number: &dyn Fn(&Part) -> f64| -> Vec<[u8; 8]> {
        parts
            .iter()
            .map(|part| number(part).to_le_bytes())
            .collect()
    };
    let members = |part: &Part| match part {
        Part::Split(Split {
            ask: Ask::Members(members),
            ..
        }) => members.clone(),
        _ => Vec::new(),
    };
    let vector = |part: &Part| match part {
        Part::Leaf { values, .. } if draft.is_vector => values.clone(),
        _ => Vec::new(),
    };
    bytes.put((parts.len() as i32).to_le_bytes()).put([1]);
    bytes.list(splits().map(|split| match split.map(|split| &split.ask) {
        None => [0],
        Some(Ask::Threshold(_)) => [1],
        Some(Ask::Members(_)) => [2],
    }));
    let next =
        |split: &Split, left: bool| split.next[usize::from(left != members_right(split))] as i32;
    bytes.list(of(&|split| next(split, true), -1));
    bytes.list(of(&|split| next(split, false), -1));
    bytes.list(of(&|split| split.column as i32, -1));
    bytes.list(flags(&|split| split.missing_yes != members_right(split)));
    bytes.list(reals(&|part| match part {
        Part::Leaf { values, .. } if !draft.is_vector => values[0],
        _ => 0.0,
    }));
    bytes.list(reals(&|part| match part {
        Part::Split(Split {
            ask: Ask::Threshold(threshold),
            ..
        }) => *threshold,
        _ => 0.0,
    }));
    bytes.list(splits().map(|split| match split {
        Some(split) if matches!(split.ask, Ask::Threshold(_)) => [operator(split)],
        _ => [0],
    }));
    bytes.list(flags(&members_right));
    let ends = |lengths: Vec<usize>| {
        let mut ends = vec![0_u64];
        for length in lengths {
            ends.push(ends[ends.len() - 1] + length as u64);
        }
        ends.into_iter().map(u64::to_le_bytes).collect::<Vec<_>>()
    };
    bytes.list(parts.iter().flat_map(vector).map(f64::to_le_bytes));
    let vectors = ends(parts.iter().map(|part| vector(part).len()).collect());
    bytes
        .list(vectors[..parts.len()].to_vec())
        .list(vectors[1..].to_vec());
    bytes.list(parts.iter().flat_map(members).map(u32::to_le_bytes));
    let sets = ends(parts.iter().map(|part| members(part).len()).collect());
    bytes
        .list(sets[..parts.len()].to_vec())
        .list(sets[1..].to_vec());
    let covers = 0..if draft.has_cover { parts.len() } else { 0 };
    bytes.list(
        covers
            .clone()
            .map(|n| u64::from(tree.cover(n)).to_le_bytes()),
    );
    bytes.list(covers.map(|_| [1]));
    // No hessians and no gains, and no fields of later versions.
    for _ in 0..4 {
        bytes.put(0_u64.to_le_bytes());
    }
    bytes.put([0; 8]);
}
