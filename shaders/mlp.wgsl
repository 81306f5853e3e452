// Mean answers of coalitions for multi-layer perceptrons: one layer after the first.
// Twin: kernels/src/mlp.rs
//
// One invocation owns four neurons in one coalition, for four pairs of a row and a background row. The neurons of
// the first layer are sums over players, and are put together where the second reads them.

struct Params {
    rows: u32,
    others: u32,
    // Neurons of the layer before, and of this one.
    inputs: u32,
    neurons: u32,
    coalitions: u32,
    activation: u32,
    // 1 where the layer before is the first, and where this one is the last.
    is_second: u32,
    is_last: u32,
}

const TO_RELU: u32 = 1u;
const TO_LOGISTIC: u32 = 2u;
const TO_TANH: u32 = 3u;

// Pairs, and neurons, of an invocation.
const TILE: u32 = 4u;

@group(0) @binding(0) var<uniform> params: Params;
// (row, neuron of the first layer, coalition).
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
// (pair, neuron of the layer before, coalition), of any other layer.
@group(0) @binding(3) var<storage, read> before: array<f32>;
// (neuron, neuron of the layer before).
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> biases: array<f32>;
// (pair, neuron, coalition).
@group(0) @binding(6) var<storage, read_write> neurons: array<f32>;

fn activate(sum: vec4<f32>) -> vec4<f32> {
    if params.activation == TO_RELU {
        return max(sum, vec4<f32>(0.0));
    }
    if params.activation == TO_LOGISTIC {
        let e = exp(-abs(sum));
        return select(vec4<f32>(1.0), e, sum < vec4<f32>(0.0)) / (1.0 + e);
    }
    if params.activation == TO_TANH {
        let e = exp(-2.0 * abs(sum));
        return sign(sum) * (1.0 - e) / (1.0 + e);
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn mlp(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let pairs = params.rows * params.others;
    let pair_tiles = (pairs + TILE - 1u) / TILE;
    let tiles = (params.neurons + TILE - 1u) / TILE;
    let step = params.coalitions;
    if number >= pair_tiles * tiles * step {
        return;
    }
    let c = number % step;
    let neuron = number / step % tiles * TILE;
    let pair = number / step / tiles * TILE;
    // Places beyond the last are those of the last, and are not written.
    let lanes = vec4<u32>(0u, 1u, 2u, 3u);
    let of_pairs = min(pair + lanes, vec4<u32>(pairs - 1u));
    let of_neurons = min(neuron + lanes, vec4<u32>(params.neurons - 1u));
    var x_at = of_pairs / params.others * params.inputs * step + c;
    var y_at = of_pairs % params.others * params.inputs * step + c;
    var at = of_pairs * params.inputs * step + c;
    var weight_at = of_neurons * params.inputs;

    var sums = array<vec4<f32>, TILE>();
    for (var n = 0u; n < TILE; n++) {
        sums[n] = vec4<f32>(biases[of_neurons[n]]);
    }
    for (var input = 0u; input < params.inputs; input++) {
        var cells: vec4<f32>;
        if params.is_second == 1u {
            let of_rows = vec4<f32>(x[x_at.x], x[x_at.y], x[x_at.z], x[x_at.w]);
            let of_others = vec4<f32>(y[y_at.x], y[y_at.y], y[y_at.z], y[y_at.w]);
            cells = activate(of_rows + of_others);
            x_at += step;
            y_at += step;
        } else {
            cells = vec4<f32>(before[at.x], before[at.y], before[at.z], before[at.w]);
            at += step;
        }
        sums[0] += weights[weight_at.x] * cells;
        sums[1] += weights[weight_at.y] * cells;
        sums[2] += weights[weight_at.z] * cells;
        sums[3] += weights[weight_at.w] * cells;
        weight_at += 1u;
    }
    for (var n = 0u; n < TILE && neuron + n < params.neurons; n++) {
        var cells = sums[n];
        if params.is_last == 0u {
            cells = activate(cells);
        }
        for (var p = 0u; p < TILE && pair + p < pairs; p++) {
            neurons[((pair + p) * params.neurons + neuron + n) * step + c] = cells[p];
        }
    }
}
