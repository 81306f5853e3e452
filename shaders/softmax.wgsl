// Softmax, its logarithm, and their multipliers: the mean of the derivatives on the way from one side to the other.
// Twin: kernels/src/softmax.rs
//
// One invocation owns one run of cells of one lane; for multipliers, of one pair, for all outputs, four at a time. What
// softmax is at the eight points of the way is computed again wherever it is read: that takes less than the memory for it.

struct Params {
    // Runs of cells, and cells of each.
    runs: u32,
    length: u32,
    // 1 for the logarithm.
    is_log: u32,
    // Pairs, or lanes of values; background rows of a row, and the first ones of both.
    pairs: u32,
    others: u32,
    first_row: u32,
    first_other: u32,
    // Numbers from one cell to the next: of rows, of background rows, and of multipliers.
    row_stride: u32,
    other_stride: u32,
    stride: u32,
    outputs: u32,
    // The bits of how far below the largest a cell weighs nothing.
    lowest: u32,
    // 1 to write values, of x to `inward`.
    values: u32,
    // 1 to add to what is there.
    adds: u32,
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Two points, by fours, then their weights.
@group(0) @binding(1) var<storage, read> rule: array<vec4<f32>>;
// (cell, row), and (cell, background row): what softmax reads, and what it makes of that.
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<f32>;
@group(0) @binding(4) var<storage, read> y: array<f32>;
@group(0) @binding(5) var<storage, read> s: array<f32>;
// (cell, lane).
@group(0) @binding(6) var<storage, read> outward: array<f32>;
@group(0) @binding(7) var<storage, read_write> inward: array<f32>;

fn write_values(run: u32, lane: u32) {
    let begin = run * params.length;
    var most = x[begin * params.stride + lane];
    for (var j = begin + 1u; j < begin + params.length; j++) {
        let cell = x[j * params.stride + lane];
        most = select(most, cell, cell > most);
    }
    var sum = Sum(0.0, 0.0);
    for (var j = begin; j < begin + params.length; j++) {
        sum = add(sum, power_of_e(x[j * params.stride + lane] - most));
    }
    let whole = sum.high + sum.low;
    let logarithm_of_sum = logarithm(whole);
    for (var j = begin; j < begin + params.length; j++) {
        let at = j * params.stride + lane;
        let below = x[at] - most;
        if params.is_log == 1u {
            inward[at] = below - logarithm_of_sum;
        } else {
            inward[at] = power_of_e(below) / whole;
        }
    }
}

// A cell on both sides, cut off where it weighs nothing.
struct Cell {
    near: f32,
    difference: f32,
    // What is left of the whole difference.
    kept: f32,
}

// A run of a pair.
struct Path {
    row: u32,
    other: u32,
    // Below which cells of the two sides are cut off.
    lowest: vec2<f32>,
    // At each point: the largest cell, and 1 / Σ exp.
    most: array<vec4<f32>, 2>,
    scale: array<vec4<f32>, 2>,
}

fn cell_of(path: Path, cell: u32) -> Cell {
    let a = x[cell * params.row_stride + path.row];
    let b = r[cell * params.other_stride + path.other];
    let near = max(a, path.lowest.x);
    let difference = near - max(b, path.lowest.y);
    if a == b {
        return Cell(near, difference, 1.0);
    }
    return Cell(near, difference, difference / (a - b));
}

// From the explained side, so that a point is what is left of the way.
fn softmax_at(path: Path, cell: Cell, half: u32) -> vec4<f32> {
    let there = cell.near - rule[half] * cell.difference;
    return power_of_e_4(there - path.most[half]) * path.scale[half];
}

fn outward_of(cell: u32, pair: u32, output: u32) -> vec4<f32> {
    let last = params.outputs - 1u;
    let at = cell * params.stride + pair;
    return vec4<f32>(
        outward[at + output * params.pairs],
        outward[at + min(output + 1u, last) * params.pairs],
        outward[at + min(output + 2u, last) * params.pairs],
        outward[at + min(output + 3u, last) * params.pairs],
    );
}

fn put(at: u32, multiplier: f32) {
    var sum = multiplier;
    if params.adds == 1u {
        sum += inward[at];
    }
    inward[at] = sum;
}

fn write_multipliers(run: u32, pair: u32) {
    let begin = run * params.length;
    let end = begin + params.length;
    var path: Path;
    path.row = row_of(pair);
    path.other = other_of(pair);
    var largest = vec2<f32>(
        x[begin * params.row_stride + path.row],
        r[begin * params.other_stride + path.other],
    );
    for (var j = begin + 1u; j < end; j++) {
        let here = vec2<f32>(
            x[j * params.row_stride + path.row],
            r[j * params.other_stride + path.other],
        );
        largest = select(largest, here, here > largest);
    }
    path.lowest = largest - bitcast<f32>(params.lowest);
    var size = 0.0;
    for (var j = begin; j < end; j++) {
        let cell = cell_of(path, j);
        let low = cell.near - rule[0] * cell.difference;
        let high = cell.near - rule[1] * cell.difference;
        if j == begin {
            path.most[0] = low;
            path.most[1] = high;
        }
        path.most[0] = max(path.most[0], low);
        path.most[1] = max(path.most[1], high);
        size += cell.difference * cell.difference;
    }
    path.scale[0] = vec4<f32>(1.0);
    path.scale[1] = vec4<f32>(1.0);
    var sum_0 = vec4<f32>(0.0);
    var sum_1 = vec4<f32>(0.0);
    for (var j = begin; j < end; j++) {
        let cell = cell_of(path, j);
        sum_0 += softmax_at(path, cell, 0u);
        sum_1 += softmax_at(path, cell, 1u);
    }
    path.scale[0] = 1.0 / sum_0;
    path.scale[1] = 1.0 / sum_1;
    // The mean of `inward` is that of the points: mean · outward − Σ weight · softmax · Σ softmax · outward.
    for (var output = 0u; output < params.outputs; output += 4u) {
        // (point, output), and Σ outward.
        var dots_0 = mat4x4<f32>();
        var dots_1 = mat4x4<f32>();
        var all = vec4<f32>(0.0);
        for (var j = begin; j < end; j++) {
            let m = outward_of(j, pair, output);
            all += m;
            if params.is_log == 0u {
                let cell = cell_of(path, j);
                let at_0 = softmax_at(path, cell, 0u);
                let at_1 = softmax_at(path, cell, 1u);
                dots_0 += mat4x4<f32>(m * at_0.x, m * at_0.y, m * at_0.z, m * at_0.w);
                dots_1 += mat4x4<f32>(m * at_1.x, m * at_1.y, m * at_1.z, m * at_1.w);
            }
        }
        // What is left of the difference, to share in proportion to the cells' differences; once it is known.
        var rest = vec4<f32>(0.0);
        for (var turn = 0u; turn < 2u; turn++) {
            for (var j = begin; j < end; j++) {
                let m = outward_of(j, pair, output);
                let cell = cell_of(path, j);
                let at_0 = softmax_at(path, cell, 0u) * rule[2];
                let at_1 = softmax_at(path, cell, 1u) * rule[3];
                let mean = dot(at_0, vec4<f32>(1.0)) + dot(at_1, vec4<f32>(1.0));
                var found = mean * m - (dots_0 * at_0 + dots_1 * at_1);
                if params.is_log == 1u {
                    found = m - mean * all;
                }
                if turn == 0u {
                    let gain = y[j * params.row_stride + path.row]
                        - s[j * params.other_stride + path.other];
                    rest += m * gain - found * cell.difference;
                    continue;
                }
                found = (found + rest * cell.difference) * cell.kept;
                let at = j * params.stride + output * params.pairs + pair;
                put(at, found.x);
                if output + 1u < params.outputs {
                    put(at + params.pairs, found.y);
                }
                if output + 2u < params.outputs {
                    put(at + 2u * params.pairs, found.z);
                }
                if output + 3u < params.outputs {
                    put(at + 3u * params.pairs, found.w);
                }
            }
            if turn == 0u {
                rest = select(vec4<f32>(0.0), rest / size, size > 0.0);
            }
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn softmax(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.runs * params.pairs {
        return;
    }
    let pair = number % params.pairs;
    let run = number / params.pairs;
    if params.values == 1u {
        write_values(run, pair);
    } else {
        write_multipliers(run, pair);
    }
}
