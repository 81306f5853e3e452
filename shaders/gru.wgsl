// Gated recurrent units over sequences, forward and back (Cho et al. 2014, in the form of cuDNN).
// Twin: kernels/src/gru.rs
//
// One workgroup owns a sequence in a direction, and goes through its times, all units at a time. A launch does the times
// from `begin` up to `end`; what the next one needs is in the states, or in `carry`.

struct Params {
    // Units, and sequences.
    hidden: u32,
    count: u32,
    begin: u32,
    end: u32,
    // 1 to go back.
    back: u32,
    // Where the weights and biases of the states' parts begin, forward and backward in the sequence.
    weights_0: u32,
    weights_1: u32,
    bias_0: u32,
    bias_1: u32,
}

const MOST_HIDDEN: u32 = 512u;

@group(0) @binding(0) var<uniform> params: Params;
// First row and length.
@group(0) @binding(1) var<storage, read> sequences: array<vec2<u32>>;
// All weights but the table.
@group(0) @binding(2) var<storage, read> dense: array<f32>;
// (row, direction, unit): what is asked of the states.
@group(0) @binding(3) var<storage, read> asked: array<f32>;
// (row, direction, gate, unit): the inputs' parts of r, z and n, then r, z, n and the state's part of n; then what is asked
// of them.
@group(0) @binding(4) var<storage, read_write> gates: array<f32>;
// (row, direction, unit): states, and those before them.
@group(0) @binding(5) var<storage, read_write> states: array<f32>;
@group(0) @binding(6) var<storage, read_write> before: array<f32>;
// (sequence, direction, unit): what later times ask of a state.
@group(0) @binding(7) var<storage, read_write> carry: array<f32>;

// Two states in turn; or what is asked of the state's parts of r, z and n.
var<workgroup> held: array<f32, 3u * MOST_HIDDEN>;

fn row_at(sequence: vec2<u32>, way: u32, time: u32) -> u32 {
    return select(sequence.x + time, sequence.x + sequence.y - 1u - time, way == 1u);
}

fn forward(sequence: vec2<u32>, way: u32, end: u32, local: u32) {
    let hidden = params.hidden;
    let weights = select(params.weights_0, params.weights_1, way == 1u);
    let bias = select(params.bias_0, params.bias_1, way == 1u);
    for (var unit = local; unit < hidden; unit += WORKGROUP) {
        var state = 0.0;
        if params.begin > 0u && params.begin < end {
            let row = row_at(sequence, way, params.begin - 1u);
            state = states[(row * 2u + way) * hidden + unit];
        }
        held[params.begin % 2u * MOST_HIDDEN + unit] = state;
    }
    workgroupBarrier();
    for (var time = params.begin; time < end; time++) {
        let row = row_at(sequence, way, time);
        let last_at = time % 2u * MOST_HIDDEN;
        let to = MOST_HIDDEN - last_at;
        for (var unit = local; unit < hidden; unit += WORKGROUP) {
            var own_r = dense[bias + unit];
            var own_z = dense[bias + hidden + unit];
            var own = dense[bias + 2u * hidden + unit];
            let of_unit = weights + unit * hidden;
            for (var j = 0u; j < hidden; j++) {
                let state = held[last_at + j];
                own_r += dense[of_unit + j] * state;
                own_z += dense[of_unit + hidden * hidden + j] * state;
                own += dense[of_unit + 2u * hidden * hidden + j] * state;
            }
            let at = (row * 2u + way) * 4u * hidden + unit;
            let r = logistic(gates[at] + own_r);
            let z = logistic(gates[at + hidden] + own_z);
            let n = hyperbolic_tangent(gates[at + 2u * hidden] + r * own);
            let last = held[last_at + unit];
            let state = n + z * (last - n);
            gates[at] = r;
            gates[at + hidden] = z;
            gates[at + 2u * hidden] = n;
            gates[at + 3u * hidden] = own;
            held[to + unit] = state;
            states[(row * 2u + way) * hidden + unit] = state;
            before[(row * 2u + way) * hidden + unit] = last;
        }
        workgroupBarrier();
    }
}

fn backward(number: u32, sequence: vec2<u32>, way: u32, end: u32, local: u32) {
    let hidden = params.hidden;
    let weights = select(params.weights_0, params.weights_1, way == 1u);
    let of_sequence = (number * 2u + way) * hidden;
    if sequence.y <= params.end {
        // Nothing comes after the last time.
        for (var unit = local; unit < hidden; unit += WORKGROUP) {
            carry[of_sequence + unit] = 0.0;
        }
    }
    for (var time = end; time > params.begin; time--) {
        let row = row_at(sequence, way, time - 1u);
        for (var unit = local; unit < hidden; unit += WORKGROUP) {
            let at = (row * 2u + way) * 4u * hidden + unit;
            let r = gates[at];
            let z = gates[at + hidden];
            let n = gates[at + 2u * hidden];
            let own = gates[at + 3u * hidden];
            let of_row = (row * 2u + way) * hidden + unit;
            let d = asked[of_row] + carry[of_sequence + unit];
            let dz = d * (before[of_row] - n) * z * (1.0 - z);
            let dn = d * (1.0 - z) * (1.0 - n * n);
            let dr = dn * own * r * (1.0 - r);
            gates[at] = dr;
            gates[at + hidden] = dz;
            gates[at + 2u * hidden] = dn;
            gates[at + 3u * hidden] = dn * r;
            held[unit] = dr;
            held[hidden + unit] = dz;
            held[2u * hidden + unit] = dn * r;
            // The unit is this invocation's alone.
            carry[of_sequence + unit] = d * z;
        }
        workgroupBarrier();
        for (var unit = local; unit < hidden; unit += WORKGROUP) {
            var sum = carry[of_sequence + unit];
            for (var gate = 0u; gate < 3u * hidden; gate++) {
                sum += held[gate] * dense[weights + gate * hidden + unit];
            }
            carry[of_sequence + unit] = sum;
        }
        workgroupBarrier();
    }
}

@compute @workgroup_size(WORKGROUP)
fn gru(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    // Workgroups beyond the last have no times.
    let number = min(group / 2u, params.count - 1u);
    let way = group % 2u;
    let sequence = sequences[number];
    let end = select(0u, min(params.end, sequence.y), group / 2u < params.count);
    if params.back == 1u {
        backward(number, sequence, way, end, local);
    } else {
        forward(sequence, way, end, local);
    }
}
