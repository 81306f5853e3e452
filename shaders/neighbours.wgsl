// Mean answers of coalitions for nearest neighbours: the mean target of the nearest training rows.
// Twin: kernels/src/neighbours.rs
//
// One invocation owns one row beside one background row in one coalition. Distances are pairs: which training row
// is nearer is not left to the rounding of float32.

struct Params {
    rows: u32,
    others: u32,
    // Training rows.
    units: u32,
    outputs: u32,
    coalitions: u32,
    neighbours: u32,
    weighting: u32,
    zero: u32,
}

const BY_INVERSE: u32 = 1u;
const BY_INVERSE_ROOT: u32 = 2u;
const MOST_NEIGHBOURS: u32 = 32u;

@group(0) @binding(0) var<uniform> params: Params;
// (row, unit, number, coalition), of pairs.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
// (unit, output).
@group(0) @binding(3) var<storage, read> targets: array<f32>;
// (row, background row, output, coalition).
@group(0) @binding(4) var<storage, read_write> margins: array<f32>;

// The nearest, and their numbers.
var<private> nearest: array<vec2<f32>, MOST_NEIGHBOURS>;
var<private> numbers: array<u32, MOST_NEIGHBOURS>;

fn is_less(a: vec2<f32>, b: vec2<f32>) -> bool {
    return a.x < b.x || (a.x == b.x && a.y < b.y);
}

fn weight(distance: vec2<f32>, any_at_0: bool) -> f32 {
    if params.weighting != BY_INVERSE && params.weighting != BY_INVERSE_ROOT {
        return 1.0;
    }
    if any_at_0 {
        return select(0.0, 1.0, distance.x == 0.0);
    }
    // In units of the nearest, lest the inverse of a small one leaves the range.
    let ratio = nearest[0].x / distance.x;
    return select(ratio, sqrt(ratio), params.weighting == BY_INVERSE_ROOT);
}

@compute @workgroup_size(WORKGROUP)
fn neighbours(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let step = params.coalitions;
    if number >= params.rows * params.others * step {
        return;
    }
    let c = number % step;
    let pair = number / step;
    var x_at = pair / params.others * params.units * 2u * step + c;
    var y_at = pair % params.others * params.units * 2u * step + c;

    var count_near = 0u;
    for (var unit = 0u; unit < params.units; unit++) {
        let sum = add(add(Sum(x[x_at], x[x_at + step]), y[y_at]), y[y_at + step]);
        let distance = vec2<f32>(sum.high, sum.low);
        x_at += 2u * step;
        y_at += 2u * step;
        if count_near == params.neighbours && !is_less(distance, nearest[count_near - 1u]) {
            continue;
        }
        // Up the list, to behind those that are no farther: ties go to the first.
        var place = min(count_near, params.neighbours - 1u);
        while place > 0u && is_less(distance, nearest[place - 1u]) {
            nearest[place] = nearest[place - 1u];
            numbers[place] = numbers[place - 1u];
            place--;
        }
        nearest[place] = distance;
        numbers[place] = unit;
        count_near = min(count_near + 1u, params.neighbours);
    }
    let any_at_0 = nearest[0].x == 0.0;
    var total = 0.0;
    for (var i = 0u; i < params.neighbours; i++) {
        total += weight(nearest[i], any_at_0);
    }
    for (var output = 0u; output < params.outputs; output++) {
        var sum = 0.0;
        for (var i = 0u; i < params.neighbours; i++) {
            sum += weight(nearest[i], any_at_0) * targets[numbers[i] * params.outputs + output];
        }
        margins[(pair * params.outputs + output) * step + c] = sum / total;
    }
}
