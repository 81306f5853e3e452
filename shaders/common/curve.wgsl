// Functions of one number, their derivatives, and their quotients: those of kernels/src/curve.rs.

struct Curve {
    code: u32,
    a: f32,
    b: f32,
}

const CURVE_RELU: u32 = 0u;
const CURVE_LEAKY: u32 = 1u;
const CURVE_SELU: u32 = 2u;
const CURVE_CELU: u32 = 3u;
const CURVE_GELU: u32 = 4u;
const CURVE_GELU_TANH: u32 = 5u;
const CURVE_SWISH: u32 = 6u;
const CURVE_HARD_SWISH: u32 = 7u;
const CURVE_HARD_SIGMOID: u32 = 8u;
const CURVE_MISH: u32 = 9u;
const CURVE_SOFTPLUS: u32 = 10u;
const CURVE_SOFTSIGN: u32 = 11u;
const CURVE_SIGMOID: u32 = 12u;
const CURVE_TANH: u32 = 13u;
const CURVE_CLIP: u32 = 14u;
const CURVE_THRESHOLDED_RELU: u32 = 15u;
const CURVE_SHRINK: u32 = 16u;
const CURVE_EXP: u32 = 17u;
const CURVE_LOG: u32 = 18u;
const CURVE_SQRT: u32 = 19u;
const CURVE_RECIPROCAL: u32 = 20u;
const CURVE_POWER: u32 = 21u;
const CURVE_ABS: u32 = 22u;
const CURVE_ERF: u32 = 23u;
const CURVE_SIN: u32 = 24u;
const CURVE_COS: u32 = 25u;
const CURVE_SIGN: u32 = 26u;
const CURVE_FLOOR: u32 = 27u;
const CURVE_CEIL: u32 = 28u;
const CURVE_ROUND: u32 = 29u;
const CURVE_TRUNCATE: u32 = 30u;
const CURVE_EQUAL: u32 = 31u;
const CURVE_GREATER: u32 = 32u;
const CURVE_LESS: u32 = 33u;

// The bits of the relative difference below which numbers are near.
const CURVE_NEAR: u32 = 0x3B800000u;

fn truth(holds: bool) -> f32 {
    return select(0.0, 1.0, holds);
}

// What the approximate GELU takes the hyperbolic tangent of, and its derivative.
fn inner(x: f32) -> vec2<f32> {
    let held = clamp(x, -1e6, 1e6);
    let square = held * held;
    let factor = 0.797884561;
    return factor * vec2<f32>(held + 0.044715 * square * held, 1.0 + 0.134145 * square);
}

// tanh(softplus x), and what it lacks to 1.
fn mish_parts(x: f32) -> vec2<f32> {
    let e = power_of_e(-abs(x));
    if x < 0.0 {
        return vec2<f32>(e * (e + 2.0), 2.0) / (e * (e + 2.0) + 2.0);
    }
    return vec2<f32>(1.0 + 2.0 * e, 2.0 * e * e) / (1.0 + 2.0 * e + 2.0 * e * e);
}

fn value(f: Curve, x: f32) -> f32 {
    switch f.code {
        case CURVE_RELU: { return max(x, 0.0); }
        case CURVE_LEAKY: { return select(x, f.a * x, x <= 0.0); }
        case CURVE_SELU: { return f.b * select(f.a * power_of_e_less_1(x), x, x > 0.0); }
        case CURVE_CELU: { return max(x, 0.0) + min(f.a * power_of_e_less_1(x / f.a), 0.0); }
        case CURVE_GELU: { return max(x, 0.0) - abs(x) * normal_rest(x); }
        case CURVE_GELU_TANH: {
            // ½ (1 + tanh z) is the logistic function of 2 z.
            return max(x, 0.0) - abs(x) * logistic_rest(2.0 * inner(x).x);
        }
        case CURVE_SWISH: {
            let rest = x * logistic_rest(f.a * x);
            return select(x - rest, rest, f.a * x < 0.0);
        }
        case CURVE_HARD_SWISH: { return x * clamp(x / 6.0 + 0.5, 0.0, 1.0); }
        case CURVE_HARD_SIGMOID: { return clamp(fma(f.a, x, f.b), 0.0, 1.0); }
        case CURVE_MISH: {
            let parts = mish_parts(x);
            return select(x - x * parts.y, x * parts.x, x < 0.0);
        }
        case CURVE_SOFTPLUS: { return softplus(x); }
        case CURVE_SOFTSIGN: { return x / (1.0 + abs(x)); }
        case CURVE_SIGMOID: { return logistic(x); }
        case CURVE_TANH: { return hyperbolic_tangent(x); }
        case CURVE_CLIP: { return min(max(x, f.a), f.b); }
        case CURVE_THRESHOLDED_RELU: { return select(0.0, x, x > f.a); }
        case CURVE_SHRINK: {
            return select(select(0.0, x - f.b, x > f.a), x + f.b, x < -f.a);
        }
        case CURVE_EXP: { return power_of_e(x); }
        case CURVE_LOG: { return logarithm(x); }
        case CURVE_SQRT: { return root(x); }
        case CURVE_RECIPROCAL: { return 1.0 / x; }
        case CURVE_POWER: { return power(x, f.a); }
        case CURVE_ABS: { return abs(x); }
        case CURVE_ERF: { return error_function(x); }
        case CURVE_SIN: { return sine_and_cosine(x).x; }
        case CURVE_COS: { return sine_and_cosine(x).y; }
        case CURVE_SIGN: { return sign(x); }
        case CURVE_FLOOR: { return floor(x); }
        case CURVE_CEIL: { return ceil(x); }
        case CURVE_ROUND: { return round(x); }
        case CURVE_TRUNCATE: { return trunc(x); }
        case CURVE_EQUAL: { return truth(x == f.a); }
        case CURVE_GREATER: { return truth(x > f.a); }
        case CURVE_LESS: { return truth(x < f.a); }
        default: { return x; }
    }
}

