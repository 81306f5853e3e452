// Path-dependent Shapley values of trees of any depth, by quadrature over the paths to the leaves.
// Twin: kernels/src/tree_quadrature.rs
//
// See common/leaf_sums.wgsl. A leaf's path is a list of its distinct features, each with the conditions
// that a row has to meet and the merged cover fraction z. With A_e(z) = z (1 - u) + e u, P = value *
// product of A over the features, and the sums over the points u of a Gauss-Legendre rule:
//
//     met:    (1 - z) * sum of weight * P / A_1(z)
//     unmet:       -    sum of weight * P / (1 - u)
//
// The CPU walks the tree instead and shares the products of common paths; here a path needs no
// stack, so nothing limits depth or number of features.

@group(0) @binding(2) var<storage, read> leaves: array<Leaf>;
@group(0) @binding(4) var<storage, read> rules: array<Points>;

// Features whose conditions are remembered; those beyond are evaluated again.
const REMEMBERED: u32 = 32u;

fn add_leaf(l: u32, column_0: u32, first_feature: u32, end_feature: u32, local: u32) {
    let leaf = leaves[l];
    var met = 0u;
    for (var chunk = 0u; chunk < leaf.chunks; chunk++) {
        let points = rules[leaf.rule + chunk];
        var product = points.weight * leaf.value;
        var k = 0u;
        var met_so_far = true;
        for (var i = leaf.first; i < leaf.end; i++) {
            let condition = conditions[i];
            let is_remembered = k < REMEMBERED && chunk > 0u;
            if !is_remembered {
                let cell = cells[column_0 + (condition.test & COLUMN) * ROWS];
                met_so_far = met_so_far && is_met(condition, cell);
            }
            if (condition.test & LAST) != 0u {
                if is_remembered {
                    met_so_far = ((met >> k) & 1u) == 1u;
                } else if k < REMEMBERED {
                    met |= select(0u, 1u, met_so_far) << k;
                }
                product *= condition.z * points.rest
                    + select(vec4<f32>(0.0), points.u, met_so_far);
                met_so_far = true;
                k++;
            }
        }
        let unmet = -dot(product / points.rest, vec4<f32>(1.0));
        k = 0u;
        for (var i = leaf.first; i < leaf.end; i++) {
            let condition = conditions[i];
            if k >= REMEMBERED {
                let cell = cells[column_0 + (condition.test & COLUMN) * ROWS];
                met_so_far = met_so_far && is_met(condition, cell);
            }
            if (condition.test & LAST) == 0u {
                continue;
            }
            if k < REMEMBERED {
                met_so_far = ((met >> k) & 1u) == 1u;
            }
            if condition.feature >= first_feature && condition.feature < end_feature {
                var value = unmet;
                if met_so_far {
                    let factor = condition.z * points.rest + points.u;
                    value = (1.0 - condition.z) * dot(product / factor, vec4<f32>(1.0));
                }
                sums[(condition.feature - first_feature) * WORKGROUP + local] += value;
            }
            met_so_far = true;
            k++;
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn tree_quadrature(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    add_all(group_number(id, count), local);
}
