// Margins of rows that take the cells of some columns from other rows, in whole numbers.
// Twin: kernels/src/shuffled_trees.rs
//
// One invocation owns one row in one shuffle, and walks the trees of the launch. Whole numbers have two words, the lower
// one first; their sums are the same in whatever order.

struct Params {
    rows: u32,
    // All repeats of a player, then those of the next.
    shuffles: u32,
    repeats: u32,
    // The first shuffle.
    shuffle: u32,
    outputs: u32,
    // The trees of this launch.
    first: u32,
    end: u32,
}

struct Root {
    step: u32,
    output: u32,
}

struct Step {
    column: u32,
    below: i32,
    missing_left: i32,
    turns: u32,
    // Of a leaf: where its values are.
    left: u32,
    right: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> roots: array<Root>;
@group(0) @binding(2) var<storage, read> steps: array<Step>;
// For each split that is no threshold: how many turns, and these in their order.
@group(0) @binding(3) var<storage, read> sets: array<u32>;
@group(0) @binding(4) var<storage, read> values: array<vec2<u32>>;
// (column, row).
@group(0) @binding(5) var<storage, read> ranks: array<i32>;
// By column the player that shuffles it.
@group(0) @binding(6) var<storage, read> players: array<u32>;
// (shuffle, row): the row that gives its cells.
@group(0) @binding(7) var<storage, read> orders: array<u32>;
// (shuffle, output, row).
@group(0) @binding(8) var<storage, read_write> sums: array<vec2<u32>>;

// Marks a leaf, a tree that gives to all outputs, and a column that nobody shuffles.
const NONE: u32 = 0xffffffffu;

fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// Whether a rank goes left: from the first turn on left, from the next on right, and so on.
fn left_by_set(place: u32, rank: u32) -> bool {
    // Turns before `begin` are passed, those from `end` on are not.
    var begin = 0u;
    var end = sets[place - 1u];
    while begin < end {
        let middle = (begin + end) / 2u;
        if sets[place + middle] <= rank {
            begin = middle + 1u;
        } else {
            end = middle;
        }
    }
    return (begin & 1u) == 1u;
}

@compute @workgroup_size(WORKGROUP)
fn shuffled_trees(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.rows * params.shuffles {
        return;
    }
    let row = number % params.rows;
    let shuffle = number / params.rows;
    let player = (params.shuffle + shuffle) / params.repeats;
    let other = orders[number];
    let origin = shuffle * params.outputs * params.rows + row;

    // What trees give to one output stays here until a tree gives to another.
    var output = NONE;
    var sum = vec2<u32>();
    for (var tree = params.first; tree < params.end; tree++) {
        let root = roots[tree];
        var step = steps[root.step];
        while step.column != NONE {
            let giver = select(row, other, players[step.column] == player);
            let rank = ranks[step.column * params.rows + giver];
            var is_left = rank + step.missing_left < step.below;
            if step.turns != 0u {
                is_left = left_by_set(step.turns, u32(rank));
            }
            step = steps[select(step.right, step.left, is_left)];
        }
        if root.output != output {
            if output != NONE {
                sums[origin + output * params.rows] = sum;
            }
            output = root.output;
            if output != NONE {
                sum = sums[origin + output * params.rows];
            }
        }
        if output == NONE {
            for (var o = 0u; o < params.outputs; o++) {
                let at = origin + o * params.rows;
                sums[at] = plus(sums[at], values[step.left + o]);
            }
            continue;
        }
        sum = plus(sum, values[step.left]);
    }
    if output != NONE {
        sums[origin + output * params.rows] = sum;
    }
}
