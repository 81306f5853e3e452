// Cells and the tests of splits, in the words that kernels/src/words.rs writes.
// A kernel that includes this declares `sets`.

const MISSING: u32 = 0xffffffffu;
const COLUMN: u32 = 0x0fffffffu;
const MISSING_LEFT: u32 = 0x10000000u;
const MEMBERS_LEFT: u32 = 0x20000000u;
const CATEGORY: u32 = 0x40000000u;

// Keys of 0 and of 2^31: what lies outside is no category.
const ZERO_KEY: u32 = 0x80000000u;
const END_KEY: u32 = 0xcf000000u;

// Whether a cell is a member of the set at `place`: its length in words, then its words.
fn is_member(place: u32, cell: u32) -> bool {
    if cell < ZERO_KEY || cell >= END_KEY {
        return false;
    }
    let category = u32(bitcast<f32>(cell ^ ZERO_KEY));
    let word = category >> 5u;
    if word >= sets[place] {
        return false;
    }
    return ((sets[place + 1u + word] >> (category & 31u)) & 1u) == 1u;
}

// Whether a split sends a cell left.
fn goes_left(test: u32, bound: u32, cell: u32) -> bool {
    if cell == MISSING {
        return (test & MISSING_LEFT) != 0u;
    }
    if (test & CATEGORY) != 0u {
        return is_member(bound, cell) == ((test & MEMBERS_LEFT) != 0u);
    }
    return cell < bound;
}

// The same for the cells of four rows.
fn goes_left_4(test: u32, bound: u32, cells: vec4<u32>) -> vec4<bool> {
    if (test & CATEGORY) != 0u {
        return vec4<bool>(
            goes_left(test, bound, cells.x),
            goes_left(test, bound, cells.y),
            goes_left(test, bound, cells.z),
            goes_left(test, bound, cells.w),
        );
    }
    let missing_left = vec4<bool>((test & MISSING_LEFT) != 0u);
    return select(cells < vec4<u32>(bound), missing_left, cells == vec4<u32>(MISSING));
}
