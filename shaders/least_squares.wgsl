// Shapley values as the solution of a least squares problem over pairs of coalitions, and their standard errors.
// Twin: kernels/src/least_squares.rs
//
// One workgroup owns one game, of a row and an output. Its invocations take pairs, then players, in turns.

struct Params {
    // Games, of which the first is that of all.
    first: u32,
    games: u32,
    players: u32,
    pairs: u32,
    // Pairs that stand for others.
    drawn: u32,
    coalitions: u32,
    zero: u32,
}

const MOST_PLAYERS: u32 = 1024u;

@group(0) @binding(0) var<uniform> params: Params;
// (word, coalition); a pair is a coalition and the next, its complement.
@group(0) @binding(1) var<storage, read> masks: array<u32>;
// By game, as a pair of numbers: what all players are worth more than none.
@group(0) @binding(2) var<storage, read> totals: array<vec2<f32>>;
// By pair: its weight, and the part of the players that are members.
@group(0) @binding(3) var<storage, read> weights: array<vec2<f32>>;
// (player, player); symmetric.
@group(0) @binding(4) var<storage, read> inverse: array<f32>;
@group(0) @binding(5) var<storage, read> drawn: array<u32>;
// (pair that was drawn, player).
@group(0) @binding(6) var<storage, read> spreads: array<f32>;
// (game, number, coalition), of pairs of numbers. A pair's gain takes the place of its coalition's worth, and its
// residual that of the complement's.
@group(0) @binding(7) var<storage, read_write> worths: array<f32>;
// (game, slope or error, player).
@group(0) @binding(8) var<storage, read_write> solved: array<f32>;

var<workgroup> right: array<f32, MOST_PLAYERS>;
var<workgroup> slopes: array<f32, MOST_PLAYERS>;

fn gain(game: u32, pair: u32) -> f32 {
    let high = game * 2u * params.coalitions + 2u * pair;
    let low = high + params.coalitions;
    let even = 2.0 * weights[pair].y - 1.0;
    var sum = add(Sum(worths[high], worths[low]), -worths[high + 1u]);
    sum = add(sum, -worths[low + 1u]);
    sum = add(sum, -even * totals[game].x);
    sum = add(sum, -even * totals[game].y);
    return 0.5 * (sum.high + sum.low);
}

// What the members of a pair that the players' word has make of slopes.
fn sum_of(word: u32, first: u32) -> f32 {
    var sum = 0.0;
    for (var left = word; left != 0u; left &= left - 1u) {
        sum += slopes[first + countTrailingZeros(left)];
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn least_squares(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    if group >= params.games {
        return;
    }
    let game = params.first + group;
    let place = game * 2u * params.coalitions;
    for (var pair = local; pair < params.pairs; pair += WORKGROUP) {
        worths[place + 2u * pair] = gain(game, pair);
    }
    storageBarrier();
    workgroupBarrier();
    for (var player = local; player < params.players; player += WORKGROUP) {
        let word = player / 32u * params.coalitions;
        var sum = Sum(0.0, 0.0);
        for (var pair = 0u; pair < params.pairs; pair++) {
            let of_pair = weights[pair];
            let is_in = f32(masks[word + 2u * pair] >> (player % 32u) & 1u);
            sum = add(sum, of_pair.x * worths[place + 2u * pair] * (is_in - of_pair.y));
        }
        right[player] = sum.high + sum.low;
    }
    workgroupBarrier();
    for (var player = local; player < params.players; player += WORKGROUP) {
        var sum = Sum(0.0, 0.0);
        for (var other = 0u; other < params.players; other++) {
            sum = add(sum, inverse[other * params.players + player] * right[other]);
        }
        slopes[player] = sum.high + sum.low;
    }
    workgroupBarrier();
    var all = 0.0;
    for (var player = 0u; player < params.players; player++) {
        all += slopes[player];
    }
    for (var at = local; at < params.drawn; at += WORKGROUP) {
        let pair = drawn[at];
        var sum = -weights[pair].y * all;
        for (var first = 0u; first < params.players; first += 32u) {
            sum += sum_of(masks[first / 32u * params.coalitions + 2u * pair], first);
        }
        worths[place + 2u * pair + 1u] = worths[place + 2u * pair] - sum;
    }
    storageBarrier();
    workgroupBarrier();
    for (var player = local; player < params.players; player += WORKGROUP) {
        // The root of the sum of squares, which may leave the range where the numbers do not.
        var scale = 0.0;
        var sum = 0.0;
        for (var at = 0u; at < params.drawn; at++) {
            let residual = worths[place + 2u * drawn[at] + 1u];
            let part = abs(spreads[at * params.players + player] * residual);
            if part > scale {
                sum = 1.0 + sum * (scale / part) * (scale / part);
                scale = part;
            } else if part > 0.0 {
                sum += (part / scale) * (part / scale);
            }
        }
        let to = game * 2u * params.players + player;
        solved[to] = slopes[player];
        solved[to + params.players] = scale * sqrt(sum);
    }
}
