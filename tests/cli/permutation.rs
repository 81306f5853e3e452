//! `whylight explain --method permutation`: against labels beside the rows.

use std::fmt::Write;

use super::Place;

/// The example's rows with labels that two columns decide: numbers, words, and a number of neither.
fn place() -> Place {
    let place = Place::new();
    let rows = place.read("rows.csv");
    let mut lines = rows.lines();
    let mut table = format!("{},label,kind,size,half\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let is_large = cells[20] > 16.8;
        let kind = if is_large { "malignant" } else { "benign" };
        let label = u8::from(!is_large);
        let _ = writeln!(table, "{line},{label},{kind},{},{}", cells[23], row % 2);
    }
    place.write("labelled.csv", table);
    place
}

const CALL: &str =
    "explain --method permutation --model model.json --data labelled.csv --device cpu";
const REST: &str = "--drop kind --drop size --drop half";

#[test]
fn a_classifier_is_scored_by_f1_and_its_features_are_ranked() {
    let place = place();
    let screen = place.ok(&format!("{CALL} --labels label {REST} --repeats 10"));
    assert!(
        screen.contains("method      permutation, 10 repeats, seed 0\n"),
        "{screen}"
    );
    assert!(
        screen.contains("metric      f1_micro of the probability output, 0.9"),
        "{screen}"
    );
    assert!(
        screen.contains("Features by what f1_micro falls by once they are shuffled"),
        "{screen}"
    );
    let table: Vec<&str> = screen
        .lines()
        .skip_while(|line| !line.starts_with("feature"))
        .collect();
    assert!(
        table[0].contains("importance") && table[0].contains("± std. error"),
        "{screen}"
    );
    assert!(
        table[1].starts_with("worst ") && table[1].contains(" ± 0."),
        "{screen}"
    );
}

#[test]
fn the_whole_result_is_json_and_a_row_per_feature_csv() {
    let place = place();
    let call = format!("{CALL} --labels label {REST} --metric roc_auc --seed 3");
    place.ok(&format!("{call} --out out.json"));
    let json = place.json("out.json");
    assert_eq!(json["method"], "permutation");
    assert_eq!(json["metric"], "roc_auc");
    assert_eq!(json["is_error"], false);
    assert_eq!(json["engine"], "trees");
    assert_eq!(
        (json["n_repeats"].as_u64(), json["seed"].as_u64()),
        (Some(5), Some(3))
    );
    assert!(json["base_score"].as_f64().unwrap() > 0.95);
    let means = json["means"].as_array().unwrap();
    assert_eq!(means.len(), 30);
    place.ok(&format!("{call} --out out.csv --threads 1"));
    let csv = place.read("out.csv");
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(
        lines[0],
        [
            "feature",
            "importance",
            "standard_deviation",
            "standard_error",
            "repeat_0",
            "repeat_1",
            "repeat_2",
            "repeat_3",
            "repeat_4"
        ]
    );
    assert_eq!(lines.len(), 31);
    for (feature, line) in lines[1..].iter().enumerate() {
        assert_eq!(line[0], json["feature_names"][feature]);
        assert_eq!(
            line[1].parse::<f64>().unwrap(),
            means[feature].as_f64().unwrap()
        );
        let repeats = json["importances"][feature].as_array().unwrap();
        let last: f64 = line[8].parse().unwrap();
        assert_eq!(last, repeats[4].as_f64().unwrap());
    }
}

#[test]
fn groups_are_shuffled_together_and_strata_apart() {
    let place = place();
    let call = format!("{CALL} --labels label --drop kind --drop size");
    place.ok(&format!(
        "{call} --strata half --group 'worst=worst radius,worst area' --out out.json"
    ));
    let json = place.json("out.json");
    assert_eq!(json["strata"], 2);
    assert_eq!(json["feature_names"].as_array().unwrap().len(), 29);
    assert_eq!(json["groups"][0][0], "worst");
    // Strata that the model reads stay among its columns.
    let call = format!("{CALL} --labels label --drop kind --drop size --drop half");
    place.ok(&format!("{call} --strata 'worst radius' --out out.json"));
    let json = place.json("out.json");
    let radius = json["feature_names"].as_array().unwrap();
    let radius = radius
        .iter()
        .position(|name| name == "worst radius")
        .unwrap();
    assert_eq!(json["means"][radius], 0.0);
}

