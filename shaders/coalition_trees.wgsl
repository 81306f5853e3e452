// What coalitions are worth: the mean, over background rows, of the response to the margins of a row
// whose players outside the coalition take the background row's cells.
// Twin: kernels/src/coalition_trees.rs
//
// One invocation owns one row and one coalition, and walks every tree for every background row.

struct Params {
    rows: u32,
    coalitions: u32,
    columns: u32,
    outputs: u32,
    // Words of a coalition.
    words: u32,
    // The background rows of this launch.
    first: u32,
    end: u32,
    link: u32,
    loss: u32,
    // A float32.
    scale: u32,
    zero: u32,
}

// The trees of an output, and its margin before them as a pair.
struct Output {
    first: u32,
    end: u32,
    high: f32,
    low: f32,
}

struct Node {
    test: u32,
    // A leaf: the value as a pair.
    bound: u32,
    left: u32,
    right: u32,
}

// A row's cell, and the place of the column's player in a coalition.
struct Cell {
    cell: u32,
    place: u32,
}

const NO_PLACE: u32 = 0xffffffffu;
const MOST_OUTPUTS: u32 = 32u;

const LOGISTIC: u32 = 1u;
const SOFTMAX: u32 = 2u;
const EXP: u32 = 3u;
const SOFTPLUS: u32 = 4u;
const SIGNED_SQUARE: u32 = 5u;
const STEP: u32 = 6u;
const VARIANCE: u32 = 7u;
const EXPECTILES: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> outputs: array<Output>;
@group(0) @binding(2) var<storage, read> roots: array<u32>;
@group(0) @binding(3) var<storage, read> nodes: array<Node>;
@group(0) @binding(4) var<storage, read> sets: array<u32>;
@group(0) @binding(5) var<storage, read> cells: array<Cell>;
// By row: its cells, then its weight.
@group(0) @binding(6) var<storage, read> background: array<u32>;
@group(0) @binding(7) var<storage, read> masks: array<u32>;
// (row, number, coalition), as pairs.
@group(0) @binding(8) var<storage, read_write> worth: array<vec2<f32>>;

var<private> margins: array<f32, MOST_OUTPUTS>;

fn sigmoid(m: f32) -> f32 {
    // The exponential of what is not above 0 neither overflows nor loses the small side.
    let e = exp(-abs(m));
    return select(1.0, e, m < 0.0) / (1.0 + e);
}

fn softplus(m: f32) -> f32 {
    let e = exp(-abs(m));
    // ln(1 + e) where 1 + e rounds to 1.
    return max(m, 0.0) + select(log(1.0 + e), e, e < 1e-4);
}

fn gain(at: u32, weighted: f32) {
    let pair = worth[at];
    let sum = add(Sum(pair.x, pair.y), weighted);
    worth[at] = vec2<f32>(sum.high, sum.low);
}

@compute @workgroup_size(WORKGROUP)
fn coalition_trees(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.rows * params.coalitions {
        return;
    }
    let row = number / params.coalitions;
    let coalition = number % params.coalitions;
    let mask_0 = coalition * params.words;
    let cell_0 = row * params.columns;
    let both = params.loss == 1u && params.link == LOGISTIC;
    let numbers = params.outputs * select(1u, 2u, both);
    let to = row * numbers * params.coalitions + coalition;
    let step = params.coalitions;

    for (var b = params.first; b < params.end; b++) {
        let other_0 = b * (params.columns + 1u);
        let weight = bitcast<f32>(background[other_0 + params.columns]);
        var largest = -3.4e38;
        for (var o = 0u; o < params.outputs; o++) {
            let output = outputs[o];
            var sum = Sum(output.high, output.low);
            for (var tree = output.first; tree < output.end; tree++) {
                var n = roots[tree];
                var node = nodes[n];
                while (node.test & LAST) == 0u {
                    let column = node.test & COLUMN;
                    let own = cells[cell_0 + column];
                    var cell = own.cell;
                    if own.place != NO_PLACE
                        && ((masks[mask_0 + (own.place >> 5u)] >> (own.place & 31u)) & 1u) == 0u {
                        cell = background[other_0 + column];
                    }
                    n = select(node.right, node.left, goes_left(node.test, node.bound, cell));
                    node = nodes[n];
                }
                sum = add(sum, bitcast<f32>(node.bound));
                sum = add(sum, bitcast<f32>(node.left));
            }
            margins[o] = sum.high + sum.low;
            largest = max(largest, margins[o]);
        }
        var total = 0.0;
        if params.link == SOFTMAX {
            for (var o = 0u; o < params.outputs; o++) {
                total += exp(margins[o] - largest);
            }
        }
        var before = 0.0;
        for (var o = 0u; o < params.outputs; o++) {
            let m = margins[o];
            let at = to + o * step;
            let scaled = bitcast<f32>(params.scale) * m;
            if both {
                gain(at + o * step, weight * softplus(scaled));
                gain(at + (o + 1u) * step, weight * softplus(-scaled));
                continue;
            }
            var answer = m;
            if params.link == LOGISTIC {
                answer = sigmoid(scaled);
            } else if params.link == SOFTMAX && params.loss == 1u {
                answer = largest + log(total) - m;
            } else if params.link == SOFTMAX {
                answer = exp(m - largest) / total;
            } else if params.link == EXP {
                answer = exp(m);
            } else if params.link == SOFTPLUS {
                answer = softplus(m);
            } else if params.link == SIGNED_SQUARE {
                answer = m * abs(m);
            } else if params.link == STEP {
                answer = select(0.0, 1.0, m > 0.0);
            } else if params.link == VARIANCE && o > 0u {
                answer = exp(2.0 * m);
            } else if params.link == EXPECTILES && o > 0u {
                // EXPECTILE_GAP of kernels/src/response.rs.
                answer = before + 1e-6 + softplus(m);
            }
            before = answer;
            gain(at, weight * answer);
        }
    }
}
