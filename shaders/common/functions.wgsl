// Functions that are exact to a few units in the last place on every GPU: the built-in ones need not be.

fn power_of_2(n: vec4<i32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(n + 127) << vec4<u32>(23u));
}

// eˣ, to 1e-7 of itself: 2ⁿ times the polynomial of Cephes' expf (Moshier 1992) up to half of ln 2. The upper part of
// ln 2 has so few bits that its products with n are exact. 0 and infinity beyond the range.
fn power_of_e_4(x: vec4<f32>) -> vec4<f32> {
    let limited = clamp(x, vec4<f32>(-104.0), vec4<f32>(89.5));
    let n = round(limited * 1.44269504);
    let r = (limited - n * 0.693359375) + n * 2.12194440e-4;
    var p = vec4<f32>(1.9875691500e-4);
    p = p * r + 1.3981999507e-3;
    p = p * r + 8.3334519073e-3;
    p = p * r + 4.1665795894e-2;
    p = p * r + 1.6666665459e-1;
    p = p * r + 5.0000001201e-1;
    let y = p * (r * r) + r + 1.0;
    // In two steps: 2ⁿ alone may be out of range.
    let whole = vec4<i32>(n);
    let half = whole / 2;
    return y * power_of_2(half) * power_of_2(whole - half);
}

fn power_of_e(x: f32) -> f32 {
    return power_of_e_4(vec4<f32>(x)).x;
}

// eˣ − 1; by Taylor's series up to 0.5, of which the first term left out is below 1e-8 of it.
fn power_of_e_less_1(x: f32) -> f32 {
    if abs(x) > 0.5 {
        return power_of_e(x) - 1.0;
    }
    var p = 1.0 + x / 8.0;
    p = 1.0 + x / 7.0 * p;
    p = 1.0 + x / 6.0 * p;
    p = 1.0 + x / 5.0 * p;
    p = 1.0 + x / 4.0 * p;
    p = 1.0 + x / 3.0 * p;
    p = 1.0 + x / 2.0 * p;
    return x * p;
}

// 2 artanh s, by its series: for |s| up to 1/3, the first term left out is below 1e-8 of it.
fn twice_artanh(s: f32) -> f32 {
    let z = s * s;
    var p = 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    return 2.0 * (s + s * z * p);
}

// ln x, by ln m = 2 artanh((m − 1) / (m + 1)) for the m between √½ and √2 that is x but for a power of two.
fn logarithm(x: f32) -> f32 {
    // What is subnormal, not positive or not finite.
    if !(x >= 1.17549435e-38 && x <= 3.40282347e38) {
        return log(x);
    }
    let shifted = bitcast<i32>(x) - 0x3F3504F3;
    let n = f32(shifted >> 23u);
    let m = bitcast<f32>((shifted & 0x7FFFFF) + 0x3F3504F3);
    return n * 0.693359375 + (twice_artanh((m - 1.0) / (m + 1.0)) - n * 2.12194440e-4);
}

// √x; one of Newton's steps, for the built-in one may be off by several units.
fn root(x: f32) -> f32 {
    let y = sqrt(x);
    if !(y > 0.0 && y <= 3.0e38) {
        return y;
    }
    return 0.5 * (y + x / y);
}

// tanh x; near 0 by the polynomial of Cephes' tanhf (Moshier 1992), to 1e-7 of it.
fn hyperbolic_tangent(x: f32) -> f32 {
    if abs(x) > 0.625 {
        return sign(x) * (1.0 - 2.0 / (power_of_e(2.0 * abs(x)) + 1.0));
    }
    let z = x * x;
    var p = -5.70498872745e-3;
    p = p * z + 2.06390887954e-2;
    p = p * z - 5.37397155531e-2;
    p = p * z + 1.33314422036e-1;
    p = p * z - 3.33332819422e-1;
    return x + x * z * p;
}

