// Interventional Shapley values of trees of any shape, one background row after the other.
// Twin: kernels/src/tree_pairs.rs
//
// A workgroup owns one row and a tile of features. Its invocations take one pair each, of a tree
// and a background row, and walk as the CPU does; then the invocation of each feature adds up what
// they have found, in the order of the pairs, so that nobody can tell where a launch ended.

struct Params {
    // The first row, and the number of rows.
    first_row: u32,
    rows: u32,
    columns: u32,
    features: u32,
    outputs: u32,
    output: u32,
    // Where in `members` the features are, how many, and how many tiles of them.
    named: u32,
    names: u32,
    tiles: u32,
    // Where in `members` the root of the first pair's tree is.
    root: u32,
    // The number of background rows, the one of the first pair, and the number of pairs.
    backgrounds: u32,
    first: u32,
    pairs: u32,
    zero: u32,
}

struct Node {
    test: u32,
    // What the row's cell is compared with. A leaf: its value.
    bound: u32,
    // What the background row's cell is compared with.
    other: u32,
    // The left child; the right one is the next.
    left: u32,
    // The feature's number in the segment, times PARTINGS, and its place among the features of the
    // path.
    place: u32,
}

// A node at which the two rows part.
struct Parting {
    place: u32,
    // The child that the background row goes to.
    child: u32,
    // What the leaves below the row's child give, once they have been visited.
    given: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> members: array<u32>;
@group(0) @binding(2) var<storage, read> nodes: array<Node>;
@group(0) @binding(3) var<storage, read> sets: array<u32>;
@group(0) @binding(4) var<storage, read> shares: array<f32>;
@group(0) @binding(5) var<storage, read> others: array<u32>;
@group(0) @binding(6) var<storage, read> cells: array<u32>;
@group(0) @binding(7) var<storage, read_write> high: array<f32>;
@group(0) @binding(8) var<storage, read_write> low: array<f32>;

// Partial sums of a workgroup: those of SUMS / WORKGROUP features.
const SUMS: u32 = 4096u;
var<workgroup> sums: array<f32, SUMS>;

// Features of a path at most.
const PARTINGS: u32 = 64u;
var<private> partings: array<Parting, PARTINGS>;

// The partial sum of an invocation. Neither a feature's sums nor an invocation's lie in one bank.
fn place_of(feature: u32, invocation: u32) -> u32 {
    return feature * WORKGROUP + (invocation + feature) % WORKGROUP;
}

// The features of a path as bits, by their places.
fn only(place: u32) -> vec2<u32> {
    let bit = 1u << (place & 31u);
    return select(vec2<u32>(0u, bit), vec2<u32>(bit, 0u), place < 32u);
}

fn has(features: vec2<u32>, some: vec2<u32>) -> bool {
    return any((features & some) != vec2<u32>(0u));
}

fn number(features: vec2<u32>) -> u32 {
    let counts = countOneBits(features);
    return counts.x + counts.y;
}

// Adds the values of a pair to the partial sums.
fn walk(root: u32, other: u32, column_0: u32, first_feature: u32, local: u32) {
    let weight = bitcast<f32>(others[params.columns * params.backgrounds + other]);
    // The features that follow one of the two rows alone, and of these the background row's.
    var parted = vec2<u32>(0u);
    var behind = vec2<u32>(0u);
    // What the leaves visited last give to each feature of the row and of the background row.
    var given = vec2<f32>(0.0);
    var n = root;
    var is_down = true;
    // One loop, so that invocations that go down and up at different times stay together.
    loop {
        if is_down {
            let node = nodes[n];
            if (node.test & LAST) == 0u {
                let column = node.test & COLUMN;
                let cell = cells[column_0 + column * ROWS];
                let other_cell = others[column * params.backgrounds + other];
                let row_left = goes_left(node.test, node.bound, cell);
                let other_left = goes_left(node.test, node.other, other_cell);
                let feature = only(node.place % PARTINGS);
                if row_left != other_left && !has(parted, feature) {
                    let depth = number(parted);
                    partings[depth].place = node.place;
                    partings[depth].child = node.left + select(1u, 0u, other_left);
                    parted |= feature;
                }
                let is_left = select(row_left, other_left, has(behind, feature));
                n = node.left + select(1u, 0u, is_left);
                continue;
            }
            let t = number(behind);
            let k = number(parted) - t;
            let share = vec2<f32>(shares[k * (PARTINGS + 1u) + t], shares[t * (PARTINGS + 1u) + k]);
            given = weight * bitcast<f32>(node.bound) * share;
            is_down = false;
        }
        let depth = number(parted);
        if depth == 0u {
            return;
        }
        let parting = partings[depth - 1u];
        let feature = only(parting.place % PARTINGS);
        if has(behind, feature) {
            let i = parting.place / PARTINGS - first_feature;
            // Features before the tile wrap around to numbers beyond it.
            if i < SUMS / WORKGROUP {
                sums[place_of(i, local)] += parting.given.x - given.y;
            }
            given += parting.given;
            parted ^= feature;
            behind ^= feature;
        } else {
            partings[depth - 1u].given = given;
            behind |= feature;
            n = parting.child;
            is_down = true;
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn tree_pairs(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    if group >= params.rows * params.tiles {
        return;
    }
    let row = params.first_row + group % params.rows;
    let block = row / ROWS;
    let in_block = row % ROWS;
    let column_0 = block * params.columns * ROWS + in_block;
    let first_feature = group / params.rows * (SUMS / WORKGROUP);

    let is_owner = local < SUMS / WORKGROUP && first_feature + local < params.names;
    var at = 0u;
    var sum = Sum(0.0, 0.0);
    if is_owner {
        let feature = members[params.named + first_feature + local];
        let cell = (block * params.features + feature) * params.outputs + params.output;
        at = cell * ROWS + in_block;
        sum = Sum(high[at], low[at]);
    }
    for (var i = local; i < SUMS; i += WORKGROUP) {
        sums[i] = 0.0;
    }
    workgroupBarrier();
    for (var first = 0u; first < params.pairs; first += WORKGROUP) {
        if first + local < params.pairs {
            let pair = params.first + first + local;
            let root = members[params.root + pair / params.backgrounds];
            walk(root, pair % params.backgrounds, column_0, first_feature, local);
        }
        workgroupBarrier();
        if is_owner {
            for (var i = 0u; i < WORKGROUP; i++) {
                let partial = sums[place_of(local, i)];
                if partial != 0.0 {
                    sum = add(sum, partial);
                    sums[place_of(local, i)] = 0.0;
                }
            }
        }
        workgroupBarrier();
    }
    if is_owner {
        high[at] = sum.high;
        low[at] = sum.low;
    }
}
