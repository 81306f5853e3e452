// What cells contribute: their multipliers times their differences, summed over the background.
// Twin: kernels/src/contributions.rs
//
// Eight invocations own one sum, of a row, a cell and an output: they take the background in turns, one run of it after
// the other. A sum is a pair of numbers and goes on where the run before ended, so that it is the same however the
// background is cut into tiles of whole runs.

struct Params {
    cells: u32,
    outputs: u32,
    // The lanes: rows, background rows of each, and where they begin.
    rows: u32,
    others: u32,
    first_row: u32,
    first_other: u32,
    // Numbers from one cell to the next: of rows, of background rows, and of multipliers.
    row_stride: u32,
    other_stride: u32,
    stride: u32,
    // The weight of the first background row of the tile.
    first_weight: u32,
    // Where the sums are: cells of a row and the first of these, outputs and the first of these.
    all_cells: u32,
    first_cell: u32,
    all_outputs: u32,
    first_output: u32,
    zero: u32,
}

// Background rows of a run, and invocations of a sum.
const RUN: u32 = 32u;
const TEAM: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
// (cell, row), and (cell, background row).
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> r: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
// (cell, lane).
@group(0) @binding(4) var<storage, read> multipliers: array<f32>;
// (row, cell, output).
@group(0) @binding(5) var<storage, read_write> high: array<f32>;
@group(0) @binding(6) var<storage, read_write> low: array<f32>;

var<workgroup> parts: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn contributions(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let all = params.cells * params.outputs * params.rows;
    let number = (group_number(id, count) * WORKGROUP + local) / TEAM;
    // Teams beyond the last go along, for the barriers, and write nothing.
    let owned = min(number, all - 1u);
    let member = local % TEAM;
    let row = owned % params.rows;
    let cell = owned / params.rows % params.cells;
    let output = owned / params.rows / params.cells;
    let explained = x[cell * params.row_stride + params.first_row + row];
    let r_at = cell * params.other_stride + params.first_other;
    let m_at = cell * params.stride + (output * params.rows + row) * params.others;
    let of_row = (params.first_row + row) * params.all_cells + params.first_cell + cell;
    let to = of_row * params.all_outputs + params.first_output + output;
    var sum = Sum(high[to], low[to]);
    for (var begin = 0u; begin < params.others; begin += RUN) {
        let end = min(begin + RUN, params.others);
        var part = 0.0;
        for (var other = begin + member; other < end; other += TEAM) {
            let cell_there = r[r_at + other];
            // Where examples are alike, whatever the multiplier is.
            if explained != cell_there {
                let product = multipliers[m_at + other] * (explained - cell_there);
                part += weights[params.first_weight + other] * product;
            }
        }
        parts[local] = part;
        workgroupBarrier();
        if member == 0u {
            var of_run = 0.0;
            for (var k = 0u; k < TEAM; k++) {
                of_run += parts[local + k];
            }
            sum = add(sum, of_run);
        }
        workgroupBarrier();
    }
    if member == 0u && number < all {
        high[to] = sum.high;
        low[to] = sum.low;
    }
}
