// Pooling by the largest cell, and its winner rule.
// Twin: kernels/src/pooling.rs
//
// Three tasks, for a launch each. The values: one invocation owns one lane of one target. The winners: one owns one
// pair of one target. The multipliers: one owns one lane of one cell that is pooled, and goes through the targets that
// list it, so that no two write to one place.

struct Params {
    task: u32,
    // Targets, or cells.
    cells: u32,
    // Pairs, or lanes of values; background rows of a row, and the first ones of both.
    pairs: u32,
    others: u32,
    first_row: u32,
    first_other: u32,
    // Numbers from one cell to the next: of rows, of background rows, and of multipliers.
    row_stride: u32,
    other_stride: u32,
    stride: u32,
    // Outputs of the tile.
    outputs: u32,
    // 1 to add to what is there.
    adds: u32,
}

const POOL_VALUES: u32 = 0u;
const POOL_WINNERS: u32 = 1u;
const POOL_MULTIPLIERS: u32 = 2u;

@group(0) @binding(0) var<uniform> params: Params;
// Of target t: the cells that it lists, from offsets[t] on. For multipliers, the targets that list a cell.
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> sources: array<u32>;
// (cell, row), and (cell, background row): what is pooled.
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> r: array<f32>;
@group(0) @binding(5) var<storage, read> outward: array<f32>;
// (target, pair): the cell that wins, and as bits what its multiplier is of the target's.
@group(0) @binding(6) var<storage, read_write> winners: array<vec2<u32>>;
// (cell, lane).
@group(0) @binding(7) var<storage, read_write> inward: array<f32>;

fn write_values(target_cell: u32, lane: u32) {
    var cell = sources[offsets[target_cell]];
    var most = x[cell * params.stride + lane];
    for (var k = offsets[target_cell] + 1u; k < offsets[target_cell + 1u]; k++) {
        let here = x[sources[k] * params.stride + lane];
        most = select(most, here, here > most);
    }
    inward[target_cell * params.stride + lane] = most;
}

fn write_winner(target_cell: u32, pair: u32) {
    let row = row_of(pair);
    let other = other_of(pair);
    let begin = offsets[target_cell];
    // Of each side, the first of the largest cells: its place, its number, and the other side's there.
    var places = vec2<u32>(sources[begin]);
    var most = vec2<f32>(
        x[places.x * params.row_stride + row],
        r[places.x * params.other_stride + other],
    );
    var others = most.yx;
    for (var k = begin + 1u; k < offsets[target_cell + 1u]; k++) {
        let cell = sources[k];
        let here = vec2<f32>(
            x[cell * params.row_stride + row],
            r[cell * params.other_stride + other],
        );
        let wins = here > most;
        most = select(most, here, wins);
        others = select(others, here.yx, wins);
        places = select(places, vec2<u32>(cell), wins);
    }
    let is_row = most.x >= most.y;
    let own = select(most.y - others.y, most.x - others.x, is_row);
    var factor = 1.0;
    if own > 0.0 {
        factor = abs(most.x - most.y) / own;
    }
    let cell = select(places.y, places.x, is_row);
    winners[target_cell * params.pairs + pair] = vec2<u32>(cell, bitcast<u32>(factor));
}

fn write_multiplier(cell: u32, lane: u32) {
    let at = cell * params.stride + lane;
    let pair = lane % params.pairs;
    var sum = 0.0;
    if params.adds == 1u {
        sum = inward[at];
    }
    for (var k = offsets[cell]; k < offsets[cell + 1u]; k++) {
        let target_cell = sources[k];
        let winner = winners[target_cell * params.pairs + pair];
        if winner.x == cell {
            sum += outward[target_cell * params.stride + lane] * bitcast<f32>(winner.y);
        }
    }
    inward[at] = sum;
}

@compute @workgroup_size(WORKGROUP)
fn pooling(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    let lanes = params.pairs * params.outputs;
    if number >= params.cells * lanes {
        return;
    }
    let lane = number % lanes;
    let cell = number / lanes;
    switch params.task {
        case POOL_VALUES: { write_values(cell, lane); }
        case POOL_WINNERS: { write_winner(cell, lane); }
        default: { write_multiplier(cell, lane); }
    }
}
