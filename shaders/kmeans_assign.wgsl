// The nearest centre of each row and its squared Euclidean distance, in float32.
// Twin: kernels/src/kmeans_assign.rs
//
// One invocation owns one row.

struct Params {
    blocks: u32,
    columns: u32,
    // Centres come in groups of four.
    first: u32,
    end: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> cells: array<f32>;
@group(0) @binding(2) var<storage, read> centres: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn kmeans_assign(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = group_number(id, count) * WORKGROUP + local;
    if row >= params.blocks * ROWS {
        return;
    }
    let column_0 = row / ROWS * params.columns * ROWS + row % ROWS;

    var best = 0u;
    // The largest float32: no distance counts as larger.
    var least = 0x1.fffffep+127f;
    if params.first > 0u {
        best = nearest[row];
        least = distances[row];
    }
    for (var group = params.first; group < params.end; group++) {
        var sums = vec4<f32>(0.0);
        for (var column = 0u; column < params.columns; column++) {
            let cell = cells[column_0 + column * ROWS];
            let difference = vec4<f32>(cell) - centres[group * params.columns + column];
            sums += difference * difference;
        }
        // In the order of the centres: ties go to the lower number.
        for (var n = 0u; n < 4u; n++) {
            if sums[n] < least {
                least = sums[n];
                best = group * 4u + n;
            }
        }
    }
    nearest[row] = best;
    distances[row] = least;
}
