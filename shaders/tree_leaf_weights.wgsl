// What the background weighs at each leaf, by pattern.
// Twin: kernels/src/tree_leaf_weights.rs
//
// One invocation owns one background row at one leaf: it finds the features whose conditions the row
// meets. Weights are whole numbers of units, whose sum no order of invocations changes.

struct Params {
    first: u32,
    leaves: u32,
    columns: u32,
    backgrounds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> leaves: array<TableLeaf>;
@group(0) @binding(2) var<storage, read> conditions: array<Condition>;
@group(0) @binding(3) var<storage, read> sets: array<u32>;
// Keys (column, row), the weights as float32, then in units.
@group(0) @binding(4) var<storage, read> others: array<u32>;
@group(0) @binding(5) var<storage, read_write> weights: array<atomic<u32>>;

@compute @workgroup_size(WORKGROUP)
fn tree_leaf_weights(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = group_number(id, count) * WORKGROUP + local;
    if i >= params.leaves * params.backgrounds {
        return;
    }
    let leaf = leaves[params.first + i / params.backgrounds];
    let row = i % params.backgrounds;
    var pattern = 0u;
    var k = 0u;
    var met = true;
    for (var c = leaf.first; c < leaf.end; c++) {
        let condition = conditions[c];
        let cell = others[(condition.test & COLUMN) * params.backgrounds + row];
        met = met && is_met(condition, cell);
        if (condition.test & LAST) != 0u {
            pattern |= select(0u, 1u, met) << k;
            met = true;
            k++;
        }
    }
    let units = others[(params.columns + 1u) * params.backgrounds + row];
    atomicAdd(&weights[leaf.place + pattern], units);
}