#[test]
#[cfg(unix)]
fn a_program_is_asked_and_regression_takes_the_absolute_error() {
    let place = place();
    let model = "read names
while read -r count; do
    echo $count
    while [ $count -gt 0 ]; do
        IFS=, read -r a b c
        echo $((2 * ${a%.0} + ${c%.0}))
        count=$((count - 1))
    done
done
";
    place.write("model.sh", model);
    place.write(
        "small.csv",
        "a,b,c,y\n1,5,2,4\n2,6,1,5\n4,7,0,8\n3,8,2,8\n0,9,1,1\n",
    );
    let call = "explain --method permutation --model-command 'sh model.sh' --data small.csv --labels y \
                --device cpu --repeats 20";
    place.ok(&format!("{call} --out out.json"));
    let json = place.json("out.json");
    assert_eq!(json["metric"], "mean_absolute_error");
    assert_eq!(
        (json["is_error"].as_bool(), json["engine"].as_str()),
        (Some(true), Some("asked"))
    );
    assert_eq!(json["base_score"], 0.0);
    let means: Vec<f64> = json["means"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mean| mean.as_f64().unwrap())
        .collect();
    assert!(
        means[0] > means[2] && means[2] > 0.0 && means[1] == 0.0,
        "{means:?}"
    );
}

#[cfg(feature = "http")]
#[test]
fn an_endpoint_is_asked() {
    use crate::support::server::Server;
    let place = place();
    let server = Server::of(|row| (row[0] - row[1]).into());
    place.write("small.csv", "a,b,y\n1,5,-4\n2,6,-4\n4,7,-3\n3,8,-5\n");
    let call = format!(
        "explain --method permutation --model {} --data small.csv --labels y --device cpu --metric rmse",
        server.url("/predict")
    );
    let screen = place.ok(&call);
    assert!(
        screen.contains("engine      asked") && screen.contains("root_mean_squared_error rises"),
        "{screen}"
    );
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let place = place();
    insta::assert_snapshot!(place.fails(CALL), @"2: error: labels: none is not allowed: permutation importance is how much worse answers fit the true labels: name their column of the rows");
    insta::assert_snapshot!(place.fails(&format!("{CALL} --labels lable")), @r#"1: error: labelled.csv: at column "lable": no column has this name; the columns are "mean radius", "mean texture", "mean perimeter", "mean area", "mean smoothness", "mean compactness", "mean concavity", "mean concave points", "mean symmetry", "mean fractal dimension" and 24 more"#);
    insta::assert_snapshot!(place.fails(&format!("{CALL} --labels kind --drop label --drop size --drop half")), @"1: error: labelled.csv: at the label of row 1: benign; expected a class from 0 to 1");
    insta::assert_snapshot!(place.fails(&format!("{CALL} --labels size --drop label --drop kind --drop half")), @"1: error: labelled.csv: at the label of row 1: 788; expected a class from 0 to 1");
    insta::assert_snapshot!(place.fails(&format!("{CALL} --labels kind --drop label --drop size --drop half --metric r2")), @r#"1: error: labelled.csv: at the label of row 1: "benign"; expected a number"#);
    insta::assert_snapshot!(place.fails(&format!("{CALL} --labels label {REST} --interactions")), @"2: error: interactions: given with --method permutation is not allowed: leave it out: it is of Shapley values");
    insta::assert_snapshot!(place.fails(&format!("{CALL} --labels label {REST} --out out.npy")), @"2: error: out: out.npy is not allowed: of permutation importance, a file that ends in .json (the whole result) or .csv (a row per feature)");
    let tree = "explain --model model.json --data rows.csv --device cpu";
    insta::assert_snapshot!(place.fails(&format!("{tree} --metric r2")), @"2: error: metric: given without --method permutation is not allowed: leave it out, or take the method permutation");
    insta::assert_snapshot!(place.fails(&format!("{tree} --metric best")), @r#"
2: error: invalid value 'best' for '--metric <NAME>': metric: "best" is not allowed: accuracy, balanced_accuracy, precision, precision_micro, precision_macro, precision_weighted, recall, recall_micro, recall_macro, recall_weighted, f1, f1_micro, f1_macro, f1_weighted, jaccard, jaccard_micro, jaccard_macro, jaccard_weighted, matthews_corrcoef, cohen_kappa, roc_auc, roc_auc_ovr_weighted, average_precision, log_loss, brier_score, mean_absolute_error, mean_squared_error, root_mean_squared_error, mean_squared_log_error, root_mean_squared_log_error, mean_absolute_percentage_error, median_absolute_error, max_error, r2, explained_variance, mean_pinball_loss, mean_poisson_deviance, mean_gamma_deviance, fbeta

For more information, try '--help'.
"#);
    insta::assert_snapshot!(place.fails("bench --method permutation --model model.json --data rows.csv"), @"1: error: the method permutation is not supported by bench: take tree, deep or kernel; explain says how long permutation took");
    let one = place
        .read("labelled.csv")
        .replace(",0,malignant,", ",1,benign,");
    place.write("labelled.csv", one);
    insta::assert_snapshot!(place.fails(&format!("{CALL} --labels label {REST}")), @"1: error: labelled.csv: at the labels: all 114 rows are of one class (1): nothing could be told apart; expected rows of at least two");
}
