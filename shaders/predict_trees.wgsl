// Raw margins: the leaf that each row reaches in each tree, summed as pairs of float32.
// Twin: kernels/src/predict_trees.rs
//
// One invocation owns one row and one output.

struct Params {
    blocks: u32,
    columns: u32,
    outputs: u32,
    first: u32,
    lists: u32,
    zero: u32,
}

struct List {
    first: u32,
    end: u32,
    output: u32,
}

struct Node {
    test: u32,
    // A leaf: the value as a pair.
    bound: u32,
    left: u32,
    right: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lists: array<List>;
@group(0) @binding(2) var<storage, read> roots: array<u32>;
@group(0) @binding(3) var<storage, read> nodes: array<Node>;
@group(0) @binding(4) var<storage, read> sets: array<u32>;
@group(0) @binding(5) var<storage, read> cells: array<u32>;
@group(0) @binding(6) var<storage, read_write> high: array<f32>;
@group(0) @binding(7) var<storage, read_write> low: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn predict_trees(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    let tiles = params.blocks * ROWS / WORKGROUP;
    if group >= tiles * params.lists {
        return;
    }
    let list = lists[params.first + group / tiles];
    let row = group % tiles * WORKGROUP + local;
    let block = row / ROWS;
    let in_block = row % ROWS;
    let column_0 = block * params.columns * ROWS + in_block;
    let at = (block * params.outputs + list.output) * ROWS + in_block;

    var sum = Sum(high[at], low[at]);
    for (var tree = list.first; tree < list.end; tree++) {
        var n = roots[tree];
        var node = nodes[n];
        while (node.test & LAST) == 0u {
            let cell = cells[column_0 + (node.test & COLUMN) * ROWS];
            n = select(node.right, node.left, goes_left(node.test, node.bound, cell));
            node = nodes[n];
        }
        sum = add(sum, bitcast<f32>(node.bound));
        sum = add(sum, bitcast<f32>(node.left));
    }
    high[at] = sum.high;
    low[at] = sum.low;
}
