// Pairs of a row and a background row, one row's after the other's; of a tile's lanes, the first are all pairs for the
// first output. A kernel that includes this declares `params.others`, background rows of a row, and the first of both.
// Without any, the rows and the background rows of the pairs are one after the other, as points and the same points are.

fn row_of(pair: u32) -> u32 {
    if params.others == 0u {
        return params.first_row + pair;
    }
    return params.first_row + pair / params.others;
}

fn other_of(pair: u32) -> u32 {
    if params.others == 0u {
        return params.first_other + pair;
    }
    return params.first_other + pair % params.others;
}
