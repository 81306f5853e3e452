// Points on the lines from background rows to explained ones, and what else their lanes begin with.
// Twin: kernels/src/lines.rs
//
// One invocation owns one lane of one cell. Lanes are points: all of the first row, then those of the next.

struct Params {
    // What is written.
    task: u32,
    cells: u32,
    // Points of a row, and rows; the first ones of both.
    points: u32,
    rows: u32,
    first_point: u32,
    first_row: u32,
    // Background rows that there are, and the number of the first.
    others: u32,
    first_other: u32,
    // Numbers from one cell to the next: of rows, of background rows, and of what is written.
    row_stride: u32,
    other_stride: u32,
    stride: u32,
}

// The points, from the background rows of the points; what their rows have; and what their background rows have, for
// one row alone.
const LINE_POINTS: u32 = 0u;
const LINE_ROWS: u32 = 1u;
const LINE_OTHERS: u32 = 2u;

@group(0) @binding(0) var<uniform> params: Params;
// (cell, row).
@group(0) @binding(1) var<storage, read> x: array<f32>;
// (cell, background row), or, for points, (cell, point).
@group(0) @binding(2) var<storage, read> r: array<f32>;
// By point: its background row, and how far it is from it.
@group(0) @binding(3) var<storage, read> sources: array<u32>;
@group(0) @binding(4) var<storage, read> at: array<f32>;
// (cell, lane).
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn lines(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let lanes = params.points * params.rows;
    if number >= params.cells * lanes {
        return;
    }
    let lane = number % lanes;
    let cell = number / lanes;
    let to = cell * params.stride + lane;
    if params.task == LINE_OTHERS {
        let source = sources[params.first_point + lane];
        // Others are in another buffer, for another launch.
        if source >= params.first_other && source - params.first_other < params.others {
            y[to] = r[cell * params.other_stride + source - params.first_other];
        }
        return;
    }
    let end = x[cell * params.row_stride + params.first_row + lane / params.points];
    if params.task == LINE_ROWS {
        y[to] = end;
        return;
    }
    let point = lane % params.points;
    let start = r[cell * params.other_stride + point];
    // What is equal, and infinite, has no difference.
    if start == end {
        y[to] = end;
    } else {
        y[to] = fma(at[params.first_point + point], end - start, start);
    }
}
