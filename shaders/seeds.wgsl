// The multipliers of the output: 1 for itself, 0 for the others.
// Twin: kernels/src/seeds.rs
//
// One invocation owns one lane of one output.

struct Params {
    // Outputs of the network.
    cells: u32,
    // Pairs of each output of the tile, and the first of these.
    pairs: u32,
    first: u32,
    // Numbers from one cell to the next: all lanes.
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// (cell, lane).
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn seeds(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.cells * params.stride {
        return;
    }
    let output = params.first + number % params.stride / params.pairs;
    y[number] = select(0.0, 1.0, number / params.stride == output);
}
