// Attention that pools the rows of a sequence: scores by a context vector, their softmax, and the mean that it weighs.
// Twin: kernels/src/attention.rs
//
// One workgroup owns a sequence: its rows in turn by invocation, then its columns.

struct Params {
    // Sequences, all rows, numbers of what is compared with the context vector, and of a state.
    count: u32,
    rows: u32,
    attention: u32,
    width: u32,
    // Where the context vector begins among the weights.
    context: u32,
    // 1 to go back.
    back: u32,
    // What is dropped: the step's seed, the hashes that are, and the factor of the others, as bits.
    seed: u32,
    below: u32,
    scale: u32,
}

const MOST_WIDTH: u32 = 1024u;

@group(0) @binding(0) var<uniform> params: Params;
// First row and length.
@group(0) @binding(1) var<storage, read> sequences: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> dense: array<f32>;
// (row, number): what goes into tanh, then what comes out.
@group(0) @binding(3) var<storage, read_write> hidden: array<f32>;
@group(0) @binding(4) var<storage, read> states: array<f32>;
// The softmax by row; then, row by row, what is asked of the scores.
@group(0) @binding(5) var<storage, read_write> weights: array<f32>;
// (sequence, number): the mean, or what is asked of it.
@group(0) @binding(6) var<storage, read_write> pooled: array<f32>;
// (row, number): what is asked of what goes into tanh, and of the states by the mean.
@group(0) @binding(7) var<storage, read_write> asked_hidden: array<f32>;
@group(0) @binding(8) var<storage, read_write> asked_states: array<f32>;

var<workgroup> parts: array<f32, WORKGROUP>;
var<workgroup> asked: array<f32, MOST_WIDTH>;

fn mix(number: u32) -> u32 {
    var x = number;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}

// What a number is multiplied by, where some are dropped.
fn factor(row: u32, column: u32) -> f32 {
    if params.below == 0u {
        return 1.0;
    }
    let hash = mix(mix(params.seed ^ (row * 0x9e3779b9u)) + column * 0x85ebca6bu);
    return select(bitcast<f32>(params.scale), 0.0, hash < params.below);
}

// The sum of what the invocations have, in one order.
fn total(part: f32, local: u32) -> f32 {
    parts[local] = part;
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < WORKGROUP; i++) {
        sum += parts[i];
    }
    workgroupBarrier();
    return sum;
}

fn forward(number: u32, first: u32, end: u32, local: u32) {
    var most = -3.0e38;
    for (var row = first + local; row < end; row += WORKGROUP) {
        var score = 0.0;
        for (var i = 0u; i < params.attention; i++) {
            let at = row * params.attention + i;
            let y = hyperbolic_tangent(hidden[at]);
            hidden[at] = y;
            score += y * dense[params.context + i];
        }
        weights[row] = score;
        most = max(most, score);
    }
    parts[local] = most;
    workgroupBarrier();
    for (var i = 0u; i < WORKGROUP; i++) {
        most = max(most, parts[i]);
    }
    workgroupBarrier();
    var part = 0.0;
    for (var row = first + local; row < end; row += WORKGROUP) {
        let weight = power_of_e(weights[row] - most);
        weights[row] = weight;
        part += weight;
    }
    let sum = total(part, local);
    for (var row = first + local; row < end; row += WORKGROUP) {
        weights[row] /= sum;
    }
    storageBarrier();
    for (var column = local; column < params.width; column += WORKGROUP) {
        var mean = 0.0;
        for (var row = first; row < end; row++) {
            mean += weights[row] * states[row * params.width + column];
        }
        pooled[number * params.width + column] = mean * factor(number, column);
    }
}

fn backward(number: u32, first: u32, end: u32, local: u32) {
    for (var column = local; column < params.width; column += WORKGROUP) {
        asked[column] = pooled[number * params.width + column] * factor(number, column);
    }
    workgroupBarrier();
    var part = 0.0;
    for (var row = first + local; row < end; row += WORKGROUP) {
        let weight = weights[row];
        var product = 0.0;
        for (var column = 0u; column < params.width; column++) {
            let at = row * params.width + column;
            product += states[at] * asked[column];
            asked_states[at] = weight * asked[column];
        }
        weights[params.rows + row] = product;
        part += weight * product;
    }
    let mean = total(part, local);
    for (var row = first + local; row < end; row += WORKGROUP) {
        let score = weights[row] * (weights[params.rows + row] - mean);
        weights[params.rows + row] = score;
        for (var i = 0u; i < params.attention; i++) {
            let at = row * params.attention + i;
            let y = hidden[at];
            asked_hidden[at] = score * dense[params.context + i] * (1.0 - y * y);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn attention(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count);
    if number >= params.count {
        return;
    }
    let sequence = sequences[number];
    let end = sequence.x + sequence.y;
    if params.back == 1u {
        backward(number, sequence.x, end, local);
    } else {
        forward(number, sequence.x, end, local);
    }
}
