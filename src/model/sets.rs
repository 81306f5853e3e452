//! Category sets from lists of their members.

use super::check::MAX_CATEGORIES;
use super::trees::CategorySet;

/// All sets of a model together take at most this many words (128 MiB). A set is as long as its
/// largest member, so that a small file could otherwise ask for any amount of memory.
const MAX_WORDS: usize = 1 << 25;

/// The set with `members`; `words` counts what the model's sets take together.
///
/// What is no member goes to the other side, and so do negative values and those of 2^24 and above.
pub(super) fn of(
    members: impl Iterator<Item = i64> + Clone,
    members_left: bool,
    words: &mut usize,
) -> Result<CategorySet, String> {
    let bad = |member: &i64| !(0..MAX_CATEGORIES as i64).contains(member);
    if let Some(bad) = members.clone().find(bad) {
        return Err(format!(
            "category {bad} in its set; expected 0 to {}",
            MAX_CATEGORIES - 1
        ));
    }
    let last = members.clone().max();
    let length = last.map_or(0, |last| last as usize / 32 + 1);
    *words += length;
    if *words > MAX_WORDS {
        return Err(format!(
            "the category sets up to here take more than {MAX_WORDS} words of 32 bits; train with \
             smaller category numbers"
        ));
    }
    let mut bits = vec![0_u32; length];
    for member in members {
        bits[member as usize / 32] |= 1 << (member % 32);
    }
    Ok(CategorySet {
        words: bits,
        members_left,
    })
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn members_go_to_one_side_and_every_other_value_to_the_other() {
        for members_left in [false, true] {
            let set = of([0, 33].into_iter(), members_left, &mut 0).unwrap();
            assert_eq!(set.words, [1, 2]);
            for (category, member) in [
                (0.0, true),
                (-0.0, true),
                (33.0, true),
                (1.0, false),
                (-1.0, false),
                (64.0, false),
                (1e9, false),
                (f64::INFINITY, false),
                (f64::NEG_INFINITY, false),
            ] {
                assert_eq!(set.left(category), member == members_left, "{category}");
            }
        }
    }

    #[test]
    fn sets_that_would_fill_the_memory_are_refused() {
        let mut words = 0;
        let largest = (1 << 24) - 1;
        let sets = (0..100).map(|_| of([largest].into_iter(), false, &mut words));
        assert_eq!(sets.take_while(Result::is_ok).count(), 64);
        for bad in [-1, 1 << 24, i64::MAX, i64::MIN] {
            assert!(of([bad].into_iter(), false, &mut 0).is_err(), "{bad}");
        }
    }
}
