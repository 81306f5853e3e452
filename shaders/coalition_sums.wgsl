// What coalitions make of terms: for every unit of a model, the sum or the product of those of the members.
// Twin: kernels/src/coalition_sums.rs
//
// One workgroup owns one unit of one row. It combines the terms of every four players, in all ways; its
// invocations then take a coalition each, again and again.

struct Params {
    // The rows of this launch, of all that there are terms of.
    first_row: u32,
    rows: u32,
    units: u32,
    players: u32,
    // The coalitions of this launch, of all that the masks hold.
    first: u32,
    coalitions: u32,
    all: u32,
    // 1 for products, else sums.
    product: u32,
    // 1 for the terms of those who are no members.
    outside: u32,
    // Numbers of a term: 2 where it is a pair, of which there are sums alone.
    width: u32,
    zero: u32,
}

// Players whose terms are combined beforehand, and the sets of them.
const TOGETHER: u32 = 4u;
const SETS: u32 = 16u;
// Players that a workgroup has the sets of, and the sets.
const HELD: u32 = 256u;
const SETS_HELD: u32 = 1024u;

@group(0) @binding(0) var<uniform> params: Params;
// (row, player, unit), of `width` numbers each.
@group(0) @binding(1) var<storage, read> terms: array<f32>;
// (row, unit): what all coalitions begin with.
@group(0) @binding(2) var<storage, read> start: array<f32>;
// (word, coalition).
@group(0) @binding(3) var<storage, read> masks: array<u32>;
// (row, unit, number, coalition).
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

var<workgroup> high: array<f32, SETS_HELD>;
var<workgroup> low: array<f32, SETS_HELD>;

fn combine(row: u32, unit: u32, players: u32, s: u32) -> Sum {
    var sum = Sum(select(0.0, 1.0, params.product == 1u), 0.0);
    for (var k = 0u; k < TOGETHER; k++) {
        let player = players + k;
        if ((s >> k) & 1u) == 1u && player < params.players {
            let at = ((row * params.players + player) * params.units + unit) * params.width;
            if params.product == 1u {
                sum.high *= terms[at];
            } else if params.width == 1u {
                sum.high += terms[at];
            } else {
                sum = add(add(sum, terms[at]), terms[at + 1u]);
            }
        }
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn coalition_sums(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    if group >= params.rows * params.units {
        return;
    }
    let row = params.first_row + group / params.units;
    let unit = group % params.units;
    let flip = select(0u, 0xffffffffu, params.outside == 1u);
    let to = group * params.width * params.coalitions;
    // At least once, for players or none.
    for (var held = 0u; held < max(params.players, 1u); held += HELD) {
        let players = min(params.players - held, HELD);
        let groups = (players + TOGETHER - 1u) / TOGETHER;
        for (var i = local; i < groups * SETS; i += WORKGROUP) {
            let sum = combine(row, unit, held + i / SETS * TOGETHER, i % SETS);
            high[i] = sum.high;
            low[i] = sum.low;
        }
        workgroupBarrier();
        for (var c = local; c < params.coalitions; c += WORKGROUP) {
            let origin = (row * params.units + unit) * params.width;
            var sum = Sum(start[origin], 0.0);
            if held > 0u {
                sum.high = sums[to + c];
            }
            if params.width == 2u {
                sum.low = select(start[origin + 1u], sums[to + params.coalitions + c], held > 0u);
            }
            var word = 0u;
            for (var i = 0u; i < groups; i++) {
                let place = held + i * TOGETHER;
                if place % 32u == 0u {
                    word = masks[place / 32u * params.all + params.first + c] ^ flip;
                }
                let at = i * SETS + ((word >> (place % 32u)) & (SETS - 1u));
                if params.product == 1u {
                    sum.high *= high[at];
                } else if params.width == 1u {
                    sum.high += high[at];
                } else {
                    sum = add(add(sum, high[at]), low[at]);
                }
            }
            sums[to + c] = sum.high;
            if params.width == 2u {
                sums[to + params.coalitions + c] = sum.low;
            }
        }
        workgroupBarrier();
    }
}
