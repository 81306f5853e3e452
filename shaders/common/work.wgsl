// How rows and invocations are numbered.

// Rows of a block, and the groups of four that kernels for four rows at a time see.
const ROWS: u32 = 256u;
const QUADS: u32 = 64u;

// The flag of the last item of a list within a list.
const LAST: u32 = 0x80000000u;

override WORKGROUP: u32 = 64u;

// The number of a workgroup in a dispatch that is folded into y.
fn group_number(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.x + id.y * count.x;
}
