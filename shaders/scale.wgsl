// Cells times constants.
// Twin: kernels/src/scale.rs
//
// One invocation owns one lane of one cell.

struct Params {
    cells: u32,
    // Numbers from one cell to the next: all lanes.
    stride: u32,
    // Factors, and cells in a row that have the same one; so of what is added.
    factors: u32,
    factors_inner: u32,
    shifts: u32,
    shifts_inner: u32,
    // 1 to add to what is there.
    adds: u32,
    // 1 to read y in the place of x.
    in_place: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read> shifts: array<f32>;
// (cell, lane).
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn scale(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.cells * params.stride {
        return;
    }
    let cell = number / params.stride;
    let factor = factors[cell / params.factors_inner % params.factors];
    var read: f32;
    if params.in_place == 1u {
        read = y[number];
    } else {
        read = x[number];
    }
    var sum = 0.0;
    if params.shifts > 0u {
        sum = shifts[cell / params.shifts_inner % params.shifts];
    }
    if params.adds == 1u {
        sum += y[number];
    }
    y[number] = sum + factor * read;
}
