//! A surrogate of gradient boosted trees, trained by the crate `forust-ml`, whose trees can be read.

use forust_ml::objective::ObjectiveType;
use forust_ml::{GradientBooster, Matrix};
use ndarray::Axis;

use super::Lesson;
use super::categories::Order;
use crate::error::{Error, MEMORY, Result};
use crate::model::{Fraction, Missing, Node, Output, Precision, Split, Test, Tree, Trees};

type Orders = Vec<Option<Order>>;

/// Trees of each margin.
const TREES: usize = 150;
/// How much of what is left each of them learns.
const RATE: f32 = 0.15;
/// Splits on a path at most.
const DEPTH: usize = 6;
/// Training rows of a leaf at least, of 200 and more; of fewer a tenth of them.
const LEAF: usize = 20;

/// Trees of each margin by squared errors, one margin after the other.
pub(super) fn fit(lesson: &Lesson<'_>, rows: &[usize]) -> Result<Trees> {
    let cells = lesson.cells.select(Axis(0), rows);
    let (height, width) = cells.dim();
    // One column after the other.
    let mut columns: Vec<f64> = cells.t().iter().copied().collect();
    let weights = vec![1.0; height];
    let (mut trees, mut base) = (Vec::new(), Vec::new());
    for (output, margin) in lesson
        .margins
        .select(Axis(0), rows)
        .columns()
        .into_iter()
        .enumerate()
    {
        let targets = margin.to_vec();
        let orders: Orders = (cells.columns().into_iter().zip(&lesson.categories))
            .map(|(column, is_category)| is_category.then(|| Order::of(&column, &targets)))
            .collect();
        for (column, order) in orders.iter().enumerate() {
            if let Some(order) = order {
                let places = cells.column(column).mapv(|cell| order.place(cell));
                columns[column * height..][..height].copy_from_slice(&places.to_vec());
            }
        }
        let data = Matrix::new(&columns, height, width);
        let mut booster = GradientBooster::default()
            .set_objective_type(ObjectiveType::SquaredLoss)
            .set_iterations(TREES)
            .set_learning_rate(RATE)
            .set_max_depth(DEPTH)
            .set_min_leaf_weight((height / 10).clamp(1, LEAF) as f32)
            .set_initialize_base_score(true)
            .set_allow_missing_splits(false)
            .set_seed(lesson.seed);
        (booster.fit(&data, &targets, &weights, None)).map_err(|error| unfit(&error))?;
        base.push(booster.base_score);
        for (iteration, tree) in booster.trees.iter().enumerate() {
            trees.push(read(tree, output as u32, iteration as u32, &orders));
        }
    }
    let trees = Trees {
        format: "surrogate trees",
        objective: String::new(),
        features: lesson.features.to_vec(),
        outputs: lesson.outputs.clone(),
        base,
        precision: Precision::F64,
        fraction: Fraction::Truncate,
        trees,
        averaged: false,
        best_iteration: None,
        has_cover: true,
    };
    Ok(trees)
}

/// A tree as the engine reads it; its nodes are where they are. A cell below the threshold goes left, or a category whose
/// place is; and a missing one to the side that the training chose.
fn read(tree: &forust_ml::tree::Tree, output: u32, iteration: u32, orders: &Orders) -> Tree {
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    for node in &tree.nodes {
        let cover = f64::from(node.hessian_sum);
        if node.is_leaf {
            let leaf = values.len() as u32;
            values.push(f64::from(node.weight_value));
            nodes.push(Node::Leaf { leaf, cover });
            continue;
        }
        nodes.push(Node::Split(Split {
            feature: node.split_feature as u32,
            test: match orders.get(node.split_feature).and_then(Option::as_ref) {
                Some(order) => order.test(node.split_value),
                None => Test::Below(node.split_value),
            },
            missing: Missing::Nan,
            missing_left: node.missing_node == node.left_child,
            left: node.left_child as u32,
            right: node.right_child as u32,
            cover,
        }));
    }
    Tree {
        nodes,
        values,
        output: Output::One(output),
        iteration,
        linear: Vec::new(),
    }
}

fn unfit(error: &forust_ml::errors::ForustError) -> Error {
    Error::Data {
        path: MEMORY.into(),
        at: "the answers of the model".to_owned(),
        reason: format!("a surrogate of trees could not learn them: {error}"),
    }
}
