// Mean answers of coalitions for models whose margins are sums over players: their margins.
// Twin: kernels/src/linear.rs
//
// One invocation owns one margin of one row beside one background row in one coalition.

struct Params {
    rows: u32,
    others: u32,
    machines: u32,
    coalitions: u32,
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// (row, machine, number, coalition), of pairs.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
// (row, background row, machine, coalition).
@group(0) @binding(3) var<storage, read_write> margins: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn linear(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let pairs = params.rows * params.others;
    if number >= pairs * params.machines * params.coalitions {
        return;
    }
    let c = number % params.coalitions;
    let machine = number / params.coalitions % params.machines;
    let pair = number / params.coalitions / params.machines;
    let own = (pair / params.others * params.machines + machine) * 2u * params.coalitions + c;
    let other = (pair % params.others * params.machines + machine) * 2u * params.coalitions + c;
    var sum = add(Sum(x[own], x[own + params.coalitions]), y[other]);
    sum = add(sum, y[other + params.coalitions]);
    margins[number] = sum.high + sum.low;
}
