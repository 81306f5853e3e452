// Vectors of words: looked up in a table, and what is asked of them summed word by word.
// Twin: kernels/src/vectors.rs
//
// One invocation owns one number of a row, or of a word.

struct Params {
    // Rows, or words; and numbers of a vector.
    count: u32,
    width: u32,
    // 1 to sum what is asked, by word.
    sums: u32,
    // Where the words' offsets, and their rows, begin in `places`.
    offsets: u32,
    rows: u32,
    // Where the sums begin.
    start: u32,
}

const NO_WORD: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
// The word of each row; or offsets and rows.
@group(0) @binding(1) var<storage, read> places: array<u32>;
// (word, number): the table; or (row, number): what is asked.
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn vectors(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = group_number(id, count) * WORKGROUP + local;
    if number >= params.count * params.width {
        return;
    }
    let place = number / params.width;
    let column = number % params.width;
    var sum = 0.0;
    if params.sums == 1u {
        let begin = places[params.offsets + place];
        let end = places[params.offsets + place + 1u];
        for (var i = begin; i < end; i++) {
            sum += x[places[params.rows + i] * params.width + column];
        }
    } else {
        let word = places[place];
        if word != NO_WORD {
            sum = x[word * params.width + column];
        }
    }
    y[params.start + number] = sum;
}
