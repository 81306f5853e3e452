// Path-dependent interactions of the pairs of features, by quadrature over the paths to the leaves.
// Twin: kernels/src/tree_quadrature_interactions.rs
//
// One invocation owns, of one row, the sums of the pairs whose lower feature is in its tile. With the
// paths and the product P of tree_quadrature.wgsl, and the effects g = (1 - z) / A_1(z) of a feature
// that is met and g = -1 / (1 - u) of another, a leaf gives to a pair of its features
//
//     1/2 * sum of weight * P * g * g
//
// The CPU walks the tree instead and shares the sums of common paths. What a leaf gives goes straight
// to compensated sums, in the order of the leaves: neither tiles nor the ends of launches change a bit.

struct Params {
    blocks: u32,
    columns: u32,
    features: u32,
    outputs: u32,
    output: u32,
    first: u32,
    end: u32,
    tiles: u32,
    width: u32,
    zero: u32,
}

// A feature of the path.
struct Element {
    effect: vec4<f32>,
    feature: u32,
    z: f32,
    is_met: bool,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> leaves: array<Leaf>;
@group(0) @binding(2) var<storage, read> conditions: array<Condition>;
@group(0) @binding(3) var<storage, read> rules: array<Points>;
@group(0) @binding(4) var<storage, read> sets: array<u32>;
@group(0) @binding(5) var<storage, read> cells: array<u32>;
@group(0) @binding(6) var<storage, read_write> high: array<f32>;
@group(0) @binding(7) var<storage, read_write> low: array<f32>;

// Features of a path at most.
const MOST_FEATURES: u32 = 64u;
var<private> path: array<Element, MOST_FEATURES>;

// Puts the features of a path in order; their number, or 0 if none of them is in the tile.
fn take(leaf: Leaf, column_0: u32, first_feature: u32, end_feature: u32) -> u32 {
    var number = 0u;
    var is_met_so_far = true;
    var is_in_tile = false;
    for (var i = leaf.first; i < leaf.end; i++) {
        let condition = conditions[i];
        let cell = cells[column_0 + (condition.test & COLUMN) * ROWS];
        is_met_so_far = is_met_so_far && is_met(condition, cell);
        if (condition.test & LAST) != 0u {
            path[number].feature = condition.feature;
            path[number].z = condition.z;
            path[number].is_met = is_met_so_far;
            is_met_so_far = true;
            is_in_tile |= condition.feature >= first_feature && condition.feature < end_feature;
            number++;
        }
    }
    return select(0u, number, is_in_tile);
}

fn add_leaf(leaf: Leaf, column_0: u32, sum_0: u32, first_feature: u32, end_feature: u32) {
    let number = take(leaf, column_0, first_feature, end_feature);
    if number == 0u {
        return;
    }
    for (var chunk = 0u; chunk < leaf.chunks; chunk++) {
        let points = rules[leaf.rule + chunk];
        var given = points.weight * (0.5 * leaf.value);
        for (var k = 0u; k < number; k++) {
            let z = path[k].z;
            if path[k].is_met {
                let factor = z * points.rest + points.u;
                given *= factor;
                path[k].effect = (1.0 - z) / factor;
            } else {
                given *= z * points.rest;
                path[k].effect = -1.0 / points.rest;
            }
        }
        for (var i = 0u; i < number; i++) {
            let feature = path[i].feature;
            if feature < first_feature || feature >= end_feature {
                continue;
            }
            let change = given * path[i].effect;
            // With the other feature's number, the place of their pair.
            let pairs = feature * (2u * params.features - feature - 1u) / 2u - feature - 1u;
            for (var j = 0u; j < number; j++) {
                let other = path[j].feature;
                if other > feature {
                    let at = sum_0 + ((pairs + other) * params.outputs + params.output) * ROWS;
                    let sum = add(Sum(high[at], low[at]), dot(change, path[j].effect));
                    high[at] = sum.high;
                    low[at] = sum.low;
                }
            }
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn tree_quadrature_interactions(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    let rows = params.blocks * ROWS / WORKGROUP;
    if group >= rows * params.tiles {
        return;
    }
    let first_feature = group / rows * params.width;
    let end_feature = min(first_feature + params.width, params.features);
    let row = group % rows * WORKGROUP + local;
    let block = row / ROWS;
    let in_block = row % ROWS;
    let column_0 = block * params.columns * ROWS + in_block;
    let pairs = params.features * (params.features - 1u) / 2u;
    let sum_0 = block * pairs * params.outputs * ROWS + in_block;
    for (var l = params.first; l < params.end; l++) {
        add_leaf(leaves[l], column_0, sum_0, first_feature, end_feature);
    }
}
