//! Reads the corpus: models that the libraries wrote, the rows they saw and what they answered.

use std::path::{Path, PathBuf};

/// A matrix of numbers, whatever its type was in the file.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    pub(crate) shape: Vec<usize>,
    pub(crate) cells: Vec<f64>,
}

impl Matrix {
    /// The cells of one index of the first axis.
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        let width = self.cells.len() / self.shape[0];
        &self.cells[i * width..(i + 1) * width]
    }
}

/// A case of the corpus.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
    pub(crate) facts: serde_json::Value,
}

/// The cases of a library, by name; at least one.
pub(crate) fn cases(library: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(library);
    let mut cases: Vec<Case> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| case(&entry.unwrap().path()))
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty(), "no cases in {}", root.display());
    cases
}

fn case(folder: &Path) -> Case {
    let facts = std::fs::read(folder.join("case.json")).unwrap();
    Case {
        folder: folder.to_owned(),
        name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
        facts: serde_json::from_slice(&facts).unwrap(),
    }
}

impl Case {
    /// The model file, whatever its ending.
    pub(crate) fn model(&self) -> PathBuf {
        ["json", "ubj", "txt", "onnx", "tl"]
            .iter()
            .map(|ending| self.folder.join(format!("model.{ending}")))
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("{}: no model", self.name))
    }

    /// The array of this name; `None` if the case has none.
    pub(crate) fn array(&self, name: &str) -> Option<Matrix> {
        let path = self.folder.join(format!("{name}.npy"));
        path.exists()
            .then(|| parse_npy(&std::fs::read(path).unwrap()))
    }
}

/// The arrays that the scripts of the corpus write: version 1, little endian, C order.
fn parse_npy(bytes: &[u8]) -> Matrix {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    assert!(header.contains("'fortran_order': False"), "{header}");
    let between = |open: &str, close: &str| {
        let from = header.find(open).unwrap() + open.len();
        &header[from..from + header[from..].find(close).unwrap()]
    };
    let shape = between("'shape': (", ")")
        .split(',')
        .filter(|size| !size.trim().is_empty())
        .map(|size| size.trim().parse().unwrap())
        .collect();
    let data = &bytes[end..];
    let cells = match between("'descr': '", "'") {
        "<f4" => {
            let (cells, _) = data.as_chunks();
            cells
                .iter()
                .map(|c| f32::from_le_bytes(*c).into())
                .collect()
        }
        "<f8" => {
            let (cells, _) = data.as_chunks();
            cells.iter().map(|c| f64::from_le_bytes(*c)).collect()
        }
        "<i4" => {
            let (cells, _) = data.as_chunks();
            cells
                .iter()
                .map(|c| i32::from_le_bytes(*c).into())
                .collect()
        }
        other => panic!("unexpected type {other}"),
    };
    Matrix { shape, cells }
}
