// Interventional interactions of the pairs of features, one background row after the other.
// Twin: kernels/src/tree_pairs_interactions.rs
//
// See common/pair_walks.wgsl: the cells are those of the pairs of features, which are numbered (0, 1),
// (0, 2), (1, 2), (0, 3), ... by the features' numbers in the segment.

// To each pair of features: both follow the row alone, both the background row, one each.
alias Given = vec3<f32>;

fn given_by(k: u32, t: u32) -> Given {
    let before_k = max(k, 1u) - 1u;
    let before_t = max(t, 1u) - 1u;
    // Where no pair is of a kind, its number is not read.
    return 0.5 * Given(share(before_k, t), share(before_t, k), share(k, before_t));
}

fn output_cells() -> u32 {
    return params.features * (params.features - 1u) / 2u;
}

fn named_cells() -> u32 {
    return params.names * (params.names - 1u) / 2u;
}

// The place of the features of two numbers among all pairs of features.
fn cell_of(pair: u32) -> u32 {
    var upper = 1u;
    var lower = pair;
    while lower >= upper {
        lower -= upper;
        upper++;
    }
    let one = members[params.named + lower];
    let other = members[params.named + upper];
    let i = min(one, other);
    return i * (2u * params.features - i - 1u) / 2u + max(one, other) - i - 1u;
}

// Gives to the pairs of the feature of a parting with those of the partings above it, by whom these
// follow.
fn give(above: u32, behind: vec2<u32>, given: Given, first_pair: u32, local: u32) {
    let feature = partings[above].place / PARTINGS;
    let first = partings[above].given;
    for (var d = 0u; d < above; d++) {
        let place = partings[d].place;
        let other = place / PARTINGS;
        let upper = max(feature, other);
        let i = upper * (upper - 1u) / 2u + min(feature, other) - first_pair;
        // Pairs before the tile wrap around to numbers beyond it.
        if i < SUMS / WORKGROUP {
            let follows_background = has(behind, only(place % PARTINGS));
            let value = select(first.x - given.z, given.y - first.z, follows_background);
            sums[place_of(i, local)] += value;
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn tree_pairs_interactions(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    walk_all(group_number(id, count), local);
}
