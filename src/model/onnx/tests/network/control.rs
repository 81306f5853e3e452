//! Loops: what their turns make, and those whose turns depend on the example.

use super::*;

const TRUTH: i32 = 9;

/// A graph inside a node.
fn inside(inputs: &[&str], nodes: Vec<NodeMessage>, outputs: &[&str]) -> AttributeMessage {
    let value = |name: &&str| ValueMessage {
        name: (*name).to_owned(),
        kind: None,
    };
    AttributeMessage {
        graph: Some(Box::new(GraphMessage {
            node: nodes,
            input: inputs.iter().map(value).collect(),
            output: outputs.iter().map(value).collect(),
            ..GraphMessage::default()
        })),
        ..attribute("body")
    }
}

fn list(name: &str, ints: &[i64]) -> AttributeMessage {
    AttributeMessage {
        ints: ints.to_vec(),
        ..attribute(name)
    }
}

fn count(name: &str, i: i64) -> AttributeMessage {
    AttributeMessage {
        i,
        ..attribute(name)
    }
}

/// A loop that doubles x in each turn and hands out what it had before.
fn doubling(trips: &str, condition: &str) -> NodeMessage {
    let nodes = vec![
        op("Add", &["had", "had"], "has"),
        op("Identity", &["had"], "shown"),
        op("Less", &["turn", "last"], "more"),
    ];
    NodeMessage::new("", "Loop", &[trips, condition, "x"], &["end", "all"]).with(inside(
        &["turn", "go", "had"],
        nodes,
        &["more", "has", "shown"],
    ))
}

fn scalar(name: &str, value: i64) -> TensorMessage {
    TensorMessage {
        dims: Vec::new(),
        ..ints(name, &[value])
    }
}

fn truth(name: &str, value: bool) -> TensorMessage {
    TensorMessage {
        name: name.to_owned(),
        data_type: TRUTH,
        int32_data: vec![value.into()],
        ..TensorMessage::default()
    }
}

/// The graph of a loop, whose outputs are added.
fn looped(node: NodeMessage, trips: i64, last: i64, starts: bool) -> GraphMessage {
    let sum = op("Add", &["all", "end"], "out");
    let tensors = vec![
        scalar("trips", trips),
        scalar("last", last),
        truth("yes", starts),
    ];
    with_input(model(vec![node, sum], tensors), &["1", "2"])
}

#[test]
fn a_loop_takes_the_turns_that_its_trips_and_its_condition_allow() {
    let all = |trips: &str, condition: &str, count: i64, last: i64| {
        read(looped(doubling(trips, condition), count, last, true)).raw(&[1.0, -3.0])
    };
    // x, 2x and 4x are handed out, and 8x is the end.
    let expected: Vec<f64> = [9.0, 10.0, 12.0]
        .iter()
        .flat_map(|&k| [k, -3.0 * k])
        .collect();
    assert_eq!(all("trips", "yes", 3, 100), expected);
    assert_eq!(all("trips", "", 3, 100), expected);
    // The third turn is the last that asks for more.
    assert_eq!(all("trips", "yes", 100, 2), expected);
    assert_eq!(all("", "yes", 0, 2), expected);
    assert_eq!(all("", "", 0, 2), expected);
}

#[test]
fn a_scan_reads_lines_forwards_and_backwards_and_stacks_what_it_makes() {
    // State: the sum so far. Lines: x by columns, backwards, and a constant.
    let nodes = vec![
        op("Mul", &["cell", "weight"], "term"),
        op("Add", &["sum", "term"], "next"),
        op("Identity", &["next"], "shown"),
    ];
    let node = |directions: &[i64], outputs: &[i64]| {
        NodeMessage::new("", "Scan", &["zero", "x", "weights"], &["end", "out"])
            .with(inside(
                &["sum", "cell", "weight"],
                nodes.clone(),
                &["next", "shown"],
            ))
            .with(count("num_scan_inputs", 2))
            .with(list("scan_input_axes", &[1, 0]))
            .with(list("scan_input_directions", directions))
            .with(list("scan_output_axes", &[-1]))
            .with(list("scan_output_directions", outputs))
    };
    let tensors = || {
        vec![
            floats("zero", &[0.0]),
            floats("weights", &[1.0, 10.0, 100.0]),
        ]
    };
    let sums = |directions: &[i64], outputs: &[i64]| {
        let graph = with_input(
            model(vec![node(directions, outputs)], tensors()),
            &["1", "3"],
        );
        let network = read(graph);
        assert_eq!(network.outputs.len(), 3);
        network.raw(&[1.0, 2.0, 3.0])
    };
    assert_eq!(sums(&[0, 0], &[0]), [1.0, 21.0, 321.0]);
    assert_eq!(sums(&[1, 0], &[0]), [3.0, 23.0, 123.0]);
    assert_eq!(sums(&[0, 1], &[1]), [123.0, 120.0, 100.0]);
    let mut uneven = tensors();
    uneven[1] = floats("weights", &[1.0, 10.0]);
    let graph = with_input(model(vec![node(&[0, 0], &[0])], uneven), &["1", "3"]);
    assert!(complaint(graph).contains("lengths [3, 2]"));
    let none = node(&[0, 0], &[0]).with(count("num_scan_inputs", 9));
    let mut none = none;
    none.attribute
        .retain(|a| a.name != "num_scan_inputs" || a.i == 9);
    let graph = with_input(model(vec![none], tensors()), &["1", "3"]);
    assert!(complaint(graph).contains("scans 9 of 3"));
}

#[test]
fn loops_without_a_known_end_are_refused() {
    let complaint_of =
        |node: NodeMessage, trips, last, starts| complaint(looped(node, trips, last, starts));
    let endless = complaint_of(doubling("", "yes"), 0, i64::MAX, true);
    assert!(endless.contains("too many"), "{endless}");
    let none = complaint_of(doubling("trips", "yes"), 0, 9, true);
    assert!(none.contains("no turn"), "{none}");
    let none = complaint_of(doubling("trips", "yes"), 5, 9, false);
    assert!(none.contains("no turn"), "{none}");
    // The condition is a number of the example.
    let mut active = doubling("trips", "yes");
    active.attribute[0].graph.as_mut().unwrap().output[0].name = "has".to_owned();
    let error = complaint_of(active, 3, 9, true);
    assert!(error.contains("changes with the example"), "{error}");
    let error = complaint_of(doubling("x", "yes"), 3, 9, true);
    assert!(error.contains("changes with the example"), "{error}");
    let mut bodiless = doubling("trips", "yes");
    bodiless.attribute.clear();
    assert!(complaint_of(bodiless, 3, 9, true).contains("no body"));
    let mut short = doubling("trips", "yes");
    short.attribute[0]
        .graph
        .as_mut()
        .unwrap()
        .output
        .truncate(1);
    assert!(complaint_of(short, 3, 9, true).contains("1 outputs"));
    // An operator inside is named before anything is done.
    let mut unknown = doubling("trips", "yes");
    unknown.attribute[0].graph.as_mut().unwrap().node[0].op_type = "Frobnicate".to_owned();
    assert!(complaint_of(unknown, 3, 9, true).contains("(Frobnicate)"));
}
