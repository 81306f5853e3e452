// Pairs of a row and a background row, one row's after the other's; of a tile's lanes, the first are all pairs for the
// first output. A kernel that includes this declares `params.others`, background rows of a row, and the first of both.

fn row_of(pair: u32) -> u32 {
    return params.first_row + pair / params.others;
}

fn other_of(pair: u32) -> u32 {
    return params.first_other + pair % params.others;
}
