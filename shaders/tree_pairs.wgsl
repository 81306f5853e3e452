// Interventional Shapley values of trees of any shape, one background row after the other.
// Twin: kernels/src/tree_pairs.rs
//
// See common/pair_walks.wgsl: the cells are those of the features.

// To each feature that follows the row alone, and to each that follows the background row alone.
alias Given = vec2<f32>;

fn given_by(k: u32, t: u32) -> Given {
    return Given(share(k, t), share(t, k));
}

fn output_cells() -> u32 {
    return params.features;
}

fn named_cells() -> u32 {
    return params.names;
}

fn cell_of(name: u32) -> u32 {
    return members[params.named + name];
}

// Gives to the feature of a parting, which comes after `above` others.
fn give(above: u32, behind: vec2<u32>, given: Given, first_feature: u32, local: u32) {
    let i = partings[above].place / PARTINGS - first_feature;
    // Features before the tile wrap around to numbers beyond it.
    if i < SUMS / WORKGROUP {
        sums[place_of(i, local)] += partings[above].given.x - given.y;
    }
}

@compute @workgroup_size(WORKGROUP)
fn tree_pairs(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    walk_all(group_number(id, count), local);
}
