// Leaves that add to sums of their own, run by run.
//
// One invocation owns one row of a tile of features. The values of a segment's leaves share a plain
// partial sum, which is then added to what memory holds.
//
// A kernel that includes this declares `leaves` at binding 2 and `add_leaf`, which adds what leaf l gives
// to the partial sums of the features of a tile; its binding 4 is its own.

struct Params {
    blocks: u32,
    columns: u32,
    features: u32,
    outputs: u32,
    output: u32,
    first: u32,
    end: u32,
    tiles: u32,
    zero: u32,
}

// Leaves that share a plain partial sum.
struct Segment {
    first: u32,
    end: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> segments: array<Segment>;
@group(0) @binding(3) var<storage, read> conditions: array<Condition>;
@group(0) @binding(5) var<storage, read> sets: array<u32>;
@group(0) @binding(6) var<storage, read> cells: array<u32>;
@group(0) @binding(7) var<storage, read_write> high: array<f32>;
@group(0) @binding(8) var<storage, read_write> low: array<f32>;

// Partial sums of a workgroup: those of SUMS / WORKGROUP features.
const SUMS: u32 = 4096u;
var<workgroup> sums: array<f32, SUMS>;

// All leaves of a launch, for the rows and the tile of a workgroup.
fn add_all(group: u32, local: u32) {
    let tiles = params.blocks * ROWS / WORKGROUP;
    if group >= tiles * params.tiles {
        return;
    }
    let width = SUMS / WORKGROUP;
    let first_feature = group / tiles * width;
    let end_feature = min(first_feature + width, params.features);
    let row = group % tiles * WORKGROUP + local;
    let block = row / ROWS;
    let in_block = row % ROWS;
    let column_0 = block * params.columns * ROWS + in_block;
    let sum_0 = block * params.features * params.outputs * ROWS + in_block;

    for (var i = local; i < SUMS; i += WORKGROUP) {
        sums[i] = 0.0;
    }
    for (var s = params.first; s < params.end; s++) {
        let segment = segments[s];
        for (var l = segment.first; l < segment.end; l++) {
            add_leaf(l, column_0, first_feature, end_feature, local);
        }
        for (var feature = first_feature; feature < end_feature; feature++) {
            let i = (feature - first_feature) * WORKGROUP + local;
            let partial = sums[i];
            if partial != 0.0 {
                let at = sum_0 + (feature * params.outputs + params.output) * ROWS;
                let sum = add(Sum(high[at], low[at]), partial);
                high[at] = sum.high;
                low[at] = sum.low;
                sums[i] = 0.0;
            }
        }
    }
}
