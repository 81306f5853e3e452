// Sums as pairs of float32: `high` is the sum rounded, `low` what the rounding lost.
// A kernel that includes this declares `params.zero`, which holds 0.

// Hides a number from a compiler that would simplify (a + b) - a.
fn opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn opaque_4(x: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(params.zero));
}

struct Sum {
    high: f32,
    low: f32,
}

struct Sum4 {
    high: vec4<f32>,
    low: vec4<f32>,
}

fn add(sum: Sum, x: f32) -> Sum {
    let rough = opaque(sum.high + x);
    let part = opaque(rough - sum.high);
    let rest = opaque(rough - part);
    let low = opaque(sum.low + (opaque(sum.high - rest) + opaque(x - part)));
    let high = opaque(rough + low);
    return Sum(high, low - opaque(high - rough));
}

fn add_4(sum: Sum4, x: vec4<f32>) -> Sum4 {
    let rough = opaque_4(sum.high + x);
    let part = opaque_4(rough - sum.high);
    let rest = opaque_4(rough - part);
    let low = opaque_4(sum.low + (opaque_4(sum.high - rest) + opaque_4(x - part)));
    let high = opaque_4(rough + low);
    return Sum4(high, low - opaque_4(high - rough));
}
