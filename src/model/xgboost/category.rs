//! Categories: the sets that splits test, and the labels that models since 3.1 keep.

use super::document::{Section, Value};
use crate::error::Result;
use crate::model::check::MAX_CATEGORIES;
use crate::model::trees::{Categories, CategorySet, Numbers};

/// All sets of a model together take at most this many words (128 MiB). A set is as long as its
/// largest member, so that a small file could otherwise ask for any amount of memory.
const MAX_WORDS: usize = 1 << 25;

/// The set with `members`; `words` counts what the model's sets take together.
///
/// Members go right. All others go left, and so do negative values and those of 2^24 and above.
pub(super) fn set(members: &[i64], words: &mut usize) -> Result<CategorySet, String> {
    if let Some(bad) = members
        .iter()
        .find(|member| !(0..MAX_CATEGORIES as i64).contains(member))
    {
        return Err(format!(
            "category {bad} in its set; expected 0 to {}",
            MAX_CATEGORIES - 1
        ));
    }
    let length = members
        .iter()
        .max()
        .map_or(0, |&last| last as usize / 32 + 1);
    *words += length;
    if *words > MAX_WORDS {
        return Err(format!(
            "the category sets up to here take more than {MAX_WORDS} words of 32 bits; train with \
             smaller category numbers"
        ));
    }
    let mut bits = vec![0_u32; length];
    for &member in members {
        bits[member as usize / 32] |= 1 << (member % 32);
    }
    Ok(CategorySet {
        words: bits,
        members_left: false,
    })
}

/// The labels of each feature, `None` for one without; an empty list if the model keeps none.
///
/// Before 3.4 the library cut labels that are not ASCII at the wrong bytes, and lost the last ones:
/// with `trusted` false such a feature counts as one without labels, and takes numbers only.
pub(super) fn labels(model: &Section, trusted: bool) -> Result<Vec<Option<Categories>>> {
    if model.find("cats").is_none() {
        return Ok(Vec::new());
    }
    let container = model.section("cats")?;
    let columns = container.list("enc")?.iter().enumerate();
    let labels = columns.map(|(f, column)| {
        let column = Section::new(column, container.source, format!("cats of feature {f}"))?;
        let labels = if column.find("offsets").is_some() {
            strings(&column, trusted)?
        } else {
            column.ints("values")?.iter().map(i64::to_string).collect()
        };
        Ok((!labels.is_empty()).then_some(Categories {
            labels,
            numbers: Numbers::Codes,
        }))
    });
    labels.collect()
}

/// Strings as Arrow lays them out: their bytes one after the other, and where each begins.
fn strings(column: &Section, trusted: bool) -> Result<Vec<String>> {
    let offsets = column.ints("offsets")?;
    let bytes: Vec<u8> = match column.get("values")? {
        // The library writes signed bytes.
        Value::Ints(list) => list.iter().map(|&byte| byte as u8).collect(),
        _ => Vec::new(),
    };
    if !trusted && !bytes.is_ascii() {
        return Ok(Vec::new());
    }
    let labels = offsets.windows(2).map(|pair| {
        let range = usize::try_from(pair[0])
            .ok()
            .zip(usize::try_from(pair[1]).ok());
        range
            .and_then(|(begin, end)| bytes.get(begin..end))
            .and_then(|label| std::str::from_utf8(label).ok())
            .map(str::to_owned)
            .ok_or_else(|| {
                column.fault(format!(
                    "offsets {} to {} hold no UTF-8 label of {} bytes in all",
                    pair[0],
                    pair[1],
                    bytes.len()
                ))
            })
    });
    labels.collect()
}

#[cfg(test)]
mod tests {
    use super::set;

    #[test]
    fn members_go_right_and_every_other_value_left() {
        let set = set(&[0, 33], &mut 0).unwrap();
        assert_eq!(set.words, [1, 2]);
        for (category, left) in [
            (0.0, false),
            (-0.0, false),
            (33.0, false),
            (1.0, true),
            (-1.0, true),
            (64.0, true),
            (1e9, true),
            (f64::INFINITY, true),
            (f64::NEG_INFINITY, true),
        ] {
            assert_eq!(set.left(category), left, "{category}");
        }
    }

    #[test]
    fn sets_that_would_fill_the_memory_are_refused() {
        let mut words = 0;
        let largest = (1 << 24) - 1;
        let sets = (0..100).map(|_| set(&[largest], &mut words));
        assert_eq!(sets.take_while(Result::is_ok).count(), 64);
        for bad in [-1, 1 << 24, i64::MAX, i64::MIN] {
            assert!(set(&[bad], &mut 0).is_err(), "{bad}");
        }
    }
}
