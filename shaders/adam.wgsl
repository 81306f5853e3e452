// Adam (Kingma & Ba 2015): steps that each weight's own gradients scale.
// Twin: kernels/src/adam.rs
//
// One invocation owns a weight; for the norm, a run of gradients, and then the first one all runs.

struct Params {
    // What to do: 0 to square runs of gradients, 1 to add the squares up to a scale, 2 to take a step.
    part: u32,
    // Gradients, and where the first is.
    count: u32,
    start: u32,
    // Of vectors of words: the numbers of one, else 0; and where their words begin.
    width: u32,
    words: u32,
    // The norm that all gradients have at most, the rate, and what is added to roots, as bits.
    clip: u32,
    rate: u32,
    epsilon: u32,
}

const NORM_RUN: u32 = 256u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> first: array<f32>;
@group(0) @binding(5) var<storage, read_write> second: array<f32>;
// What gradients are multiplied by, then the squares of the runs.
@group(0) @binding(6) var<storage, read_write> norms: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn adam(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let runs = (params.count + NORM_RUN - 1u) / NORM_RUN;
    if params.part == 0u {
        if number < runs {
            var sum = 0.0;
            let end = min((number + 1u) * NORM_RUN, params.count);
            for (var i = number * NORM_RUN; i < end; i++) {
                sum += gradients[i] * gradients[i];
            }
            norms[1u + number] = sum;
        }
        return;
    }
    if params.part == 1u {
        if number == 0u {
            var sum = 0.0;
            for (var run = 0u; run < runs; run++) {
                sum += norms[1u + run];
            }
            let norm = root(sum);
            let clip = bitcast<f32>(params.clip);
            var scale = 1.0;
            if norm > clip {
                scale = clip / norm;
            }
            norms[0] = scale;
        }
        return;
    }
    if number >= params.count {
        return;
    }
    var at = number;
    if params.width > 0u {
        at = places[params.words + number / params.width] * params.width + number % params.width;
    }
    let gradient = norms[0] * gradients[params.start + number];
    let m = 0.9 * first[at] + (1.0 - 0.9) * gradient;
    let v = 0.999 * second[at] + (1.0 - 0.999) * gradient * gradient;
    first[at] = m;
    second[at] = v;
    weights[at] -= bitcast<f32>(params.rate) * m / (root(v) + bitcast<f32>(params.epsilon));
}
