// Path-dependent Shapley values of trees of any depth, by quadrature over the paths to the leaves.
// Twin: kernels/src/tree_quadrature.rs
//
// One invocation owns one row of a tile of features. A leaf's path is a list of its distinct
// features, each with the conditions that a row has to meet and the merged cover fraction z. With
// A_e(z) = z (1 - u) + e u, P = value * product of A over the features, and the sums over the
// points u of a Gauss-Legendre rule:
//
//     met:    (1 - z) * sum of weight * P / A_1(z)
//     unmet:       -    sum of weight * P / (1 - u)
//
// The CPU walks the tree instead and shares the products of common paths; here a path needs no
// stack, so nothing limits depth or number of features.

struct Params {
    blocks: u32,
    columns: u32,
    features: u32,
    outputs: u32,
    output: u32,
    first: u32,
    end: u32,
    tiles: u32,
    zero: u32,
}

// Leaves that share a plain partial sum.
struct Segment {
    first: u32,
    end: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> segments: array<Segment>;
@group(0) @binding(2) var<storage, read> leaves: array<Leaf>;
@group(0) @binding(3) var<storage, read> conditions: array<Condition>;
@group(0) @binding(4) var<storage, read> rules: array<Points>;
@group(0) @binding(5) var<storage, read> sets: array<u32>;
@group(0) @binding(6) var<storage, read> cells: array<u32>;
@group(0) @binding(7) var<storage, read_write> high: array<f32>;
@group(0) @binding(8) var<storage, read_write> low: array<f32>;

// Partial sums of a workgroup: those of SUMS / WORKGROUP features.
const SUMS: u32 = 4096u;
var<workgroup> sums: array<f32, SUMS>;

// Features whose conditions are remembered; those beyond are evaluated again.
const REMEMBERED: u32 = 32u;

fn add_leaf(leaf: Leaf, column_0: u32, first_feature: u32, end_feature: u32, local: u32) {
    var met = 0u;
    for (var chunk = 0u; chunk < leaf.chunks; chunk++) {
        let points = rules[leaf.rule + chunk];
        var product = points.weight * leaf.value;
        var k = 0u;
        var met_so_far = true;
        for (var i = leaf.first; i < leaf.end; i++) {
            let condition = conditions[i];
            let is_remembered = k < REMEMBERED && chunk > 0u;
            if !is_remembered {
                let cell = cells[column_0 + (condition.test & COLUMN) * ROWS];
                met_so_far = met_so_far && is_met(condition, cell);
            }
            if (condition.test & LAST) != 0u {
                if is_remembered {
                    met_so_far = ((met >> k) & 1u) == 1u;
                } else if k < REMEMBERED {
                    met |= select(0u, 1u, met_so_far) << k;
                }
                product *= condition.z * points.rest
                    + select(vec4<f32>(0.0), points.u, met_so_far);
                met_so_far = true;
                k++;
            }
        }
        let unmet = -dot(product / points.rest, vec4<f32>(1.0));
        k = 0u;
        for (var i = leaf.first; i < leaf.end; i++) {
            let condition = conditions[i];
            if k >= REMEMBERED {
                let cell = cells[column_0 + (condition.test & COLUMN) * ROWS];
                met_so_far = met_so_far && is_met(condition, cell);
            }
            if (condition.test & LAST) == 0u {
                continue;
            }
            if k < REMEMBERED {
                met_so_far = ((met >> k) & 1u) == 1u;
            }
            if condition.feature >= first_feature && condition.feature < end_feature {
                var value = unmet;
                if met_so_far {
                    let factor = condition.z * points.rest + points.u;
                    value = (1.0 - condition.z) * dot(product / factor, vec4<f32>(1.0));
                }
                sums[(condition.feature - first_feature) * WORKGROUP + local] += value;
            }
            met_so_far = true;
            k++;
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn tree_quadrature(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    let tiles = params.blocks * ROWS / WORKGROUP;
    if group >= tiles * params.tiles {
        return;
    }
    let width = SUMS / WORKGROUP;
    let first_feature = group / tiles * width;
    let end_feature = min(first_feature + width, params.features);
    let row = group % tiles * WORKGROUP + local;
    let block = row / ROWS;
    let in_block = row % ROWS;
    let column_0 = block * params.columns * ROWS + in_block;
    let sum_0 = block * params.features * params.outputs * ROWS + in_block;

    for (var i = local; i < SUMS; i += WORKGROUP) {
        sums[i] = 0.0;
    }
    for (var s = params.first; s < params.end; s++) {
        let segment = segments[s];
        for (var l = segment.first; l < segment.end; l++) {
            add_leaf(leaves[l], column_0, first_feature, end_feature, local);
        }
        for (var feature = first_feature; feature < end_feature; feature++) {
            let i = (feature - first_feature) * WORKGROUP + local;
            let partial = sums[i];
            if partial != 0.0 {
                let at = sum_0 + (feature * params.outputs + params.output) * ROWS;
                let sum = add(Sum(high[at], low[at]), partial);
                high[at] = sum.high;
                low[at] = sum.low;
                sums[i] = 0.0;
            }
        }
    }
}
