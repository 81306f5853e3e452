// Trees that walk with every pair of a row and a background row, in the words that
// kernels/src/tree_pairs/words.rs writes.
//
// A workgroup owns one row and a tile of cells: what the trees give to a feature, or to a pair of
// features. Its invocations take one pair each, of a tree and a background row, and walk as the CPU
// does; then the invocation of each cell adds up what they have found, in the order of the pairs, so
// that nobody can tell where a launch ended.
//
// A kernel that includes this declares:
// - `Given`, what leaves give to the features on their path, and `given_by`, what one leaf of value 1
//   does with k features following the row alone and t the background row alone;
// - `give`, which adds what a parting gives to the partial sums;
// - `named_cells`, the number of cells of the named features, `cell_of`, which of its output's cells
//   one of these is, and `output_cells`, how many an output has.

struct Params {
    // The first row, and the number of rows.
    first_row: u32,
    rows: u32,
    columns: u32,
    features: u32,
    outputs: u32,
    output: u32,
    // Where in `members` the features are, how many, and how many tiles of their cells.
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
    given: Given,
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

// Partial sums of a workgroup: those of SUMS / WORKGROUP cells.
const SUMS: u32 = 4096u;
var<workgroup> sums: array<f32, SUMS>;

// Features of a path at most.
const PARTINGS: u32 = 64u;
var<private> partings: array<Parting, PARTINGS>;

// The partial sum of an invocation. Neither a cell's sums nor an invocation's lie in one bank.
fn place_of(cell: u32, invocation: u32) -> u32 {
    return cell * WORKGROUP + (invocation + cell) % WORKGROUP;
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

// What a leaf's value is multiplied with for k features on one side against t on the other.
fn share(k: u32, t: u32) -> f32 {
    return shares[k * (PARTINGS + 1u) + t];
}

// Adds what a pair gives to the partial sums.
fn walk(root: u32, other: u32, column_0: u32, first_cell: u32, local: u32) {
    let weight = bitcast<f32>(others[params.columns * params.backgrounds + other]);
    // The features that follow one of the two rows alone, and of these the background row's.
    var parted = vec2<u32>(0u);
    var behind = vec2<u32>(0u);
    // What the leaves visited last give.
    var given = Given();
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
            given = weight * bitcast<f32>(node.bound) * given_by(k, t);
            is_down = false;
        }
        let depth = number(parted);
        if depth == 0u {
            return;
        }
        let parting = partings[depth - 1u];
        let feature = only(parting.place % PARTINGS);
        if has(behind, feature) {
            give(depth - 1u, behind, given, first_cell, local);
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

// All pairs of a launch, for the row and the tile of a workgroup.
fn walk_all(group: u32, local: u32) {
    if group >= params.rows * params.tiles {
        return;
    }
    let row = params.first_row + group % params.rows;
    let block = row / ROWS;
    let in_block = row % ROWS;
    let column_0 = block * params.columns * ROWS + in_block;
    let first_cell = group / params.rows * (SUMS / WORKGROUP);

    let is_owner = local < SUMS / WORKGROUP && first_cell + local < named_cells();
    var at = 0u;
    var sum = Sum(0.0, 0.0);
    if is_owner {
        let cell = block * output_cells() + cell_of(first_cell + local);
        at = (cell * params.outputs + params.output) * ROWS + in_block;
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
            walk(root, pair % params.backgrounds, column_0, first_cell, local);
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
