// Units of rows that are divided by their norm.
// Twin: kernels/src/normalised_units.rs
//
// One invocation owns one unit of one row beside one background row in one coalition.

struct Params {
    rows: u32,
    others: u32,
    // Units that are made: one less than there are.
    units: u32,
    coalitions: u32,
    // Numbers of a unit: 2 where it is a pair.
    width: u32,
    // 1 where the norm is the root of its sum.
    root: u32,
    // The bits of what is added to each unit as well, but for a row of zeros.
    shift: u32,
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// (row, unit, number, coalition); the sum of the norm is the last unit.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
// (unit, number).
@group(0) @binding(3) var<storage, read> start: array<f32>;
// (row, background row, unit, number, coalition).
@group(0) @binding(4) var<storage, read_write> made: array<f32>;

fn sum_of(pair: u32, unit: u32, c: u32) -> f32 {
    let units = params.units + 1u;
    let own = (pair / params.others * units + unit) * params.width * params.coalitions + c;
    let other = (pair % params.others * units + unit) * params.width * params.coalitions + c;
    if params.width == 1u {
        return x[own] + y[other];
    }
    var sum = add(Sum(x[own], x[own + params.coalitions]), y[other]);
    sum = add(sum, y[other + params.coalitions]);
    return sum.high + sum.low;
}

@compute @workgroup_size(WORKGROUP)
fn normalised_units(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.rows * params.others * params.units * params.coalitions {
        return;
    }
    let c = number % params.coalitions;
    let unit = number / params.coalitions % params.units;
    let pair = number / params.coalitions / params.units;
    var norm = sum_of(pair, params.units, c);
    if params.root == 1u {
        norm = sqrt(norm);
    }
    var scaled = sum_of(pair, unit, c);
    // A row of zeros stays as it is.
    if norm != 0.0 {
        scaled = scaled / norm + bitcast<f32>(params.shift);
    }
    let to = (pair * params.units + unit) * params.width * params.coalitions + c;
    if params.width == 1u {
        made[to] = scaled + start[unit];
        return;
    }
    let sum = add(Sum(start[2u * unit], start[2u * unit + 1u]), scaled);
    made[to] = sum.high;
    made[to + params.coalitions] = sum.low;
}
