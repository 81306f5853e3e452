// Shapley values of sums of products, exactly: a part of the products for a player each.
// Twin: kernels/src/product_games.rs
//
// One workgroup owns one machine and as many players as it has invocations, of one row beside some pairs of a
// background row and a support vector. At four points at a time, each invocation makes the product of all players
// for one of as many pairs; each then takes its own player out of all of them, by division: what a player adds to
// a product is less than the product over a point, so that a product that is lost in the range of float32 is none
// that matters.

struct Params {
    rows: u32,
    // Pairs of a background row and a support vector, and those of a workgroup.
    pairs: u32,
    of_part: u32,
    units: u32,
    players: u32,
    machines: u32,
    // Points at most, by fours.
    points: u32,
    zero: u32,
}

// As many as invocations, or more.
const PAIRS_HELD: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
// What terms lack to 1: (row, support vector, player).
@group(0) @binding(1) var<storage, read> x: array<f32>;
// (background row, support vector, player).
@group(0) @binding(2) var<storage, read> y: array<f32>;
// (row, machine, support vector).
@group(0) @binding(3) var<storage, read> coefficients: array<f32>;
// By background row.
@group(0) @binding(4) var<storage, read> weights: array<f32>;
// (row, support vector): the first of its points, and the end of them.
@group(0) @binding(5) var<storage, read> rules: array<vec2<u32>>;
@group(0) @binding(6) var<storage, read> points: array<Points>;
// (row, machine, part, player), as pairs.
@group(0) @binding(7) var<storage, read_write> values: array<vec2<f32>>;

// By pair.
var<workgroup> products: array<vec4<f32>, PAIRS_HELD>;
var<workgroup> of_pairs: array<u32, PAIRS_HELD>;

@compute @workgroup_size(WORKGROUP)
fn product_games(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tiles = (params.players + WORKGROUP - 1u) / WORKGROUP;
    let parts = (params.pairs + params.of_part - 1u) / params.of_part;
    let group = group_number(id, count);
    if group >= params.rows * params.machines * parts * tiles {
        return;
    }
    let player = group % tiles * WORKGROUP + local;
    let part = group / tiles % parts;
    let machine = group / tiles / parts % params.machines;
    let row = group / tiles / parts / params.machines;
    let x_0 = row * params.units * params.players;

    let end = min((part + 1u) * params.of_part, params.pairs);
    var value = Sum(0.0, 0.0);
    for (var first = part * params.of_part; first < end; first += WORKGROUP) {
        let pair = first + local;
        let unit = pair % params.units;
        var rule = vec2<u32>(0u);
        var weight = 0.0;
        if pair < end {
            rule = rules[row * params.units + unit];
            weight = weights[pair / params.units]
                * coefficients[(row * params.machines + machine) * params.units + unit];
        }
        for (var four = 0u; four < params.points; four++) {
            var product = vec4<f32>(0.0);
            let at = rule.x + four;
            if at < rule.y {
                let own = points[at];
                product = weight * own.weight;
                for (var k = 0u; k < params.players; k++) {
                    let lack = y[pair * params.players + k];
                    let apart = lack - x[x_0 + unit * params.players + k];
                    product *= (1.0 - lack) + own.u * apart;
                }
            }
            products[local] = product;
            of_pairs[local] = at;
            workgroupBarrier();
            var sum = 0.0;
            if player < params.players {
                for (var i = 0u; i < min(end - first, WORKGROUP); i++) {
                    let product = products[i];
                    if all(product == vec4<f32>(0.0)) {
                        continue;
                    }
                    let other = points[of_pairs[i]];
                    let lack = y[(first + i) * params.players + player];
                    let apart = lack - x[x_0 + (first + i) % params.units * params.players + player];
                    let factor = (1.0 - lack) + other.u * apart;
                    let rest = select(product / factor, vec4<f32>(0.0), factor == vec4<f32>(0.0));
                    sum += apart * (rest.x + rest.y + rest.z + rest.w);
                }
            }
            value = add(value, sum);
            workgroupBarrier();
        }
    }
    if player < params.players {
        let to = ((row * params.machines + machine) * parts + part) * params.players + player;
        values[to] = vec2<f32>(value.high, value.low);
    }
}
