// Losses of a surrogate against its teacher, and what they ask of its outputs.
// Twin: kernels/src/loss.rs
//
// One invocation owns a document; then the first one adds up the losses.

struct Params {
    documents: u32,
    outputs: u32,
    // 1 for squares, else the cross-entropy of softmax.
    squares: u32,
    // 1 to add up the losses, to this place.
    adds_up: u32,
    place: u32,
    // Where the batch's shares begin among the targets.
    shares: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// (document, output), then by document.
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> outputs: array<f32>;
// By document, and by batch.
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

fn squares(first: u32, share: f32) -> f32 {
    let scale = share / f32(params.outputs);
    var loss = 0.0;
    for (var i = first; i < first + params.outputs; i++) {
        let difference = outputs[i] - targets[i];
        loss += scale * difference * difference;
        outputs[i] = 2.0 * scale * difference;
    }
    return loss;
}

fn cross_entropy(first: u32, share: f32) -> f32 {
    let end = first + params.outputs;
    var most = outputs[first];
    for (var i = first; i < end; i++) {
        most = max(most, outputs[i]);
    }
    var sum = 0.0;
    var mass = 0.0;
    for (var i = first; i < end; i++) {
        sum += power_of_e(outputs[i] - most);
        mass += targets[i];
    }
    let log_sum = logarithm(sum);
    var loss = 0.0;
    for (var i = first; i < end; i++) {
        let shifted = outputs[i] - most;
        loss -= share * targets[i] * (shifted - log_sum);
        outputs[i] = share * (mass * power_of_e(shifted) / sum - targets[i]);
    }
    return loss;
}

@compute @workgroup_size(WORKGROUP)
fn loss(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if params.adds_up == 1u {
        if number == 0u {
            var sum = 0.0;
            for (var i = 0u; i < params.documents; i++) {
                sum += losses[i];
            }
            sums[params.place] = sum;
        }
        return;
    }
    if number >= params.documents {
        return;
    }
    let share = targets[params.shares + number];
    if params.squares == 1u {
        losses[number] = squares(number * params.outputs, share);
    } else {
        losses[number] = cross_entropy(number * params.outputs, share);
    }
}
