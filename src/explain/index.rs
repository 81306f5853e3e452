//! Names of the indexes.

use crate::error::{Error, Result};

pub use whylight_kernels::legendre::Index;

/// The index of a name: `shapley` or `banzhaf`.
///
/// # Errors
/// [`Error::Parameter`] for another name.
pub fn index(name: &str) -> Result<Index> {
    let all = [Index::Shapley, Index::Banzhaf];
    let found = all.into_iter().find(|index| index.name() == name);
    found.ok_or_else(|| Error::Parameter {
        name: "index",
        got: format!("\"{name}\""),
        allowed: "shapley or banzhaf".to_owned(),
    })
}
