//! The command, as a shell sees it.

use std::path::{Path, PathBuf};

use serde_json::Value;

mod bench;
mod deep;
mod demo;
mod devices;
mod error;
mod explain;
mod help;
mod kernel;
mod lime;
mod memory;
mod mimic;
mod permutation;
#[cfg(all(feature = "text", unix))]
mod surrogate;
#[cfg(all(feature = "text", unix))]
mod text;

/// A folder with the example's model and table, in which the command runs.
struct Place {
    folder: tempfile::TempDir,
}

/// What a call left behind.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/breast_cancer");
        for name in ["model.json", "rows.csv"] {
            std::fs::copy(example.join(name), folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Names of the files that are in the folder.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn run(&self, line: &str) -> Done {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("whylight");
        let output = command
            .args(words(line))
            .current_dir(self.folder.path())
            // A Vulkan layer of Mesa complains on stderr where there is none.
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .output()
            .unwrap();
        Done {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The stdout of a call that must succeed.
    fn ok(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!(done.code, 0, "{line}\n{}", done.stderr);
        done.stdout
    }

    /// The code and the message of a call that must fail and print nothing else.
    fn fails(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!(done.stdout, "", "{line}");
        format!("{}: {}", done.code, done.stderr.trim_end())
    }
}

/// The words of a line, some in single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// A file of the corpus.
fn corpus(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    path.to_str().unwrap().to_owned()
}

/// The numbers of nested lists, in order.
fn flat(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}
