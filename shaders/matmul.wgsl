// Products of matrices in the three transpositions that a layer needs: strides say which.
// Twin: kernels/src/matmul.rs
//
// One workgroup owns a tile of SIDE × SIDE sums, over one part of the products; of what it reads together, each invocation
// makes 4 × 4 of them. A second launch, of ones and the parts, adds these up in their order.

struct Params {
    // Rows and columns of c, and products of each of its sums.
    rows: u32,
    columns: u32,
    products: u32,
    // Products of a part, and parts.
    part: u32,
    parts: u32,
    // Where matrices begin, and from one row, or one column, to the next; of c, from one part to the next.
    a_start: u32,
    a_row: u32,
    a_column: u32,
    b_start: u32,
    b_row: u32,
    b_column: u32,
    c_start: u32,
    c_row: u32,
    c_part: u32,
    // 1 to begin with the biases of the columns, which begin at bias_start, or with what is there.
    biased: u32,
    bias_start: u32,
    adds: u32,
}

const SIDE: u32 = 32u;
const DEPTH: u32 = 16u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> biases: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

// (product, row), and (product, column).
var<workgroup> rows_held: array<f32, SIDE * DEPTH>;
var<workgroup> columns_held: array<f32, SIDE * DEPTH>;

fn put(part: u32, row: u32, column: u32, sums: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if row >= params.rows || column + i >= params.columns {
            return;
        }
        let at = params.c_start + part * params.c_part + row * params.c_row + column + i;
        var sum = sums[i];
        if params.biased == 1u {
            sum += biases[params.bias_start + column + i];
        }
        if params.adds == 1u {
            sum += c[at];
        }
        c[at] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn matmul(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let across = (params.columns + SIDE - 1u) / SIDE;
    let down = (params.rows + SIDE - 1u) / SIDE;
    let group = group_number(id, count);
    let first_column = group % across * SIDE;
    let first_row = group / across % down * SIDE;
    // Workgroups beyond the last part go along, and write nothing.
    let part = group / across / down;
    let begin = part * params.part;
    let end = min(begin + params.part, params.products);
    let row = local / 8u * 4u;
    let column = local % 8u * 4u;
    var sums_0 = vec4<f32>(0.0);
    var sums_1 = vec4<f32>(0.0);
    var sums_2 = vec4<f32>(0.0);
    var sums_3 = vec4<f32>(0.0);
    for (var next = begin; next < end; next += DEPTH) {
        for (var held = local; held < SIDE * DEPTH; held += WORKGROUP) {
            // Neighbours read what is near.
            var k = held / SIDE;
            var i = held % SIDE;
            if params.a_column == 1u {
                k = held % DEPTH;
                i = held / DEPTH;
            }
            var number = 0.0;
            if next + k < end && first_row + i < params.rows {
                let at = (first_row + i) * params.a_row + (next + k) * params.a_column;
                number = a[params.a_start + at];
            }
            rows_held[k * SIDE + i] = number;
            k = held / SIDE;
            i = held % SIDE;
            if params.b_row == 1u {
                k = held % DEPTH;
                i = held / DEPTH;
            }
            number = 0.0;
            if next + k < end && first_column + i < params.columns {
                let at = (next + k) * params.b_row + (first_column + i) * params.b_column;
                number = b[params.b_start + at];
            }
            columns_held[k * SIDE + i] = number;
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let at = k * SIDE + column;
            let own = vec4<f32>(
                columns_held[at],
                columns_held[at + 1u],
                columns_held[at + 2u],
                columns_held[at + 3u],
            );
            let of_row = k * SIDE + row;
            sums_0 += rows_held[of_row] * own;
            sums_1 += rows_held[of_row + 1u] * own;
            sums_2 += rows_held[of_row + 2u] * own;
            sums_3 += rows_held[of_row + 3u] * own;
        }
        workgroupBarrier();
    }
    if part < params.parts {
        put(part, first_row + row, first_column + column, sums_0);
        put(part, first_row + row + 1u, first_column + column, sums_1);
        put(part, first_row + row + 2u, first_column + column, sums_2);
        put(part, first_row + row + 3u, first_column + column, sums_3);
    }
}