fn slope_of(f: Curve, x: f32) -> f32 {
    switch f.code {
        case CURVE_RELU: { return truth(x > 0.0); }
        case CURVE_LEAKY: { return select(1.0, f.a, x <= 0.0); }
        case CURVE_SELU: {
            if x > 0.0 {
                return f.b;
            }
            return f.b * (f.a * power_of_e(x));
        }
        case CURVE_CELU: {
            if x > 0.0 {
                return 1.0;
            }
            return power_of_e(x / f.a);
        }
        case CURVE_GELU: {
            return normal(x) + x * power_of_e(-0.5 * x * x) * 0.39894228;
        }
        case CURVE_GELU_TANH: {
            let parts = inner(x);
            let rest = clamp(x, -1e6, 1e6) * hyperbolic_slope(parts.x) * parts.y;
            return logistic(2.0 * parts.x) + 0.5 * rest;
        }
        case CURVE_SWISH: {
            let scaled = f.a * x;
            let y = logistic(scaled);
            return y + scaled * y * logistic(-scaled);
        }
        case CURVE_HARD_SWISH: {
            return select(select(x / 3.0 + 0.5, 1.0, x > 3.0), 0.0, x <= -3.0);
        }
        case CURVE_HARD_SIGMOID: {
            let y = fma(f.a, x, f.b);
            return f.a * truth(y > 0.0 && y < 1.0);
        }
        case CURVE_MISH: {
            let parts = mish_parts(x);
            return parts.x + x * parts.y * (1.0 + parts.x) * logistic(x);
        }
        case CURVE_SOFTPLUS: { return logistic(x); }
        case CURVE_SOFTSIGN: { return 1.0 / ((1.0 + abs(x)) * (1.0 + abs(x))); }
        case CURVE_SIGMOID: { return logistic(x) * logistic(-x); }
        case CURVE_TANH: { return hyperbolic_slope(x); }
        case CURVE_CLIP: { return truth(x > f.a && x <= f.b); }
        case CURVE_THRESHOLDED_RELU: { return truth(x > f.a); }
        case CURVE_SHRINK: { return truth(abs(x) > f.a); }
        case CURVE_EXP: { return power_of_e(x); }
        case CURVE_LOG: { return 1.0 / x; }
        case CURVE_SQRT: { return 0.5 / root(x); }
        case CURVE_RECIPROCAL: { return -1.0 / (x * x); }
        case CURVE_POWER: { return f.a * power(x, f.a - 1.0); }
        case CURVE_ABS: { return sign(x); }
        case CURVE_ERF: { return power_of_e(-x * x) * 1.12837917; }
        case CURVE_SIN: { return sine_and_cosine(x).y; }
        case CURVE_COS: { return -sine_and_cosine(x).x; }
        default: { return 0.0; }
    }
}

// The derivative; 0 where there is none.
fn slope(f: Curve, x: f32) -> f32 {
    let found = slope_of(f, x);
    return select(0.0, found, is_finite(found));
}

// The multiplier of a pair x, r, of which the function makes y, s.
fn quotient(f: Curve, x: f32, r: f32, y: f32, s: f32) -> f32 {
    let difference = x - r;
    if f.code == CURVE_RELU {
        if x > 0.0 && r > 0.0 {
            return 1.0;
        }
        let found = (max(x, 0.0) - max(r, 0.0)) / difference;
        return select(found, truth(x > 0.0), x == r);
    }
    // Their quotients, without a difference in them.
    if f.code == CURVE_RECIPROCAL {
        return -(y * s);
    }
    if f.code == CURVE_SQRT {
        let sum = y + s;
        return select(0.0, 1.0 / sum, sum > 0.0);
    }
    if f.code == CURVE_POWER && f.a == 2.0 {
        return x + r;
    }
    if f.code == CURVE_POWER && f.a == -0.5 {
        let product = y * s;
        return -(product * product) / (y + s);
    }
    let is_scaleless = f.code == CURVE_LOG || f.code == CURVE_POWER;
    let scale = max(max(abs(x), abs(r)), select(1.0, 0.0, is_scaleless));
    if abs(difference) <= bitcast<f32>(CURVE_NEAR) * scale {
        if f.code >= CURVE_SIGN {
            if x == r {
                return 0.0;
            }
            return (y - s) / difference;
        }
        let is_broken = f.code <= CURVE_LEAKY || f.code == CURVE_HARD_SIGMOID || f.code == CURVE_CLIP
            || f.code == CURVE_THRESHOLDED_RELU || f.code == CURVE_SHRINK || f.code == CURVE_ABS;
        if !is_broken {
            return slope(f, 0.5 * (x + r));
        }
        // Of lines, that of both, if they are on one.
        let there = slope(f, x);
        if there == slope(f, r) {
            return there;
        }
    }
    return (y - s) / difference;
}
