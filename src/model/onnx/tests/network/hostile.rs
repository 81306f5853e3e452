//! Files that mean harm: an error in a moment, whatever they ask for.

use std::path::Path;

use prost::Message;

use super::{complaint, file, floats, ints, matrix, model, number, op, shaped, with_input};
use crate::error::Error;
use crate::model::network::{Shapes, load, parse};
use crate::model::onnx::message::{
    AttributeMessage, EXTERNAL, EntryMessage, FLOAT, GraphMessage, TensorMessage,
};
use crate::model::onnx::tests::{NodeMessage, attribute};

const HUGE: i64 = 1 << 60;

fn says(graph: GraphMessage, words: &str) {
    let error = complaint(graph);
    assert!(error.contains(words), "{error}");
    assert!(error.contains("made.onnx"), "{error}");
}

#[test]
fn cycles_and_nodes_out_of_order_are_errors() {
    let nodes = vec![op("Add", &["x", "b"], "out"), op("Relu", &["out"], "b")];
    says(
        model(nodes, Vec::new()),
        "\"b\" is not there before this node",
    );
    let own = vec![op("Add", &["x", "out"], "out")];
    says(model(own, Vec::new()), "\"out\" is not there");
    let twice = vec![op("Relu", &["x"], "out"), op("Tanh", &["x"], "out")];
    says(model(twice, Vec::new()), "made twice");
}

#[test]
fn constants_that_are_asked_for_are_counted_before_they_are_made() {
    for dims in [
        vec![HUGE],
        vec![1 << 20, 1 << 20],
        vec![1 << 27, 4],
        vec![0, HUGE],
        vec![-4],
    ] {
        let node = op("ConstantOfShape", &["shape"], "big");
        let add = op("Add", &["x", "big"], "out");
        complaint(model(vec![node, add], vec![ints("shape", &dims)]));
        let expand = op("Expand", &["x", "shape"], "out");
        if !dims.contains(&0) {
            complaint(model(vec![expand], vec![ints("shape", &dims)]));
        }
    }
    let tile = op("Tile", &["x", "times"], "out");
    complaint(model(
        vec![tile.clone()],
        vec![ints("times", &[1, 1_000_000_000])],
    ));
    complaint(model(vec![tile], vec![ints("times", &[HUGE, HUGE])]));
    let range = vec![
        op("Range", &["a", "b", "c"], "big"),
        op("Add", &["x", "big"], "out"),
    ];
    let bounds = |c: f32| vec![number("a", 0.0), number("b", 1e18), number("c", c)];
    complaint(model(range.clone(), bounds(1e-9)));
    complaint(model(range, bounds(0.0)));
    let many =
        |name: &str, i: usize| op("Concat", &[name; 100], &format!("d{i}")).with_int("axis", 1);
    let mut nodes: Vec<NodeMessage> = vec![many("x", 0)];
    nodes.extend((1..10).map(|i| many(&format!("d{}", i - 1), i)));
    nodes.push(op("Relu", &["d9"], "out"));
    says(model(nodes, Vec::new()), "too many");
}

#[test]
fn sizes_that_cannot_be_are_errors() {
    let relu = || model(vec![op("Relu", &["x"], "out")], Vec::new());
    for sizes in [["1", "-3"], ["1", "1152921504606846976"], ["-1", "-1"]] {
        complaint(with_input(relu(), &sizes));
    }
    complaint(with_input(relu(), &["n", "100000000", "100000000"]));
    for shape in [
        vec![-1, -1],
        vec![-2, 2],
        vec![3],
        vec![HUGE, HUGE],
        vec![0, 0, 0],
    ] {
        let node = op("Reshape", &["x", "shape"], "out");
        complaint(model(vec![node], vec![ints("shape", &shape)]));
    }
    let pad = op("Pad", &["x", "pads"], "out");
    for pads in [
        vec![HUGE; 4],
        vec![0, i64::MAX, 0, 1],
        vec![0, i64::MIN, 0, 0],
        vec![0; 3],
    ] {
        complaint(model(vec![pad.clone()], vec![ints("pads", &pads)]));
    }
    for axis in [2, -3, i64::MIN, i64::MAX] {
        complaint(model(
            vec![op("Softmax", &["x"], "out").with_int("axis", axis)],
            Vec::new(),
        ));
        complaint(model(
            vec![op("Concat", &["x"], "out").with_int("axis", axis)],
            Vec::new(),
        ));
    }
    let gather = op("Gather", &["x", "at"], "out").with_int("axis", 1);
    for at in [2, -3, i64::MIN, i64::MAX] {
        complaint(model(vec![gather.clone()], vec![ints("at", &[at])]));
    }
}

