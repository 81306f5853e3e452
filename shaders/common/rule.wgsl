// Gauss-Legendre rules, in the words that kernels/src/tree_quadrature/words.rs writes.

// Four points of a rule.
struct Points {
    u: vec4<f32>,
    rest: vec4<f32>,
    weight: vec4<f32>,
}
