// Weighted sums over samples, and over pairs of their differences from a row: the normal equations of a local linear
// model.
// Twin: kernels/src/weighted_gram.rs
//
// One workgroup owns a row and as many cells of its triangle as it has invocations. Its invocations weigh a sample each,
// then each adds up its own cell.

struct Params {
    rows: u32,
    samples: u32,
    features: u32,
    outputs: u32,
    // Numbers of a sample: 1, the differences of the features, and for the sums of answers those of the outputs.
    numbers: u32,
    // The bits of the kernel width.
    width: u32,
    // 1 and the output whose squared residuals weigh, too; 0 for none.
    residual: u32,
    zero: u32,
}

const SAMPLES_HELD: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
// (sample, feature): a code, or a standardised cell.
@group(0) @binding(1) var<storage, read> cells: array<f32>;
// By feature, 1 where cells are only compared.
@group(0) @binding(2) var<storage, read> compared: array<u32>;
// (sample, output).
@group(0) @binding(3) var<storage, read> answers: array<f32>;
// (row, feature).
@group(0) @binding(4) var<storage, read> rows: array<f32>;
// (row, output).
@group(0) @binding(5) var<storage, read> own: array<f32>;
// (row, intercept or feature): the linear model that residuals are of.
@group(0) @binding(6) var<storage, read> models: array<f32>;
// (row, cell of the triangle), pairs of numbers.
@group(0) @binding(7) var<storage, read_write> sums: array<vec2<f32>>;

var<workgroup> weights: array<f32, SAMPLES_HELD>;

fn difference(row: u32, sample: u32, feature: u32) -> f32 {
    let cell = cells[sample * params.features + feature];
    let other = rows[row * params.features + feature];
    if compared[feature] == 1u {
        return select(-1.0, 0.0, cell == other);
    }
    return cell - other;
}

fn target_of(row: u32, sample: u32, output: u32) -> f32 {
    return answers[sample * params.outputs + output] - own[row * params.outputs + output];
}

// A number of a sample.
fn number(row: u32, sample: u32, place: u32) -> f32 {
    if place == 0u {
        return 1.0;
    }
    if place <= params.features {
        return difference(row, sample, place - 1u);
    }
    return target_of(row, sample, place - 1u - params.features);
}

fn weigh(row: u32, sample: u32) -> f32 {
    let model = row * (params.features + 1u);
    var square = 0.0;
    var said = 0.0;
    if params.residual > 0u {
        said = models[model];
    }
    for (var feature = 0u; feature < params.features; feature++) {
        let z = difference(row, sample, feature);
        square += z * z;
        if params.residual > 0u {
            said += z * models[model + 1u + feature];
        }
    }
    let width = bitcast<f32>(params.width);
    let weight = exp(-0.5 * square / (width * width));
    if params.residual == 0u {
        return weight;
    }
    let weighted = weight * (target_of(row, sample, params.residual - 1u) - said);
    return weighted * weighted;
}

@compute @workgroup_size(WORKGROUP)
fn weighted_gram(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let triangle = params.numbers * (params.numbers + 1u) / 2u;
    let tiles = (triangle + WORKGROUP - 1u) / WORKGROUP;
    let group = group_number(id, count);
    let row = group / tiles;
    if row >= params.rows {
        return;
    }
    let cell = group % tiles * WORKGROUP + local;
    // The row of the triangle that holds the cell; a root is rounded, so that it may be one beside.
    var i = u32(0.5 * (sqrt(8.0 * f32(cell) + 1.0) - 1.0));
    if i * (i + 1u) / 2u > cell {
        i -= 1u;
    }
    if (i + 1u) * (i + 2u) / 2u <= cell {
        i += 1u;
    }
    let j = cell - i * (i + 1u) / 2u;
    var sum = Sum(0.0, 0.0);
    for (var start = 0u; start < params.samples; start += WORKGROUP) {
        let mine = start + local;
        var weight = 0.0;
        if mine < params.samples {
            weight = weigh(row, mine);
        }
        weights[local] = weight;
        workgroupBarrier();
        if cell < triangle {
            let end = min(WORKGROUP, params.samples - start);
            for (var k = 0u; k < end; k++) {
                let sample = start + k;
                sum = add(sum, weights[k] * number(row, sample, i) * number(row, sample, j));
            }
        }
        workgroupBarrier();
    }
    if cell < triangle {
        sums[row * triangle + cell] = vec2<f32>(sum.high, sum.low);
    }
}
