// Which side of each test every row takes, packed into one decision pattern per group of leaves.
// Twin: kernels/src/tree_patterns.rs
//
// One invocation owns four rows of one tree. The groups of a tree come in the order of its leaves,
// and the bits of a pattern in the order of the path, so the pattern under way shares its low bits
// with the next group: one register holds it.

struct Params {
    blocks: u32,
    columns: u32,
    trees: u32,
    groups: u32,
    zero: u32,
}

struct Tree {
    first: u32,
    group: u32,
}

struct Op {
    test: u32,
    bound: u32,
    // Position of the bit; NO_BIT where nothing is tested.
    bit: u32,
    // Bits of the group that ends here, or 0.
    mask: u32,
}

const NO_BIT: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> trees: array<Tree>;
@group(0) @binding(2) var<storage, read> ops: array<Op>;
@group(0) @binding(3) var<storage, read> sets: array<u32>;
@group(0) @binding(4) var<storage, read> cells: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> patterns: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn tree_patterns(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group_0 = group_number(id, count);
    let tiles = params.blocks * QUADS / WORKGROUP;
    if group_0 >= tiles * params.trees {
        return;
    }
    let tree = trees[group_0 / tiles];
    let end = trees[group_0 / tiles + 1u].first;
    let quad = group_0 % tiles * WORKGROUP + local;
    let block = quad / QUADS;
    let in_block = quad % QUADS;
    let column_0 = block * params.columns * QUADS + in_block;
    var at = (block * params.groups + tree.group) * QUADS + in_block;

    var pattern = vec4<u32>(0u);
    for (var i = tree.first; i < end; i++) {
        let op = ops[i];
        if op.bit < NO_BIT {
            let quads = cells[column_0 + (op.test & COLUMN) * QUADS];
            let left = select(vec4<u32>(0u), vec4<u32>(1u), goes_left_4(op.test, op.bound, quads));
            let known = vec4<u32>((1u << op.bit) - 1u);
            pattern = (pattern & known) | (left << vec4<u32>(op.bit));
        }
        if op.mask != 0u {
            let done = pattern & vec4<u32>(op.mask);
            patterns[at] = done.x | (done.y << 8u) | (done.z << 16u) | (done.w << 24u);
            at += QUADS;
        }
    }
}
