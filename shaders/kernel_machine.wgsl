// Mean answers of coalitions for kernel machines: their margins.
// Twin: kernels/src/kernel_machine.rs
//
// One invocation owns one machine in one coalition, for four rows beside four background rows: what it reads of
// each serves four times.

struct Params {
    rows: u32,
    others: u32,
    units: u32,
    machines: u32,
    coalitions: u32,
    shape: u32,
    degree: u32,
}

const OF_PRODUCT: u32 = 0u;
const OF_POWER: u32 = 1u;
const OF_TANH: u32 = 2u;
const OF_MATERN: u32 = 3u;
const OF_EXP: u32 = 4u;

// Rows, and background rows, of an invocation, and units that are summed before their sum joins the others'.
const TILE: u32 = 4u;
const SUMMED: u32 = 16u;

@group(0) @binding(0) var<uniform> params: Params;
// (row, unit, coalition).
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
// (machine, unit).
@group(0) @binding(3) var<storage, read> coefficients: array<f32>;
@group(0) @binding(4) var<storage, read> intercepts: array<f32>;
// (row, background row, machine, coalition).
@group(0) @binding(5) var<storage, read_write> margins: array<f32>;

fn kernel(sum: vec4<f32>) -> vec4<f32> {
    if params.shape == OF_TANH {
        let e = exp(-2.0 * abs(sum));
        return sign(sum) * (1.0 - e) / (1.0 + e);
    }
    if params.shape == OF_MATERN {
        let r = sqrt(sum);
        let first = select(0.0, 1.0, params.degree > 0u);
        let second = select(0.0, 1.0 / 3.0, params.degree > 1u);
        return exp(-r) * (1.0 + r * (first + second * r));
    }
    if params.shape == OF_EXP {
        return exp(sum);
    }
    var power = vec4<f32>(1.0);
    for (var i = 0u; i < params.degree; i++) {
        power *= sum;
    }
    return power;
}

@compute @workgroup_size(WORKGROUP)
fn kernel_machine(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let row_tiles = (params.rows + TILE - 1u) / TILE;
    let other_tiles = (params.others + TILE - 1u) / TILE;
    let step = params.coalitions;
    if number >= row_tiles * other_tiles * params.machines * step {
        return;
    }
    let c = number % step;
    let machine = number / step % params.machines;
    let tile = number / step / params.machines;
    let row = tile / other_tiles * TILE;
    let other = tile % other_tiles * TILE;
    // Places beyond the last are those of the last, and are not written.
    let lanes = vec4<u32>(0u, 1u, 2u, 3u);
    let rows = min(row + lanes, vec4<u32>(params.rows - 1u));
    let others = min(other + lanes, vec4<u32>(params.others - 1u));
    var x_at = rows * params.units * step + c;
    var y_at = others * params.units * step + c;

    let intercept = vec4<f32>(intercepts[machine]);
    var sums = array<vec4<f32>, TILE>(intercept, intercept, intercept, intercept);
    for (var first = 0u; first < params.units; first += SUMMED) {
        let end = min(first + SUMMED, params.units);
        var parts = array<vec4<f32>, TILE>();
        for (var unit = first; unit < end; unit++) {
            let coefficient = coefficients[machine * params.units + unit];
            let of_rows = vec4<f32>(x[x_at.x], x[x_at.y], x[x_at.z], x[x_at.w]);
            let of_others = vec4<f32>(y[y_at.x], y[y_at.y], y[y_at.z], y[y_at.w]);
            if params.shape == OF_PRODUCT {
                let scaled = coefficient * of_rows;
                parts[0] += scaled.x * of_others;
                parts[1] += scaled.y * of_others;
                parts[2] += scaled.z * of_others;
                parts[3] += scaled.w * of_others;
            } else {
                parts[0] += coefficient * kernel(of_rows.x + of_others);
                parts[1] += coefficient * kernel(of_rows.y + of_others);
                parts[2] += coefficient * kernel(of_rows.z + of_others);
                parts[3] += coefficient * kernel(of_rows.w + of_others);
            }
            x_at += step;
            y_at += step;
        }
        for (var r = 0u; r < TILE; r++) {
            sums[r] += parts[r];
        }
    }
    for (var r = 0u; r < TILE && row + r < params.rows; r++) {
        for (var b = 0u; b < TILE && other + b < params.others; b++) {
            let pair = (row + r) * params.others + other + b;
            margins[(pair * params.machines + machine) * step + c] = sums[r][b];
        }
    }
}
