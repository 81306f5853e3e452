//! `CityHash64` (Pike and Alakuijala 2011), version 1.0, by which `CatBoost` knows category labels.
//! Later versions of the hash give other numbers.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;
const MULTIPLIER: u64 = 0x9ddf_ea08_eb38_2d69;

/// Two words of state.
type Pair = (u64, u64);

/// The hash of bytes, such as a label's, of any length.
pub(crate) fn city_hash(text: &[u8]) -> u64 {
    match text.len() {
        0 => K2,
        1..4 => up_to_3(text),
        4..=8 => {
            let n = text.len() as u64;
            let first = u64::from(half(text, 0)) << 3;
            mix(n.wrapping_add(first), half(text, text.len() - 4).into())
        }
        9..=16 => {
            let (a, b) = (word(text, 0), word(text, text.len() - 8));
            let turned = b.wrapping_add(text.len() as u64);
            mix(a, turned.rotate_right(text.len() as u32)) ^ b
        }
        17..=32 => up_to_32(text),
        33..=64 => up_to_64(text),
        _ => long(text),
    }
}

/// Little-endian word at a place; bytes beyond the text are 0.
fn word(text: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(text.iter().skip(at)) {
        *to = *from;
    }
    u64::from_le_bytes(bytes)
}

fn half(text: &[u8], at: usize) -> u32 {
    word(text, at) as u32
}

fn fold(x: u64) -> u64 {
    x ^ (x >> 47)
}

/// 128 bits to 64.
fn mix(low: u64, high: u64) -> u64 {
    let a = fold((low ^ high).wrapping_mul(MULTIPLIER));
    let b = fold((high ^ a).wrapping_mul(MULTIPLIER));
    b.wrapping_mul(MULTIPLIER)
}

fn up_to_3(text: &[u8]) -> u64 {
    let n = text.len();
    let byte = |at: usize| u64::from(text[at]);
    let y = byte(0) + (byte(n / 2) << 8);
    let z = n as u64 + (byte(n - 1) << 2);
    fold(y.wrapping_mul(K2) ^ z.wrapping_mul(K3)).wrapping_mul(K2)
}

fn up_to_32(text: &[u8]) -> u64 {
    let n = text.len();
    let a = word(text, 0).wrapping_mul(K1);
    let b = word(text, 8);
    let c = word(text, n - 8).wrapping_mul(K2);
    let d = word(text, n - 16).wrapping_mul(K0);
    let low = a.wrapping_sub(b).rotate_right(43);
    let low = low.wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let high = a.wrapping_add((b ^ K3).rotate_right(20));
    mix(low, high.wrapping_sub(c).wrapping_add(n as u64))
}

fn up_to_64(text: &[u8]) -> u64 {
    let n = text.len();
    let start = (n as u64).wrapping_add(word(text, n - 16));
    let front = word(text, 0).wrapping_add(start.wrapping_mul(K0));
    let v = half_of_64(front, [8, 16, 24].map(|at| word(text, at)));
    let back = word(text, 16).wrapping_add(word(text, n - 32));
    let w = half_of_64(back, [24, 16, 8].map(|at| word(text, n - at)));
    let sum = v.0.wrapping_add(w.1).wrapping_mul(K2);
    let sum = fold(sum.wrapping_add(w.0.wrapping_add(v.1).wrapping_mul(K0)));
    fold(sum.wrapping_mul(K0).wrapping_add(v.1)).wrapping_mul(K2)
}

fn half_of_64(a: u64, [second, third, last]: [u64; 3]) -> Pair {
    let b = a.wrapping_add(last).rotate_right(52);
    let c = a.rotate_right(37);
    let a = a.wrapping_add(second);
    let c = c.wrapping_add(a.rotate_right(7));
    let a = a.wrapping_add(third);
    let high = b.wrapping_add(a.rotate_right(31)).wrapping_add(c);
    (a.wrapping_add(last), high)
}

/// Mixes the 32 bytes at a place into two words.
fn absorb(text: &[u8], at: usize, (a, b): Pair) -> Pair {
    let [w, x, y, z] = [0, 8, 16, 24].map(|offset| word(text, at + offset));
    let first = a.wrapping_add(w);
    let b = b.wrapping_add(first).wrapping_add(z).rotate_right(21);
    let a = first.wrapping_add(x).wrapping_add(y);
    let b = b.wrapping_add(a.rotate_right(44));
    (a.wrapping_add(z), b.wrapping_add(first))
}

fn long(text: &[u8]) -> u64 {
    let n = text.len();
    let mut y = word(text, n - 16) ^ K1;
    let mut z = word(text, n - 56) ^ K0;
    let mut v = absorb(text, n - 64, (n as u64, y));
    let mut w = absorb(text, n - 32, ((n as u64).wrapping_mul(K1), K0));
    z = z.wrapping_add(fold(v.1).wrapping_mul(K1));
    let mut x = z.wrapping_add(word(text, 0)).rotate_right(39);
    x = x.wrapping_mul(K1);
    y = y.rotate_right(33).wrapping_mul(K1);
    for at in (0..(n - 1) / 64).map(|block| block * 64) {
        x = x.wrapping_add(y).wrapping_add(v.0);
        x = x.wrapping_add(word(text, at + 16)).rotate_right(37);
        x = x.wrapping_mul(K1);
        y = y.wrapping_add(v.1).wrapping_add(word(text, at + 48));
        y = y.rotate_right(42).wrapping_mul(K1);
        x ^= w.1;
        y ^= v.0;
        z = (z ^ w.0).rotate_right(33);
        v = absorb(text, at, (v.1.wrapping_mul(K1), x.wrapping_add(w.0)));
        w = absorb(text, at + 32, (z.wrapping_add(w.1), y));
        (x, z) = (z, x);
    }
    let low = mix(v.0, w.0).wrapping_add(fold(y).wrapping_mul(K1));
    mix(low.wrapping_add(z), mix(v.1, w.1).wrapping_add(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_catboost_writes_for_labels_of_any_length() {
        // By CatBoost 1.2.10, the lower 32 bits for the first bytes of a text.
        let text = "The labels of a category are hashed, not kept: ".repeat(5);
        for (length, expected) in [
            (0, 0x2f90_404f),
            (1, 0x128f_9beb),
            (2, 0x52ec_1775),
            (3, 0x2fd6_8974),
            (4, 0xb5e6_0df9),
            (7, 0x473d_75db),
            (8, 0x3cf6_dc68),
            (9, 0xbd47_40d3),
            (15, 0x9517_ce97),
            (16, 0xbb58_b1b5),
            (17, 0x650c_2cb3),
            (31, 0x7c2e_39ca),
            (32, 0x7c04_c5d4),
            (33, 0xf214_8dd0),
            (48, 0x141b_a32b),
            (63, 0xf346_e63a),
            (64, 0xd90a_3c7d),
            (65, 0xfa29_7d81),
            (127, 0x7c04_4e62),
            (128, 0x9b5e_58e3),
            (129, 0xc8a3_32da),
            (192, 0xfd1c_f480),
            (200, 0xf37c_2ec9),
        ] {
            let hash = city_hash(&text.as_bytes()[..length]) as u32;
            assert_eq!(hash, expected, "{length} bytes");
        }
    }
}
