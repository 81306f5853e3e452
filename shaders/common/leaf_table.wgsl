// Leaves whose patterns have a table, in the words that kernels/src/tree_leaves/words.rs writes.

struct TableLeaf {
    first: u32,
    end: u32,
    features: u32,
    place: u32,
    value: f32,
    rule: u32,
    points: u32,
}
