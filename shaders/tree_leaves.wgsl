// Interventional Shapley values of deep trees against many background rows, by a table per leaf.
// Twin: kernels/src/tree_leaves.rs
//
// See common/leaf_sums.wgsl. At each leaf an invocation finds the features whose conditions its row meets,
// and looks up what tree_leaf_tables.wgsl has computed for the set m of those that it misses:
//
//     met:    x of m - (x + y) of m and the feature      unmet:    -y of m

@group(0) @binding(2) var<storage, read> leaves: array<TableLeaf>;
@group(0) @binding(4) var<storage, read> tables: array<vec2<f32>>;

fn add_leaf(l: u32, column_0: u32, first_feature: u32, end_feature: u32, local: u32) {
    let leaf = leaves[l];
    var missed = 0u;
    var k = 0u;
    var met = true;
    for (var i = leaf.first; i < leaf.end; i++) {
        let condition = conditions[i];
        let cell = cells[column_0 + (condition.test & COLUMN) * ROWS];
        met = met && is_met(condition, cell);
        if (condition.test & LAST) != 0u {
            missed |= select(1u, 0u, met) << k;
            met = true;
            k++;
        }
    }
    let of_missed = tables[leaf.place + missed];
    k = 0u;
    for (var i = leaf.first; i < leaf.end; i++) {
        let condition = conditions[i];
        if (condition.test & LAST) == 0u {
            continue;
        }
        if condition.feature >= first_feature && condition.feature < end_feature {
            var value = -of_missed.y;
            if ((missed >> k) & 1u) == 0u {
                let more = tables[leaf.place + (missed | (1u << k))];
                value = of_missed.x - (more.x + more.y);
            }
            sums[(condition.feature - first_feature) * WORKGROUP + local] += value;
        }
        k++;
    }
}

@compute @workgroup_size(WORKGROUP)
fn tree_leaves(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    add_all(group_number(id, count), local);
}