// 1 / cosh² x.
fn hyperbolic_slope(x: f32) -> f32 {
    let e = power_of_e(-2.0 * abs(x));
    return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

// What 1 / (1 + e⁻ˣ) lacks to the nearer one of 0 and 1: above 0, a difference from 1 loses less than a quotient near it.
fn logistic_rest(x: f32) -> f32 {
    let e = power_of_e(-abs(x));
    return e / (1.0 + e);
}

// 1 / (1 + e⁻ˣ).
fn logistic(x: f32) -> f32 {
    let rest = logistic_rest(x);
    return select(1.0 - rest, rest, x < 0.0);
}

// ln(1 + eˣ).
fn softplus(x: f32) -> f32 {
    let e = power_of_e(-abs(x));
    return max(x, 0.0) + twice_artanh(e / (2.0 + e));
}

// The error function up to 1, by the polynomial of Cephes' erff (Moshier 1992): to 2e-7 of it.
fn error_function_near_0(x: f32) -> f32 {
    let z = x * x;
    var p = 7.853861353153693e-5;
    p = p * z - 8.010193625184903e-4;
    p = p * z + 5.188327685732524e-3;
    p = p * z - 2.685381193529856e-2;
    p = p * z + 1.128358514861418e-1;
    p = p * z - 3.761262582423300e-1;
    return x * (p * z + 1.128379167095513);
}

// 1 less the error function, from 1 on, by the polynomials of Cephes' erfcf (Moshier 1992): to 4e-6 of it, and so to
// 1e-7 of 1.
fn error_function_rest(x: f32) -> f32 {
    let q = 1.0 / x;
    let z = q * q;
    var p: f32;
    if x < 2.0 {
        p = 2.326819970068386e-2;
        p = p * z - 1.387039388740657e-1;
        p = p * z + 3.687424674597105e-1;
        p = p * z - 5.824733027278666e-1;
        p = p * z + 6.210004621745983e-1;
        p = p * z - 4.944515323274145e-1;
        p = p * z + 3.404879937665872e-1;
        p = p * z - 2.741127028184656e-1;
        p = p * z + 5.638259427386472e-1;
    } else {
        p = -1.047766399936249e+1;
        p = p * z + 1.297719955372516e+1;
        p = p * z - 7.495518717768503;
        p = p * z + 2.921019019210786;
        p = p * z - 1.015265279202700;
        p = p * z + 4.218463358204948e-1;
        p = p * z - 2.820767439740514e-1;
        p = p * z + 5.641895067754075e-1;
    }
    return power_of_e(-x * x) * q * p;
}

fn error_function(x: f32) -> f32 {
    if abs(x) < 1.0 {
        return error_function_near_0(x);
    }
    return sign(x) * (1.0 - error_function_rest(abs(x)));
}

// What the distribution of the normal lacks to the nearer one of 0 and 1.
fn normal_rest(x: f32) -> f32 {
    let scaled = abs(x) * 0.707106781;
    if scaled < 1.0 {
        return 0.5 - 0.5 * error_function_near_0(scaled);
    }
    return 0.5 * error_function_rest(scaled);
}

// The distribution of the normal.
fn normal(x: f32) -> f32 {
    let rest = normal_rest(x);
    return select(1.0 - rest, rest, x < 0.0);
}

// sin x and cos x, by the polynomials of Cephes' sinf and cosf (Moshier 1992) up to π/4, to which x is reduced by a π/2
// of three parts: to 1e-7 for |x| below 8192.
fn sine_and_cosine(x: f32) -> vec2<f32> {
    let n = round(x * 0.636619772);
    let r = ((x - n * 1.5703125) - n * 4.837512969970703e-4) - n * 7.549789954891882e-8;
    let z = r * r;
    let sine = r + r * z * ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1);
    let p = (2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2;
    let cosine = 1.0 - 0.5 * z + z * z * p;
    let quarter = u32(i32(n)) & 3u;
    let turned = select(vec2<f32>(sine, cosine), vec2<f32>(cosine, -sine), (quarter & 1u) == 1u);
    return select(turned, -turned, (quarter & 2u) == 2u);
}

// x to a power; of whole powers and halves by products, as exact as these.
fn power(x: f32, exponent: f32) -> f32 {
    let doubled = 2.0 * abs(exponent);
    if doubled <= 64.0 && doubled == floor(doubled) {
        var left = u32(doubled);
        var factor = x;
        var product = 1.0;
        if (left & 1u) == 1u {
            product = root(x);
        }
        for (left = left >> 1u; left > 0u; left >>= 1u) {
            if (left & 1u) == 1u {
                product *= factor;
            }
            factor *= factor;
        }
        return select(product, 1.0 / product, exponent < 0.0);
    }
    let size = power_of_e(exponent * logarithm(abs(x)));
    if x >= 0.0 {
        return size;
    }
    // Of a negative number, there are whole powers alone.
    if exponent != floor(exponent) {
        return log(x);
    }
    let is_odd = exponent * 0.5 != floor(exponent * 0.5);
    return select(size, -size, is_odd);
}

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7F800000u) != 0x7F800000u;
}
