//! Models that are programs, written in a line of shell: what they are told, and what becomes of every kind of
//! answer.

use std::path::Path;
use std::time::Duration;

use ndarray::{Array2, array};
use whylight::model::{Predict, Process, ProcessOptions};

/// Answers each row with the row itself.
const SAME: &str = "read names; exec cat";

fn options() -> ProcessOptions {
    ProcessOptions::default()
}

fn start(script: &str, options: ProcessOptions) -> Process {
    let columns = ["a".to_owned(), "b, \"c\"".to_owned()];
    let arguments = ["-c".to_owned(), script.to_owned()];
    Process::start("sh", &arguments, &columns, options).unwrap()
}

fn rows() -> Array2<f64> {
    array![
        [0.1, 2.0],
        [f64::NAN, 1e-300],
        [3.0, f64::NEG_INFINITY],
        [1e300, -0.0],
        [0.5, 0.25]
    ]
}

/// Down to the bit, but for the many kinds of NaN.
fn is_same(a: &Array2<f64>, b: &Array2<f64>) -> bool {
    let bits = |cells: &Array2<f64>| -> Vec<u64> {
        let bits = |cell: &f64| {
            if cell.is_nan() {
                u64::MAX
            } else {
                cell.to_bits()
            }
        };
        cells.iter().map(bits).collect()
    };
    a.dim() == b.dim() && bits(a) == bits(b)
}

/// What an answer to the five rows comes to, that is an error.
fn error(script: &str) -> String {
    let process = start(script, options());
    let error = process.predict(rows()).unwrap_err().to_string();
    error.replace(&format!("sh -c {script}"), "PROGRAM")
}

/// Whether a process is there, and no zombie.
fn runs(process: &str) -> bool {
    let state = std::fs::read_to_string(Path::new("/proc").join(process.trim()).join("stat"));
    state.is_ok_and(|state| !state.contains(") Z "))
}

#[test]
fn a_program_reads_the_columns_and_then_batches() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let process = start(
        &format!(
            "read names; echo \"$names\" > {0}; exec tee -a {0}",
            said.display()
        ),
        ProcessOptions {
            rows: 3,
            ..options()
        },
    );
    assert!(is_same(&process.predict(rows()).unwrap(), &rows()));
    assert!(is_same(&process.predict(rows()).unwrap(), &rows()));
    drop(process);
    let said = std::fs::read_to_string(said).unwrap();
    let batches = "3\n0.1,2.0\nNaN,1e-300\n3.0,-inf\n2\n1e300,-0.0\n0.5,0.25\n";
    assert_eq!(said, format!("a,\"b, \"\"c\"\"\"\n{batches}{batches}"));
}

#[cfg(feature = "arrow")]
#[test]
fn a_program_reads_record_batches() {
    let arrow = || ProcessOptions {
        rows: 3,
        exchange: whylight::model::Exchange::Arrow,
        ..options()
    };
    let process = start("exec cat", arrow());
    assert!(is_same(&process.predict(rows()).unwrap(), &rows()));
    assert!(is_same(&process.predict(rows()).unwrap(), &rows()));
    let error = |script: &str| {
        start(script, arrow())
            .predict(rows())
            .unwrap_err()
            .to_string()
    };
    let lines = error("echo loading the model; exec cat 3>&1 > /dev/null");
    assert!(
        lines.contains("it begins with `loading the model`; expected an Arrow"),
        "{lines}"
    );
    let cut = error("exec head -c 300");
    assert!(cut.contains("a damaged Arrow IPC stream: "), "{cut}");
    let text = error(
        "head -c 300 > /dev/null; printf '\\377\\377\\377\\377\\010\\0\\0\\0garbage!'; exec cat 3>&1 >&2",
    );
    assert!(text.contains("a damaged Arrow IPC stream: "), "{text}");
    let ended = error("echo no model >&2; exit 1");
    assert!(
        ended.contains("it ended (exit status: 1) before it had answered 3 rows"),
        "{ended}"
    );
    assert!(ended.ends_with("its last words: no model"), "{ended}");
}

/// More than the pipes hold, each way.
#[test]
fn a_program_may_answer_while_it_reads() {
    let many = Array2::from_shape_fn((40_000, 8), |(row, column)| (row * 8 + column) as f64);
    let process = start(
        SAME,
        ProcessOptions {
            rows: 40_000,
            ..options()
        },
    );
    assert!(is_same(&process.predict(many.clone()).unwrap(), &many));
}

