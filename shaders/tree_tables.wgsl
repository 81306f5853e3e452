// Shapley values of shallow trees, read from tables of decision patterns.
// Twin: kernels/src/tree_tables.rs
//
// One invocation owns four rows of one value cell (a feature of an output) and goes through the
// cell's slots: the groups whose leaves split on the feature, each with the feature's lane of the
// group's table laid out by itself. A few groups share a plain partial sum.

struct Params {
    blocks: u32,
    groups: u32,
    cells: u32,
    first: u32,
    lists: u32,
    zero: u32,
}

struct List {
    first: u32,
    end: u32,
    cell: u32,
}

struct Slot {
    // Number of the group; LAST where the partial sum ends.
    group: u32,
    table: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lists: array<List>;
@group(0) @binding(2) var<storage, read> slots: array<Slot>;
@group(0) @binding(3) var<storage, read> tables: array<f32>;
@group(0) @binding(4) var<storage, read> patterns: array<u32>;
@group(0) @binding(5) var<storage, read_write> high: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> low: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn tree_tables(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_number(id, count);
    let tiles = params.blocks * QUADS / WORKGROUP;
    if group >= tiles * params.lists {
        return;
    }
    let list = lists[params.first + group / tiles];
    let quad = group % tiles * WORKGROUP + local;
    let block = quad / QUADS;
    let in_block = quad % QUADS;
    let pattern_0 = block * params.groups * QUADS + in_block;
    let at = (block * params.cells + list.cell) * QUADS + in_block;

    var sum = Sum4(high[at], low[at]);
    var partial = vec4<f32>(0.0);
    for (var i = list.first; i < list.end; i++) {
        let slot = slots[i];
        let word = patterns[pattern_0 + (slot.group & ~LAST) * QUADS];
        partial += vec4<f32>(
            tables[slot.table + (word & 255u)],
            tables[slot.table + ((word >> 8u) & 255u)],
            tables[slot.table + ((word >> 16u) & 255u)],
            tables[slot.table + (word >> 24u)],
        );
        if (slot.group & LAST) != 0u {
            sum = add_4(sum, partial);
            partial = vec4<f32>(0.0);
        }
    }
    high[at] = sum.high;
    low[at] = sum.low;
}
