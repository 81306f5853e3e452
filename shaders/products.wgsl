// Products of two numbers that both change, and the matrix products made of them.
// Twin: kernels/src/products.rs
//
// One invocation owns four rows and four columns of one product of matrices, in one lane: of eight numbers that it
// reads it makes 16 products. Numbers alone are matrices of one row and one column.

struct Params {
    batch: u32,
    rows: u32,
    inner: u32,
    columns: u32,
    // Cells from one row, and from one column, to the next: of the first, and of the second.
    first_row_step: u32,
    first_column_step: u32,
    second_row_step: u32,
    second_column_step: u32,
    // Of a tile: pairs, background rows of a row, and the first ones of both.
    pairs: u32,
    others: u32,
    first_row: u32,
    first_other: u32,
    // Numbers from one cell to the next: of rows, of background rows, and of lanes.
    row_stride: u32,
    other_stride: u32,
    stride: u32,
    // Lanes that are computed.
    lanes: u32,
    // Which factor is the mean of the two sides: none of them, in values, the first, or the second.
    mean: u32,
    // 1 to add to what is there.
    adds: u32,
}

const MEAN_IS_NONE: u32 = 0u;
const MEAN_IS_FIRST: u32 = 1u;
const MEAN_IS_SECOND: u32 = 2u;

@group(0) @binding(0) var<uniform> params: Params;
// (cell, lane): the multipliers of the product; of values, the first factor.
@group(0) @binding(1) var<storage, read> outward: array<f32>;
// (cell, row), and (cell, background row), of the other factor; of values, `x` is the second, (cell, lane).
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn mean(cell: u32, row: u32, other: u32) -> f32 {
    return 0.5 * (x[cell * params.row_stride + row] + r[cell * params.other_stride + other]);
}

fn first(cell: u32, lane: u32, row: u32, other: u32) -> f32 {
    if params.mean == MEAN_IS_FIRST {
        return mean(cell, row, other);
    }
    return outward[cell * params.stride + lane];
}

fn second(cell: u32, lane: u32, row: u32, other: u32) -> f32 {
    if params.mean == MEAN_IS_SECOND {
        return mean(cell, row, other);
    }
    if params.mean == MEAN_IS_NONE {
        return x[cell * params.stride + lane];
    }
    return outward[cell * params.stride + lane];
}

fn put(cell: u32, lane: u32, sum: f32) {
    let at = cell * params.stride + lane;
    if params.adds == 1u {
        y[at] += sum;
    } else {
        y[at] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn products(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let row_blocks = (params.rows + 3u) / 4u;
    let column_blocks = (params.columns + 3u) / 4u;
    if number >= params.batch * row_blocks * column_blocks * params.lanes {
        return;
    }
    let lane = number % params.lanes;
    let left = number / params.lanes % column_blocks * 4u;
    let top = number / params.lanes / column_blocks % row_blocks * 4u;
    let matrix = number / params.lanes / column_blocks / row_blocks;
    let row = row_of(lane % params.pairs);
    let other = other_of(lane % params.pairs);
    let a_start = matrix * params.rows * params.inner;
    let b_start = matrix * params.inner * params.columns;
    if params.rows * params.columns == 1u {
        var sum = 0.0;
        for (var k = 0u; k < params.inner; k++) {
            let a = first(a_start + k * params.first_column_step, lane, row, other);
            sum += a * second(b_start + k * params.second_row_step, lane, row, other);
        }
        put(matrix, lane, sum);
        return;
    }
    // Blocks that stick out take the last row and column again.
    let steps = vec4<u32>(0u, 1u, 2u, 3u);
    let of_rows = min(vec4<u32>(top) + steps, vec4<u32>(params.rows - 1u));
    let of_columns = min(vec4<u32>(left) + steps, vec4<u32>(params.columns - 1u));
    var a_at = vec4<u32>(a_start) + of_rows * params.first_row_step;
    var b_at = vec4<u32>(b_start) + of_columns * params.second_column_step;
    var sum_0 = vec4<f32>(0.0);
    var sum_1 = vec4<f32>(0.0);
    var sum_2 = vec4<f32>(0.0);
    var sum_3 = vec4<f32>(0.0);
    for (var k = 0u; k < params.inner; k++) {
        let b = vec4<f32>(
            second(b_at.x, lane, row, other),
            second(b_at.y, lane, row, other),
            second(b_at.z, lane, row, other),
            second(b_at.w, lane, row, other),
        );
        sum_0 += first(a_at.x, lane, row, other) * b;
        sum_1 += first(a_at.y, lane, row, other) * b;
        sum_2 += first(a_at.z, lane, row, other) * b;
        sum_3 += first(a_at.w, lane, row, other) * b;
        a_at += vec4<u32>(params.first_column_step);
        b_at += vec4<u32>(params.second_row_step);
    }
    var sums = array<vec4<f32>, 4>(sum_0, sum_1, sum_2, sum_3);
    for (var i = 0u; i < min(4u, params.rows - top); i++) {
        let cell = (matrix * params.rows + top + i) * params.columns + left;
        for (var j = 0u; j < min(4u, params.columns - left); j++) {
            put(cell + j, lane, sums[i][j]);
        }
    }
}
