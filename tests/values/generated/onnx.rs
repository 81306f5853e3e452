//! Drafts as ONNX files of one `TreeEnsembleRegressor`.

use prost::Message;

use super::Library;
use super::draft::{Ask, Average, Draft, Habits, Part, Split, Task};

pub(super) const ONNX: Library = Library {
    name: "onnx",
    first_seed: 300_000,
    habits: Habits {
        members: 1,
        is_vector: None,
        can_be_oblivious: false,
        can_lack_cover: true,
        has_base: true,
        average: Average::Trees,
    },
    is_f32: true,
    yes,
    write,
};

const MODES: [&str; 4] = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"];
const MODES_OF_CATEGORIES: [&str; 2] = ["BRANCH_EQ", "BRANCH_NEQ"];

fn mode(split: &Split) -> &'static str {
    match split.ask {
        Ask::Threshold(_) => MODES[split.kind % 4],
        Ask::Members(_) => MODES_OF_CATEGORIES[split.kind % 2],
    }
}

/// As the mode compares; a missing cell differs from all, and is what the split says.
fn yes(_: &Draft, split: &Split, cell: f64) -> bool {
    let cell = cell as f32;
    let with = match &split.ask {
        Ask::Threshold(threshold) => *threshold as f32,
        Ask::Members(members) => members[0] as f32,
    };
    let holds = match mode(split) {
        "BRANCH_LEQ" => cell <= with,
        "BRANCH_LT" => cell < with,
        "BRANCH_GTE" => cell >= with,
        "BRANCH_GT" => cell > with,
        "BRANCH_EQ" => cell == with,
        _ => cell != with,
    };
    holds || cell.is_nan() && split.missing_yes
}

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<Named>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<Named>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(bytes = "vec", tag = "4")]
    s: Vec<u8>,
    #[prost(float, repeated, tag = "7")]
    floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    strings: Vec<Vec<u8>>,
}

/// A value of the graph: float32, of so many columns.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor: Option<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    value: i64,
}

fn named(name: &str, columns: usize) -> Named {
    let dim = |value| Dimension { value };
    let shape = Some(Shape {
        dim: vec![dim(0), dim(columns as i64)],
    });
    let tensor = Some(Tensor {
        elem_type: 1,
        shape,
    });
    Named {
        name: name.to_owned(),
        kind: Some(Kind { tensor }),
    }
}

/// The attributes of the node: lists with an entry for each part, and for each number of a leaf.
#[derive(Default)]
struct Lists(Vec<Attribute>);

impl Lists {
    fn of(&mut self, name: &str) -> &mut Attribute {
        if let Some(n) = self.0.iter().position(|list| list.name == name) {
            return &mut self.0[n];
        }
        self.0.push(Attribute {
            name: name.to_owned(),
            ..Attribute::default()
        });
        self.0.last_mut().unwrap()
    }

    fn int(&mut self, name: &str, int: usize) {
        self.of(name).ints.push(int as i64);
    }

    fn float(&mut self, name: &str, float: f64) {
        self.of(name).floats.push(float as f32);
    }
}

fn write(draft: &Draft) -> Vec<u8> {
    let mut lists = Lists::default();
    lists.of("n_targets").i = draft.outputs as i64;
    let transform = match draft.task {
        Task::Number => "NONE",
        Task::Binary => "LOGISTIC",
        Task::Classes => "SOFTMAX",
    };
    lists.of("post_transform").s = transform.into();
    for base in &draft.base {
        lists.float("base_values", *base);
    }
    if draft.divisor.is_some() {
        lists.of("aggregate_function").s = "AVERAGE".into();
    }
    for (t, tree) in draft.trees.iter().enumerate() {
        for (n, part) in tree.parts.iter().enumerate() {
            lists.int("nodes_treeids", t);
            lists.int("nodes_nodeids", n);
            if draft.has_cover {
                lists.float("nodes_hitrates", f64::from(tree.cover(n)));
            }
            let (mode, column, with, [no, yes], tracks) = match part {
                Part::Leaf { .. } => ("LEAF", 0, 0.0, [0, 0], false),
                Part::Split(split) => {
                    let with = match &split.ask {
                        Ask::Threshold(threshold) => *threshold,
                        Ask::Members(members) => f64::from(members[0]),
                    };
                    (
                        mode(split),
                        split.column,
                        with,
                        split.next,
                        split.missing_yes,
                    )
                }
            };
            lists.of("nodes_modes").strings.push(mode.into());
            lists.int("nodes_featureids", column);
            lists.float("nodes_values", with);
            lists.int("nodes_truenodeids", yes);
            lists.int("nodes_falsenodeids", no);
            lists.int("nodes_missing_value_tracks_true", usize::from(tracks));
            let Part::Leaf { values, .. } = part else {
                continue;
            };
            for (k, value) in values.iter().enumerate() {
                let k = if draft.is_vector {
                    k
                } else {
                    t % draft.outputs
                };
                lists.int("target_ids", k);
                lists.int("target_treeids", t);
                lists.int("target_nodeids", n);
                lists.float("target_weights", *value);
            }
        }
    }
    let node = Node {
        input: vec!["x".to_owned()],
        output: vec!["y".to_owned()],
        op_type: "TreeEnsembleRegressor".to_owned(),
        attribute: lists.0,
        domain: "ai.onnx.ml".to_owned(),
    };
    let graph = Graph {
        node: vec![node],
        input: vec![named("x", draft.columns.len())],
        output: vec![named("y", draft.outputs)],
    };
    let model = Model {
        ir_version: 8,
        graph: Some(graph),
    };
    model.encode_to_vec()
}
