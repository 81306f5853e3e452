// Units of rows that take a player's cells from other rows: what all other players give, joined with what the taken
// cells give.
// Twin: kernels/src/shuffled_sums.rs
//
// One invocation owns one unit of one row in the shuffles of one player.

struct Params {
    // The rows of this launch, of all that there are terms of.
    first_row: u32,
    rows: u32,
    all_rows: u32,
    units: u32,
    players: u32,
    runs: u32,
    shuffles: u32,
    // 1 for products, else sums.
    product: u32,
    // Numbers of a term: 2 where it is a pair, of which there are sums alone.
    width: u32,
    zero: u32,
}

// Shuffles of one player that follow each other.
struct Run {
    player: u32,
    first: u32,
    end: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// (row, player, unit), of `width` numbers each.
@group(0) @binding(1) var<storage, read> terms: array<f32>;
// By unit: what all rows begin with.
@group(0) @binding(2) var<storage, read> start: array<f32>;
@group(0) @binding(3) var<storage, read> runs: array<Run>;
// (shuffle, row): the row that gives its cells.
@group(0) @binding(4) var<storage, read> orders: array<u32>;
// (row, unit, number, shuffle).
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

fn join(sum: Sum, row: u32, player: u32, unit: u32) -> Sum {
    let at = ((row * params.players + player) * params.units + unit) * params.width;
    if params.product == 1u {
        return Sum(sum.high * terms[at], 0.0);
    }
    if params.width == 1u {
        return Sum(sum.high + terms[at], 0.0);
    }
    return add(add(sum, terms[at]), terms[at + 1u]);
}

@compute @workgroup_size(WORKGROUP)
fn shuffled_sums(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.rows * params.runs * params.units {
        return;
    }
    let unit = number % params.units;
    let run = runs[number / params.units % params.runs];
    let row = number / params.units / params.runs;
    let own = params.first_row + row;

    var rest = Sum(start[unit * params.width], 0.0);
    if params.width == 2u {
        rest.low = start[unit * 2u + 1u];
    }
    for (var player = 0u; player < params.players; player++) {
        if player != run.player {
            rest = join(rest, own, player, unit);
        }
    }
    let to = (row * params.units + unit) * params.width * params.shuffles;
    for (var shuffle = run.first; shuffle < run.end; shuffle++) {
        let other = orders[shuffle * params.all_rows + own];
        let sum = join(rest, other, run.player, unit);
        sums[to + shuffle] = sum.high;
        if params.width == 2u {
            sums[to + params.shuffles + shuffle] = sum.low;
        }
    }
}
