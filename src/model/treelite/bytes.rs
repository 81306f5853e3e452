//! Bytes as the format lays them out: little-endian scalars, and lists after their lengths.

use super::Fault;
use crate::model::trees::Precision;

/// What is left of the file.
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
    /// The length of the file.
    total: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total: bytes.len(),
        }
    }

    /// The complaint that `what` does not fit in what is left.
    fn short(&self, what: &str) -> Fault {
        Fault::Damage(
            format!("byte {}", self.total - self.rest.len()),
            format!(
                "{what} is longer than the {} bytes that are left: the file is cut off or damaged; \
                 serialize the model again",
                self.rest.len()
            ),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A scalar of `N` bytes.
    pub(super) fn one<T, const N: usize>(
        &mut self,
        what: &str,
        read: fn([u8; N]) -> T,
    ) -> Result<T, Fault> {
        let (bytes, rest) = (self.rest.split_first_chunk()).ok_or_else(|| self.short(what))?;
        self.rest = rest;
        Ok(read(*bytes))
    }

    /// The bytes of a list whose elements have `size` bytes each.
    pub(super) fn span(&mut self, what: &str, size: usize) -> Result<&'a [u8], Fault> {
        let count = self.one(what, u64::from_le_bytes)?;
        let (bytes, rest) = usize::try_from(count)
            .ok()
            .and_then(|count| self.rest.split_at_checked(count.checked_mul(size)?))
            .ok_or_else(|| self.short(what))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A list of scalars of `N` bytes each.
    pub(super) fn list<T, const N: usize>(
        &mut self,
        what: &str,
        read: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, Fault> {
        let (elements, _) = self.span(what, N)?.as_chunks();
        Ok(elements.iter().map(|bytes| read(*bytes)).collect())
    }

    /// A list of numbers of the model's own precision.
    pub(super) fn reals(&mut self, what: &str, precision: Precision) -> Result<Vec<f64>, Fault> {
        match precision {
            Precision::F32 => self.list(what, |bytes| f64::from(f32::from_le_bytes(bytes))),
            Precision::F64 => self.list(what, f64::from_le_bytes),
        }
    }

    /// A list of truth values; every byte but 0 is true, as in the library.
    pub(super) fn flags(&mut self, what: &str) -> Result<Vec<bool>, Fault> {
        self.list(what, |[byte]| byte != 0)
    }

    /// The number of optional fields in a slot, which has to be 0.
    pub(super) fn empty_slot(&mut self, what: &str) -> Result<(), Fault> {
        match self.one(what, i32::from_le_bytes)? {
            0 => Ok(()),
            count => Err(Fault::Refusal(
                format!("{what}: {count}, written by a later version, which"),
                "serialize the model with treelite 4.0 to 4.8",
            )),
        }
    }
}
