// The paths to the leaves, in the words that kernels/src/tree_quadrature/words.rs writes.

struct Leaf {
    first: u32,
    end: u32,
    value: f32,
    rule: u32,
    chunks: u32,
}

// A condition of a feature; LAST in `test` where it is the feature's last one. Numbers meet it
// from `low` up to below `high`; categories by membership in the set at `low`.
struct Condition {
    test: u32,
    low: u32,
    high: u32,
    feature: u32,
    z: f32,
}

fn is_met(condition: Condition, cell: u32) -> bool {
    if cell == MISSING {
        return (condition.test & MISSING_LEFT) != 0u;
    }
    if (condition.test & CATEGORY) != 0u {
        return is_member(condition.low, cell) == ((condition.test & MEMBERS_LEFT) != 0u);
    }
    return condition.low <= cell && cell < condition.high;
}
