// What the interventional values of a leaf are made of, by the set of features that a row misses.
// Twin: kernels/src/tree_leaf_tables.rs
//
// For a set s, with the sums over the points u of a rule and over the background rows that meet s and
// miss k features in all, P = value * weight * u^k (1 - u)^|s|:
//
//     x: sum of P / u            y: sum of P / (1 - u)
//
// A workgroup owns the sets of one leaf that agree in the features from LOW on. It sums over what
// supersets have of these as it reads the weights, and then over the other features one by one, in its
// own memory.

struct Params {
    first: u32,
    items: u32,
    unit: u32,
}

struct Item {
    leaf: u32,
    high: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> leaves: array<TableLeaf>;
@group(0) @binding(2) var<storage, read> items: array<Item>;
@group(0) @binding(3) var<storage, read> rules: array<Points>;
@group(0) @binding(4) var<storage, read> weights: array<u32>;
@group(0) @binding(5) var<storage, read_write> tables: array<vec2<f32>>;

const LOW: u32 = 10u;
var<workgroup> sums: array<f32, 1u << LOW>;

// Sets of an invocation: (1 << LOW) / WORKGROUP.
const MOST_HELD: u32 = 16u;

fn power(x: f32, n: u32) -> f32 {
    var product = 1.0;
    for (var i = 0u; i < n; i++) {
        product *= x;
    }
    return product;
}

// The sum over the supersets among the features from `low` on of the set `high` of these, for the set
// `own` of the others.
fn above(leaf: TableLeaf, low: u32, high: u32, own: u32, u: f32) -> f32 {
    let more = ((1u << (leaf.features - low)) - 1u) & ~high;
    var sum = 0.0;
    var rest = more;
    // All subsets of `more`, the empty one last.
    loop {
        let weight = weights[leaf.place + (((high | rest) << low) | own)];
        if weight != 0u {
            sum += f32(weight) * power(u, countOneBits(more ^ rest));
        }
        if rest == 0u {
            break;
        }
        rest = (rest - 1u) & more;
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn tree_leaf_tables(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    if group >= params.items {
        return;
    }
    let item = items[params.first + group];
    let leaf = leaves[item.leaf];
    let low = min(leaf.features, LOW);
    let entries = 1u << low;
    let held = (entries + WORKGROUP - 1u) / WORKGROUP;
    var found: array<vec2<f32>, MOST_HELD>;
    for (var i = 0u; i < held; i++) {
        found[i] = vec2<f32>(0.0);
    }
    for (var point = 0u; point < leaf.points; point++) {
        let points = rules[leaf.rule + point / 4u];
        let u = points.u[point % 4u];
        let rest = points.rest[point % 4u];
        let weight = leaf.value * bitcast<f32>(params.unit) * points.weight[point % 4u];
        let of_high = power(rest, countOneBits(item.high));
        for (var own = local; own < entries; own += WORKGROUP) {
            sums[own] = of_high * above(leaf, low, item.high, own, u);
        }
        workgroupBarrier();
        for (var k = 0u; k < low; k++) {
            for (var i = local; i < entries / 2u; i += WORKGROUP) {
                let without = ((i >> k) << (k + 1u)) | (i & ((1u << k) - 1u));
                let with_k = without | (1u << k);
                let of_with = sums[with_k];
                sums[without] = u * sums[without] + of_with;
                sums[with_k] = rest * of_with;
            }
            workgroupBarrier();
        }
        for (var i = 0u; i < held; i++) {
            let own = i * WORKGROUP + local;
            if own < entries {
                found[i] += weight * sums[own] * vec2<f32>(1.0 / u, 1.0 / rest);
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < held; i++) {
        let own = i * WORKGROUP + local;
        if own < entries {
            tables[leaf.place + ((item.high << low) | own)] = found[i];
        }
    }
}
