// Weighted sums of cells by lists: what layouts, padding, averages and interpolation are.
// Twin: kernels/src/gather.rs
//
// One invocation owns one lane of one target.

struct Params {
    targets: u32,
    // Numbers from one cell to the next: all lanes.
    stride: u32,
    // 1 where sources have weights.
    weighted: u32,
    // What sums begin with, as bits.
    start: u32,
    // 1 to add to what is there.
    adds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// The cells that are written.
@group(0) @binding(1) var<storage, read> targets: array<u32>;
// Of target t: the sources from offsets[t] on.
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read> sources: array<u32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
// (cell, lane).
@group(0) @binding(5) var<storage, read> x: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn gather(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.targets * params.stride {
        return;
    }
    let lane = number % params.stride;
    let place = number / params.stride;
    let to = targets[place] * params.stride + lane;
    var sum = bitcast<f32>(params.start);
    if params.adds == 1u {
        sum += y[to];
    }
    for (var k = offsets[place]; k < offsets[place + 1u]; k++) {
        let cell = x[sources[k] * params.stride + lane];
        if params.weighted == 1u {
            sum += weights[k] * cell;
        } else {
            sum += cell;
        }
    }
    y[to] = sum;
}
