// Rows of a table, and what their multipliers make of the numbers that name them.
// Twin: kernels/src/embedding.rs
//
// One invocation owns one lane of one number that names a row; or, where rows are looked up, of one of their numbers.

struct Params {
    // Numbers that name rows, or, where rows are looked up, those that are written.
    cells: u32,
    width: u32,
    entries: u32,
    // Pairs, or lanes of values; background rows of a row, and the first ones of both.
    pairs: u32,
    others: u32,
    first_row: u32,
    first_other: u32,
    // Numbers from one cell to the next: of rows, of background rows, and of multipliers.
    row_stride: u32,
    other_stride: u32,
    stride: u32,
    // Outputs of the tile.
    outputs: u32,
    // 1 to look up the rows that x names, to `inward`.
    values: u32,
    // 1 to add to what is there.
    adds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// (entry, number).
@group(0) @binding(1) var<storage, read> table: array<f32>;
// (cell, row), and (cell, background row): what names rows, and their numbers.
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<f32>;
@group(0) @binding(4) var<storage, read> y: array<f32>;
@group(0) @binding(5) var<storage, read> s: array<f32>;
// (cell, lane).
@group(0) @binding(6) var<storage, read> outward: array<f32>;
@group(0) @binding(7) var<storage, read_write> inward: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn embedding(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let lanes = params.pairs * params.outputs;
    if number >= params.cells * lanes {
        return;
    }
    let lane = number % lanes;
    let cell = number / lanes;
    if params.values == 1u {
        let named = max(x[cell / params.width * params.stride + lane], 0.0);
        let entry = min(u32(named), params.entries - 1u);
        let column = cell % params.width;
        inward[cell * params.stride + lane] = table[entry * params.width + column];
        return;
    }
    let row = row_of(lane % params.pairs);
    let other = other_of(lane % params.pairs);
    let difference = x[cell * params.row_stride + row] - r[cell * params.other_stride + other];
    let at = cell * params.stride + lane;
    var before = 0.0;
    if params.adds == 1u {
        before = inward[at];
    }
    if difference == 0.0 {
        inward[at] = before;
        return;
    }
    var sum = 0.0;
    for (var place = cell * params.width; place < (cell + 1u) * params.width; place++) {
        let gain = y[place * params.row_stride + row] - s[place * params.other_stride + other];
        sum += outward[place * params.stride + lane] * gain;
    }
    inward[at] = before + sum / difference;
}
