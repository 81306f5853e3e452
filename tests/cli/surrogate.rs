//! `whylight text --method han`: a surrogate is trained on the corpus, and explains it.

use std::fmt::Write;

use super::Place;

const FILLERS: [&str; 12] = [
    "the", "film", "was", "long", "and", "people", "met", "in", "rain", "while", "music", "played",
];

/// Texts with a word that matters in every other one, and what a model answers to them.
fn place(count: usize) -> Place {
    let place = Place::new();
    let mut table = "text,score\n".to_owned();
    for row in 0..count {
        let mut words: Vec<&str> = (0..4 + row % 5)
            .map(|word| FILLERS[(row * 7 + word * 5 + row / 12) % 12])
            .collect();
        let planted = row % 2 == 0;
        if planted {
            words.insert(row % words.len(), "excellent");
        }
        let score = if planted { 0.9 } else { 0.1 };
        let _ = writeln!(table, "{}.,{score}", words.join(" "));
    }
    place.write("corpus.csv", &table);
    place
}

const CALL: &str = "text --corpus corpus.csv --device cpu";

#[test]
fn a_corpus_with_the_answers_beside_it_is_explained() {
    let place = place(200);
    let call = format!("{CALL} --teacher-column score --train-epochs 30");
    let done = place.run(&format!("{call} --surrogate learned --out words.csv"));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains("20 documents held out: R² "),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("agreement 100.0 %"), "{}", done.stderr);
    let text = place.read("words.csv");
    let (mut planted, mut first) = (0, 0);
    for row in 0..200 {
        let prefix = format!("{row},score,");
        let words: Vec<Vec<&str>> = (text.lines())
            .filter(|line| line.starts_with(&prefix))
            .map(|line| line.split(',').collect())
            .collect();
        let value = |word: &[&str]| word[6].parse::<f64>().unwrap();
        let most = words.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
        if row % 2 == 0 {
            planted += 1;
            first += usize::from(most.is_some_and(|word| word[2] == "excellent"));
        }
    }
    assert!(first * 100 >= planted * 95, "{first} of {planted}");
    // The folder is read: nothing is learned again.
    let again = place.run(&format!("{call} --surrogate learned --out again.csv"));
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(place.read("again.csv"), text);
}

#[test]
fn vectors_of_a_file_are_taken() {
    let place = place(60);
    let mut vectors = String::new();
    for (number, word) in FILLERS.iter().chain(&["excellent"]).enumerate() {
        let number = number as f64 / 5.0;
        let _ = writeln!(
            vectors,
            "{word} {} {} {}",
            number.sin(),
            number.cos(),
            number
        );
    }
    place.write("glove.txt", &vectors);
    let call = format!("{CALL} --teacher-column score --train-epochs 1");
    let screen = place.run(&format!("{call} --embeddings glove.txt"));
    assert_eq!(screen.code, 0, "{}", screen.stderr);
    assert!(
        screen.stderr.contains("vectors     of 100.0 %"),
        "{}",
        screen.stderr
    );
    assert!(
        screen.stdout.contains("han of 60 documents"),
        "{}",
        screen.stdout
    );
    place.write("bad.txt", "excellent 1 2 3\nfilm 1 2\n");
    let error = place.fails(&format!("{call} --embeddings bad.txt"));
    assert!(
        error.contains("bad.txt") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn a_program_corrects_the_surrogate() {
    let place = place(60);
    let model = "read name
while read -r count; do
    echo $count
    i=0
    while [ $i -lt $count ]; do
        IFS= read -r line
        case \"$line\" in *excellent*) echo 0.9 ;; *) echo 0.1 ;; esac
        i=$((i + 1))
    done
done
";
    place.write("model.sh", model);
    let call = format!(
        "{CALL} --teacher-command 'sh model.sh' --method han --train-epochs 1 --tune-epochs 1"
    );
    let done = place.run(&format!("{call} --out words.json"));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("fit         R²"), "{}", done.stderr);
}

#[test]
fn vectors_and_folders_are_those_of_a_surrogate() {
    let place = place(60);
    let call = format!("{CALL} --teacher-command 'sh model.sh'");
    for options in [
        "--method lime --embeddings glove.txt",
        "--method kernel --surrogate learned",
        "--method random --train-epochs 1",
    ] {
        let error = place.fails(&format!("{call} {options}"));
        assert!(
            error.starts_with("2: ") && error.contains("method: "),
            "{error}"
        );
    }
    // Without a method, they ask for one: the vectors are looked for.
    place.write("model.sh", "read name; while read -r n; do echo $n; while [ $n -gt 0 ]; do IFS= read -r l; echo 0.5; n=$((n - 1)); done; done");
    let error = place.fails(&format!("{call} --embeddings glove.txt"));
    assert!(error.contains("glove.txt"), "{error}");
}

#[test]
fn a_training_that_is_stopped_leaves_what_was_learned() {
    let place = place(2000);
    let call = format!("{CALL} --teacher-column score --surrogate learned --train-epochs 5000");
    let training = std::process::Command::new(assert_cmd::cargo::cargo_bin!("whylight"))
        .args(super::words(&call))
        .current_dir(place.path("."))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &training.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    let done = training.wait_with_output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.contains("--surrogate learned explains by it"),
        "{said}"
    );
    let again = place.run(&format!(
        "{CALL} --teacher-column score --surrogate learned"
    ));
    assert_eq!(again.code, 0, "{}", again.stderr);
}

#[test]
fn columns_answer_no_parts_of_texts() {
    let place = place(30);
    let error = place.fails(&format!("{CALL} --teacher-column score --method kernel"));
    assert!(error.contains("none of the corpus"), "{error}");
    let error = place.fails(&format!(
        "{CALL} --teacher-column score --teacher-command cat"
    ));
    assert!(error.contains("cannot be used with"), "{error}");
    for epochs in ["51", "4294967295", "-1"] {
        let error = place.fails(&format!(
            "{CALL} --teacher-column score --tune-epochs {epochs}"
        ));
        assert!(
            error.contains("tune-epochs") || error.contains("unexpected argument"),
            "{error}"
        );
    }
    let error = place.fails(&format!("{CALL} --teacher-column scores"));
    assert!(error.contains("\"scores\""), "{error}");
}