fn image(node: NodeMessage, tensors: Vec<TensorMessage>) -> GraphMessage {
    with_input(model(vec![node], tensors), &["n", "1", "4", "4"])
}

#[test]
fn windows_that_cannot_be_are_errors() {
    let pool = || op("MaxPool", &["x"], "out");
    for (name, list) in [
        ("kernel_shape", vec![HUGE, HUGE]),
        ("kernel_shape", vec![0, 1]),
        ("kernel_shape", vec![-1, 1]),
        ("kernel_shape", vec![5, 5]),
        ("pads", vec![HUGE; 4]),
        ("pads", vec![-1; 4]),
        ("pads", vec![0, 1]),
        ("strides", vec![0, 0]),
        ("strides", vec![HUGE, 1]),
        ("dilations", vec![HUGE, HUGE]),
    ] {
        let node = pool()
            .with_ints("kernel_shape", &[2, 2])
            .with_ints(name, &list);
        complaint(image(node, Vec::new()));
    }
    let wide = pool()
        .with_ints("kernel_shape", &[1, 1])
        .with_ints("pads", &[1 << 20; 4]);
    complaint(image(wide, Vec::new()));
    let weights = TensorMessage {
        dims: vec![1, 1, 2, 2],
        ..floats("w", &[1.0; 4])
    };
    let conv = || op("Conv", &["x", "w"], "out");
    for (name, list) in [
        ("pads", vec![1 << 30; 4]),
        ("strides", vec![0, 1]),
        ("dilations", vec![9, 9]),
    ] {
        complaint(image(conv().with_ints(name, &list), vec![weights.clone()]));
    }
    complaint(image(conv().with_int("group", 0), vec![weights.clone()]));
    complaint(image(conv().with_int("group", HUGE), vec![weights.clone()]));
    let transposed = op("ConvTranspose", &["x", "w"], "out");
    for (name, list) in [
        ("strides", vec![1 << 30; 2]),
        ("output_shape", vec![1 << 30; 2]),
        ("output_padding", vec![1 << 30; 2]),
    ] {
        complaint(image(
            transposed.clone().with_ints(name, &list),
            vec![weights.clone()],
        ));
    }
    for scale in [1e9, 0.0, -1.0, f32::NAN, f32::INFINITY, 1e-9] {
        let node = op("Resize", &["x", "", "scales"], "out").with_text("mode", "linear");
        complaint(image(
            node,
            vec![floats("scales", &[1.0, 1.0, scale, scale])],
        ));
    }
}

#[test]
fn tensors_that_are_not_what_they_say_are_errors() {
    let add = || vec![op("Add", &["x", "c"], "out")];
    let good = floats("c", &[1.0, 2.0]);
    for (dims, data_type) in [
        (vec![3], FLOAT),
        (vec![-2], FLOAT),
        (vec![HUGE, HUGE], FLOAT),
        (vec![0, HUGE], FLOAT),
        (vec![2], 99),
        (vec![2], -1),
        (vec![2], 8),
    ] {
        let tensor = TensorMessage {
            dims,
            data_type,
            ..good.clone()
        };
        complaint(model(add(), vec![tensor]));
    }
    let torn = TensorMessage {
        raw_data: vec![0; 7],
        float_data: Vec::new(),
        ..good.clone()
    };
    says(model(add(), vec![torn]), "7 bytes");
    let endless = floats("c", &[f32::INFINITY, f32::NAN]);
    complaint(model(vec![op("Mul", &["x", "c"], "out")], vec![endless]));
    let mut graph = model(add(), vec![good]);
    graph.input = vec![shaped("x", 77, &["n", "2"])];
    says(graph, "element type 77");
}

