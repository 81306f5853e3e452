// What a model answers, from the margins of its machines, on average over background rows.
// Twin: kernels/src/decision.rs
//
// One invocation owns one row in one coalition, and goes through the background rows in their order.

struct Params {
    // Rows, of which the first is that of all which the means hold.
    first_row: u32,
    rows: u32,
    // Background rows that there are margins of; the first is that of all which have weights.
    first_other: u32,
    others: u32,
    // Those of this launch.
    begin: u32,
    end: u32,
    machines: u32,
    outputs: u32,
    // Coalitions; the first is that of all which the means hold.
    first: u32,
    coalitions: u32,
    all: u32,
    decision: u32,
    // A float32.
    least: u32,
    zero: u32,
}

const IS_MARGINS: u32 = 0u;
const IS_PAIR: u32 = 1u;
const IS_SOFTMAX: u32 = 2u;
const IS_COUPLED: u32 = 3u;
const IS_VOTES: u32 = 4u;

const MOST_CLASSES: u32 = 16u;

@group(0) @binding(0) var<uniform> params: Params;
// (row, background row, machine, coalition).
@group(0) @binding(1) var<storage, read> margins: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// (row, output, number, coalition), of pairs.
@group(0) @binding(3) var<storage, read_write> means: array<f32>;

var<private> p: array<f32, MOST_CLASSES>;
var<private> qp: array<f32, MOST_CLASSES>;

fn sigmoid(m: f32) -> f32 {
    let e = exp(-abs(m));
    return select(1.0, e, m < 0.0) / (1.0 + e);
}

fn gain(to: u32, output: u32, weighted: f32) {
    let at = to + output * 2u * params.all;
    let sum = add(Sum(means[at], means[at + params.all]), weighted);
    means[at] = sum.high;
    means[at + params.all] = sum.low;
}

// The machine of two classes, the first of which is smaller.
fn machine_of(first: u32, second: u32) -> u32 {
    return first * (2u * params.outputs - first - 1u) / 2u + second - first - 1u;
}

// LIBSVM's bounds on the steps of pairwise coupling, and on what the classes may differ by, times their number.
fn most_steps() -> u32 {
    return max(params.outputs, 100u);
}

fn stop() -> f32 {
    return 0.005;
}

fn kept(probability: f32) -> f32 {
    return clamp(probability, 1e-7, 1.0 - 1e-7);
}

// As coupled_pair of the twin: the probability of the first of two classes, and of the second.
fn coupled_pair(margin: f32) -> vec2<f32> {
    // Both sides by themselves: the smaller of two numbers that add up to 1 is lost in the other's rounding.
    let r = kept(sigmoid(margin));
    let rest = max(sigmoid(-margin), 1e-7);
    var x = 0.5;
    var y = 0.5;
    for (var i = 0u; i < most_steps(); i++) {
        if abs(x - r) * max(x, y) < 0.5 * stop() {
            break;
        }
        let of_rest = rest * rest / (rest * (rest - y) + y * y);
        y = y * of_rest;
        x = 1.0 - y;
        let of_r = r * r / (r * (r - x) + x * x);
        x = x * of_r;
        y = 1.0 - x;
    }
    return vec2<f32>(x, y);
}

// The probability of i if it is i or j.
fn of_pair(at: u32, i: u32, j: u32) -> f32 {
    let step = params.coalitions;
    if i < j {
        return kept(sigmoid(margins[at + machine_of(i, j) * step]));
    }
    return max(sigmoid(-margins[at + machine_of(j, i) * step]), 1e-7);
}

fn coupled(at: u32) {
    let classes = params.outputs;
    for (var t = 0u; t < classes; t++) {
        p[t] = 1.0 / f32(classes);
    }
    for (var i = 0u; i < most_steps(); i++) {
        var pqp = 0.0;
        for (var t = 0u; t < classes; t++) {
            var sum = 0.0;
            for (var j = 0u; j < classes; j++) {
                if j != t {
                    let to_t = of_pair(at, j, t);
                    sum += to_t * (to_t * p[t] - of_pair(at, t, j) * p[j]);
                }
            }
            qp[t] = sum;
            pqp += p[t] * sum;
        }
        var off = 0.0;
        for (var t = 0u; t < classes; t++) {
            off = max(off, abs(qp[t] - pqp));
        }
        if off < stop() / f32(classes) {
            break;
        }
        for (var t = 0u; t < classes; t++) {
            var own = 0.0;
            for (var j = 0u; j < classes; j++) {
                if j != t {
                    let to_t = of_pair(at, j, t);
                    own += to_t * to_t;
                }
            }
            let step = (pqp - qp[t]) / own;
            p[t] += step;
            let scale = 1.0 / (1.0 + step);
            pqp = (pqp + step * (step * own + 2.0 * qp[t])) * scale * scale;
            for (var j = 0u; j < classes; j++) {
                var q = own;
                if j != t {
                    q = -of_pair(at, j, t) * of_pair(at, t, j);
                }
                qp[j] = (qp[j] + step * q) * scale;
                p[j] *= scale;
            }
        }
    }
}

fn votes(at: u32) {
    for (var t = 0u; t < params.outputs; t++) {
        var sure = 0.0;
        var won = 0.0;
        for (var j = 0u; j < params.outputs; j++) {
            if j == t {
                continue;
            }
            let margin = margins[at + machine_of(min(t, j), max(t, j)) * params.coalitions];
            let own = select(-margin, margin, t < j);
            sure += own;
            won += select(0.0, 1.0, select(margin < 0.0, !(margin < 0.0), t < j));
        }
        p[t] = won + sure / (3.0 * (abs(sure) + 1.0));
    }
}

@compute @workgroup_size(WORKGROUP)
fn decision(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let step = params.coalitions;
    if number >= params.rows * step {
        return;
    }
    let row = number / step;
    let c = number % step;
    let to = (params.first_row + row) * params.outputs * 2u * params.all + params.first + c;
    for (var b = params.begin; b < params.end; b++) {
        let weight = weights[params.first_other + b];
        let at = (row * params.others + b) * params.machines * step + c;
        if params.decision == IS_MARGINS {
            for (var k = 0u; k < params.outputs; k++) {
                gain(to, k, weight * margins[at + k * step]);
            }
        } else if params.decision == IS_PAIR {
            let least = bitcast<f32>(params.least);
            let m = margins[at];
            gain(to, 0u, weight * clamp(sigmoid(-m), least, 1.0 - least));
            gain(to, 1u, weight * clamp(sigmoid(m), least, 1.0 - least));
        } else if params.decision == IS_SOFTMAX {
            var largest = margins[at];
            for (var k = 1u; k < params.outputs; k++) {
                largest = max(largest, margins[at + k * step]);
            }
            var total = 0.0;
            for (var k = 0u; k < params.outputs; k++) {
                total += exp(margins[at + k * step] - largest);
            }
            for (var k = 0u; k < params.outputs; k++) {
                gain(to, k, weight * exp(margins[at + k * step] - largest) / total);
            }
        } else if params.decision == IS_COUPLED && params.outputs == 2u {
            let both = coupled_pair(margins[at]);
            gain(to, 0u, weight * both.x);
            gain(to, 1u, weight * both.y);
        } else {
            if params.decision == IS_COUPLED {
                coupled(at);
            } else {
                votes(at);
            }
            for (var k = 0u; k < params.outputs; k++) {
                gain(to, k, weight * p[k]);
            }
        }
    }
}
