// Convolutions and layers of neurons: sums over channels and over positions that a kernel links.
// Twin: kernels/src/convolution.rs
//
// One invocation owns eight output channels at a position, in four lanes: of the 16 bytes of x that it reads, and of
// 32 bytes of weights, which its whole workgroup reads, it makes 32 products. Of up to four channels that are left, it
// makes no more than 16. All channels and positions of some lanes come before the next lanes, so that a cache still has
// what they read.

struct Params {
    // Lanes by fours: all of them, and those that go together.
    quads: u32,
    chunk: u32,
    groups: u32,
    // Output channels of a group by eights, output channels and input channels of a group.
    blocks: u32,
    outputs: u32,
    inputs: u32,
    // Positions of the kernel, and output positions.
    kernels: u32,
    positions: u32,
    // Cells from a channel, and from a position, to the next: of what is read, and of what is written.
    from_channel: u32,
    from_position: u32,
    to_channel: u32,
    to_position: u32,
    // The input channels of the launch.
    begin: u32,
    end: u32,
    // 1 to add to what is there, without the biases.
    adds: u32,
}

const CHANNELS: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
// Of position p: the taps from offsets[p] on.
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
// Input position, and position in the kernel.
@group(0) @binding(2) var<storage, read> taps: array<vec2<u32>>;
// (group, block, kernel, input channel, output channel of the block).
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
// (group, block, output channel of the block).
@group(0) @binding(4) var<storage, read> biases: array<vec4<f32>>;
// (cell, lane).
@group(0) @binding(5) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

fn put(group: u32, channel: u32, position: u32, quad: u32, sum: vec4<f32>, bias: f32) {
    if channel >= params.outputs {
        return;
    }
    let row = (group * params.outputs + channel) * params.to_channel;
    let at = (row + position * params.to_position) * params.quads + quad;
    if params.adds == 1u {
        y[at] += sum;
    } else {
        y[at] = sum + bias;
    }
}

@compute @workgroup_size(WORKGROUP)
fn convolution(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let rest = number / params.chunk;
    let block = rest % params.blocks;
    let group = rest / params.blocks % params.groups;
    let place = rest / params.blocks / params.groups;
    let position = place % params.positions;
    let quad = place / params.positions * params.chunk + number % params.chunk;
    if quad >= params.quads {
        return;
    }
    let own = group * params.blocks + block;
    let step = params.from_channel * params.quads;
    var sum_0 = vec4<f32>(0.0);
    var sum_1 = vec4<f32>(0.0);
    var sum_2 = vec4<f32>(0.0);
    var sum_3 = vec4<f32>(0.0);
    var sum_4 = vec4<f32>(0.0);
    var sum_5 = vec4<f32>(0.0);
    var sum_6 = vec4<f32>(0.0);
    var sum_7 = vec4<f32>(0.0);
    for (var tap = offsets[position]; tap < offsets[position + 1u]; tap++) {
        let link = taps[tap];
        let first = (group * params.inputs + params.begin) * params.from_channel;
        var at = (first + link.x * params.from_position) * params.quads + quad;
        var weight = ((own * params.kernels + link.y) * params.inputs + params.begin) * 2u;
        if params.outputs - block * CHANNELS <= CHANNELS / 2u {
            for (var channel = params.begin; channel < params.end; channel++) {
                let cells = x[at];
                let low = weights[weight];
                sum_0 += low.x * cells;
                sum_1 += low.y * cells;
                sum_2 += low.z * cells;
                sum_3 += low.w * cells;
                at += step;
                weight += 2u;
            }
            continue;
        }
        for (var channel = params.begin; channel < params.end; channel++) {
            let cells = x[at];
            let low = weights[weight];
            let high = weights[weight + 1u];
            sum_0 += low.x * cells;
            sum_1 += low.y * cells;
            sum_2 += low.z * cells;
            sum_3 += low.w * cells;
            sum_4 += high.x * cells;
            sum_5 += high.y * cells;
            sum_6 += high.z * cells;
            sum_7 += high.w * cells;
            at += step;
            weight += 2u;
        }
    }
    let channel = block * CHANNELS;
    let low = biases[own * 2u];
    let high = biases[own * 2u + 1u];
    put(group, channel, position, quad, sum_0, low.x);
    put(group, channel + 1u, position, quad, sum_1, low.y);
    put(group, channel + 2u, position, quad, sum_2, low.z);
    put(group, channel + 3u, position, quad, sum_3, low.w);
    put(group, channel + 4u, position, quad, sum_4, high.x);
    put(group, channel + 5u, position, quad, sum_5, high.y);
    put(group, channel + 6u, position, quad, sum_6, high.z);
    put(group, channel + 7u, position, quad, sum_7, high.w);
}