#[test]
fn a_program_that_does_not_answer_is_told_with_its_last_words() {
    let absent = Process::start("no-such-program", &["x".to_owned()], &[], options()).unwrap_err();
    insta::assert_snapshot!(absent, @"the model did not answer: no-such-program x: it cannot be started: No such file or directory (os error 2)");
    insta::assert_snapshot!(error("read names; read count; echo 5; echo 1; echo loading >&2; echo out of memory >&2; exit 3"), @r"
the model did not answer: PROGRAM: it ended (exit status: 3) before it had answered 5 rows; its last words: loading
out of memory
");
    insta::assert_snapshot!(error("exit 0"), @"the model did not answer: PROGRAM: it ended (exit status: 0) before it had answered 5 rows; it said nothing on its standard error");
    insta::assert_snapshot!(error("kill -9 $$"), @"the model did not answer: PROGRAM: it ended (signal: 9 (SIGKILL)) before it had answered 5 rows; it said nothing on its standard error");
    let script = "read names; exec cat 3>&1 > /dev/null";
    let process = start(
        script,
        ProcessOptions {
            timeout: Duration::from_millis(50),
            ..options()
        },
    );
    let silent = process.predict(rows()).unwrap_err().to_string();
    assert!(
        silent.contains("no complete answer to 5 rows within 0.05 seconds"),
        "{silent}"
    );
    // It has been ended.
    let again = process.predict(rows()).unwrap_err().to_string();
    assert!(again.contains("it ended ("), "{again}");
    // One that does not even read.
    let many = Array2::zeros((40_000, 8));
    let short = ProcessOptions {
        rows: 40_000,
        timeout: Duration::from_millis(50),
        ..options()
    };
    let deaf = start("exec sleep 100", short)
        .predict(many)
        .unwrap_err()
        .to_string();
    assert!(deaf.contains("no complete answer to 40000 rows"), "{deaf}");
}

#[test]
fn an_answer_that_is_none_is_told() {
    let says = |lines: &str| {
        error(&format!(
            "read names; printf '{lines}'; exec cat 3>&1 > /dev/null"
        ))
    };
    insta::assert_snapshot!(error("exec cat"), @r#"PROGRAM: not a usable black box model: at its answer to 5 rows: it begins with the line `a,"b, ""c"""`; expected 5, the number of rows, and then a line for each; messages belong on the standard error"#);
    insta::assert_snapshot!(says("loading the model\\n5\\n"), @"PROGRAM: not a usable black box model: at its answer to 5 rows: it begins with the line `loading the model`; expected 5, the number of rows, and then a line for each; messages belong on the standard error");
    insta::assert_snapshot!(says("4\\n1\\n2\\n3\\n4\\n"), @"PROGRAM: not a usable black box model: at its answer to 5 rows: it begins with the line `4`; expected 5, the number of rows, and then a line for each; messages belong on the standard error");
    insta::assert_snapshot!(says("5\\n1\\n2\\nyes\\n"), @"PROGRAM: not a usable black box model: at its answer to 5 rows: `yes` in the line of row 2, `yes`, is no number; expected outputs between commas");
    insta::assert_snapshot!(says("5\\n1,2\\n\\n"), @"PROGRAM: not a usable black box model: at its answer to 5 rows: `` in the line of row 1, ``, is no number; expected outputs between commas");
    insta::assert_snapshot!(says("5\\n1,2\\n3\\n"), @"PROGRAM: not a usable black box model: at its answer to 5 rows: 1 outputs of row 1, but 2 of row 0; expected the same number for every row");
    // A line too many is no answer to the next batch.
    let process = start(
        "read names; printf '1\\n7\\n8\\n'; exec cat 3>&1 > /dev/null",
        options(),
    );
    let one = array![[1.0, 2.0]];
    assert_eq!(process.predict(one.clone()).unwrap(), array![[7.0]]);
    let next = process.predict(one).unwrap_err().to_string();
    assert!(
        next.contains("it begins with the line `8`; expected 1, the number of rows"),
        "{next}"
    );
}

#[test]
fn batches_of_different_widths_are_told() {
    let script = "read names; printf '3\\n1\\n2\\n3\\n2\\n1,2\\n1,2\\n'; exec cat 3>&1 > /dev/null";
    let process = start(
        script,
        ProcessOptions {
            rows: 3,
            ..options()
        },
    );
    let error = process.predict(rows()).unwrap_err().to_string();
    assert!(
        error.contains("batches have different numbers of outputs"),
        "{error}"
    );
    let none = ProcessOptions {
        rows: 0,
        ..options()
    };
    let error = Process::start("sh", &[], &[], none)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("rows: 0 is not allowed"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn no_program_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    // One that ends with its input, and one that does not hear of it.
    for after in ["exec cat", "read count; echo 1; echo 2; exec sleep 1000"] {
        let script = format!("read names; echo $$ > {}; {after}", file.display());
        let process = start(&script, options());
        process.predict(array![[1.0, 2.0]]).unwrap();
        let id = std::fs::read_to_string(&file).unwrap();
        assert!(runs(&id));
        drop(process);
        assert!(!Path::new("/proc").join(id.trim()).exists(), "{after}");
    }
    // One whose answer was wrong.
    let script = format!(
        "read names; echo $$ > {}; echo what; exec sleep 1000",
        file.display()
    );
    let process = start(&script, options());
    process.predict(array![[1.0, 2.0]]).unwrap_err();
    let id = std::fs::read_to_string(&file).unwrap();
    assert!(!Path::new("/proc").join(id.trim()).exists());
}

/// Whoever interrupts the command interrupts the program.
#[cfg(all(feature = "cli", target_os = "linux"))]
#[test]
fn an_interrupted_command_leaves_no_program_behind() {
    use std::process::{Command, Stdio};
    use std::thread::sleep;

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "model.sh",
        "read names\necho $$ > part\nmv part id\nexec cat 3>&1 > /dev/null\n",
    );
    write("rows.csv", "a,b\n1,2\n3,4\n");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("whylight"))
        .args(["explain", "--model-command", "sh model.sh"])
        .args(["--data", "rows.csv", "--background", "rows.csv"])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = folder.path().join("id");
    let pause = || sleep(Duration::from_millis(10));
    for _ in 0..3000 {
        if file.exists() {
            break;
        }
        pause();
    }
    let id = std::fs::read_to_string(file).unwrap();
    assert!(runs(&id));
    let signal = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", command.id())])
        .status();
    assert!(signal.unwrap().success());
    assert!(!command.wait().unwrap().success());
    for _ in 0..3000 {
        if !runs(&id) {
            break;
        }
        pause();
    }
    assert!(!runs(&id));
}
