// The rescale rule: what a function of one number makes of multipliers.
// Twin: kernels/src/rescale.rs
//
// One invocation owns one cell of one pair, for all outputs, whose multipliers have the same factor; or, where values
// are asked for, one lane of one cell.

struct Params {
    cells: u32,
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
    // The function, and two numbers of it as bits; 1 if each cell has a slope of its own.
    curve: u32,
    a: u32,
    b: u32,
    each: u32,
    // 1 to write values, of x to `inward`.
    values: u32,
    // 1 to add to what is there.
    adds: u32,
    // 1 to read `inward` in the place of `outward`.
    in_place: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// (cell, row), and (cell, background row): what the function reads, and what it makes of that.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> r: array<f32>;
@group(0) @binding(3) var<storage, read> y: array<f32>;
@group(0) @binding(4) var<storage, read> s: array<f32>;
@group(0) @binding(5) var<storage, read> slopes: array<f32>;
// (cell, lane).
@group(0) @binding(6) var<storage, read> outward: array<f32>;
@group(0) @binding(7) var<storage, read_write> inward: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn rescale(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.cells * params.pairs {
        return;
    }
    let pair = number % params.pairs;
    let cell = number / params.pairs;
    var f = Curve(params.curve, bitcast<f32>(params.a), bitcast<f32>(params.b));
    if params.each == 1u {
        f.a = slopes[cell];
    }
    var at = cell * params.stride + pair;
    if params.values == 1u {
        inward[at] = value(f, x[at]);
        return;
    }
    let row = cell * params.row_stride + row_of(pair);
    let other = cell * params.other_stride + other_of(pair);
    let factor = quotient(f, x[row], r[other], y[row], s[other]);
    for (var output = 0u; output < params.outputs; output++) {
        var sum = 0.0;
        if params.adds == 1u {
            sum = inward[at];
        }
        var multiplier: f32;
        if params.in_place == 1u {
            multiplier = inward[at];
        } else {
            multiplier = outward[at];
        }
        inward[at] = sum + multiplier * factor;
        at += params.pairs;
    }
}
