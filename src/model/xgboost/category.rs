//! The labels of categories that models since 3.1 keep.

use super::document::{Section, Value};
use crate::error::Result;
use crate::model::trees::{Categories, Numbers};

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
