//! Weights that a file keeps in others: those in its own folder.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::{Made, fault, unsupported};
use crate::model::onnx::message::TensorMessage;

/// Bytes that are read of other files, all together.
const MAX_BYTES: u64 = 1 << 32;

/// The folder of a model.
#[derive(Debug)]
pub(super) struct External {
    /// `None` for a model that is in no file.
    folder: Option<PathBuf>,
    left: Cell<u64>,
}

impl External {
    pub(super) fn beside(path: &Path) -> Self {
        let folder = path.is_file().then(|| path.parent()).flatten();
        let folder = folder.map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder.to_owned()
            }
        });
        Self {
            folder,
            left: Cell::new(MAX_BYTES),
        }
    }

    /// The bytes of a tensor, which must be as many as its shape says.
    pub(super) fn read(&self, tensor: &TensorMessage, wanted: usize) -> Made<Vec<u8>> {
        let entry = |key: &str| {
            let mut entries = tensor.external.iter();
            entries.find(|entry| entry.key == key)
        };
        let number = |key: &str, default: u64| match entry(key) {
            None => Ok(default),
            Some(entry) => match entry.value.parse::<u64>() {
                Ok(number) => Ok(number),
                Err(_) => fault(format!("the {key} of its data is \"{}\"", entry.value)),
            },
        };
        let Some(location) = entry("location") else {
            return fault("its data is in another file, which has no name");
        };
        let path = self.locate(&location.value)?;
        let (offset, length) = (number("offset", 0)?, number("length", wanted as u64)?);
        let size = path.metadata().map_or(0, |facts| facts.len());
        if length != wanted as u64 || offset.checked_add(length).is_none_or(|end| end > size) {
            return fault(format!(
                "its shape takes {wanted} bytes; {length} from {offset} on are given of the {size} in \"{}\"",
                location.value
            ));
        }
        let Some(left) = self.left.get().checked_sub(length) else {
            return unsupported(
                format!("more than {MAX_BYTES} bytes of weights"),
                "explain a smaller model",
            );
        };
        self.left.set(left);
        let mut bytes = vec![0; wanted];
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut bytes)
        });
        match read {
            Ok(()) => Ok(bytes),
            Err(error) => fault(format!("\"{}\": {error}", location.value)),
        }
    }

    /// The file that a name means, inside the folder.
    fn locate(&self, name: &str) -> Made<PathBuf> {
        let Some(folder) = &self.folder else {
            return unsupported(
                format!("a model in memory whose weights are in another file, \"{name}\","),
                "give its path, or save it with its data inside",
            );
        };
        let is_inside =
            |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        let outside = || {
            fault(format!(
                "its data is in \"{name}\"; only files in the model's own folder are read"
            ))
        };
        if !Path::new(name).components().all(is_inside) {
            return outside();
        }
        let found = (folder.canonicalize()).and_then(|folder| {
            let path = folder.join(name).canonicalize()?;
            Ok((path.starts_with(&folder) && path.is_file()).then_some(path))
        });
        match found {
            Ok(Some(path)) => Ok(path),
            Ok(None) => outside(),
            Err(error) => fault(format!("its data is in \"{name}\": {error}")),
        }
    }
}