#[test]
fn subgraphs_and_work_are_bounded() {
    let mut graph = GraphMessage {
        node: vec![op("Relu", &["x"], "y")],
        output: vec![shaped("y", FLOAT, &[])],
        ..GraphMessage::default()
    };
    for _ in 0..60 {
        let node = op("If", &["is"], "y").with(AttributeMessage {
            graph: Some(Box::new(graph)),
            ..attribute("then_branch")
        });
        graph = GraphMessage {
            node: vec![node],
            output: vec![shaped("y", FLOAT, &[])],
            ..GraphMessage::default()
        };
    }
    graph.node.push(op("Relu", &["y"], "out"));
    graph.input = vec![shaped("x", FLOAT, &["n", "2"])];
    graph.output = vec![shaped("out", FLOAT, &["n", "2"])];
    graph.initializer = vec![number("is", 1.0)];
    complaint(graph);
    // A sequence of a million positions has more steps than a network may.
    let lstm = op("LSTM", &["x", "w", "r"], "out").with_int("hidden_size", 1);
    let weights = |name: &str| TensorMessage {
        dims: vec![1, 4, 1],
        ..floats(name, &[0.5; 4])
    };
    let graph = with_input(
        model(vec![lstm], vec![weights("w"), weights("r")]),
        &["1000000", "1", "1"],
    );
    says(graph, "too many steps");
    // Products of constants that take longer than anyone waits.
    let wide = TensorMessage {
        dims: vec![2000, 2000],
        ..floats("c", &vec![0.0; 4_000_000])
    };
    let nodes = vec![
        op("MatMul", &["c", "c"], "p"),
        op("ReduceSum", &["p"], "s"),
        op("Add", &["x", "s"], "out"),
    ];
    says(model(nodes, vec![wide]), "too many");
    let dense = model(
        vec![op("MatMul", &["x", "w"], "out")],
        vec![matrix("w", [2, 2], &[f32::NAN; 4])],
    );
    complaint(dense);
}

#[test]
fn weights_in_other_files_are_read_from_the_models_own_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("model");
    std::fs::create_dir(&inner).unwrap();
    let bytes: Vec<u8> = [9.0_f32, 1.0, 2.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    std::fs::write(inner.join("weights.bin"), &bytes).unwrap();
    std::fs::write(folder.path().join("secret.bin"), &bytes).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("secret.bin"), inner.join("link.bin")).unwrap();
    let made = |entries: &[(&str, &str)]| {
        let entry = |&(key, value): &(&str, &str)| EntryMessage {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let tensor = TensorMessage {
            float_data: Vec::new(),
            external: entries.iter().map(entry).collect(),
            data_location: EXTERNAL,
            ..floats("c", &[0.0; 2])
        };
        file(model(vec![op("Add", &["x", "c"], "out")], vec![tensor])).encode_to_vec()
    };
    let path = inner.join("net.onnx");
    let from = |entries: &[(&str, &str)]| {
        std::fs::write(&path, made(entries)).unwrap();
        load(&path, &Shapes::default())
    };
    let network = from(&[
        ("location", "weights.bin"),
        ("offset", "4"),
        ("length", "8"),
    ])
    .unwrap();
    assert_eq!(network.raw(&[0.0, 0.0]), [1.0, 2.0]);
    let outside = folder.path().join("secret.bin");
    for location in [
        "../secret.bin",
        outside.to_str().unwrap(),
        "link.bin",
        "./../secret.bin",
        "none.bin",
        "",
        ".",
    ] {
        if location == "link.bin" && cfg!(not(unix)) {
            continue;
        }
        let error = from(&[("location", location)]).unwrap_err();
        assert!(matches!(error, Error::Model { .. }), "{location}: {error}");
    }
    for (offset, length) in [
        ("8", "8"),
        ("0", "4"),
        ("-1", "8"),
        ("18446744073709551615", "8"),
        ("x", "8"),
    ] {
        let error = from(&[
            ("location", "weights.bin"),
            ("offset", offset),
            ("length", length),
        ]);
        assert!(
            matches!(error, Err(Error::Model { .. })),
            "{offset}, {length}"
        );
    }
    let error = parse(
        &made(&[("location", "weights.bin")]),
        Path::new("<memory>"),
        &Shapes::default(),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("a model in memory"), "{error}");
}
