//! The CPU kernels of whylight. A kernel is a contract with two implementations of one name: the
//! one here and a compute shader. This crate knows no files, no GPU and no Python.
//!
//! All tree kernels read a [`Forest`] and a [`Block`] of rows in columns of float32, and add to
//! float64 accumulators. They differ in what they precompute:
//!
//! | kernel | precomputes | for |
//! |---|---|---|
//! | [`tree_tables`] | the values of every decision pattern | shallow and oblivious trees, many rows |
//! | [`tree_quadrature`] | the factors of every edge at the quadrature points | deep trees; few rows |
//! | [`tree_quadrature_interactions`] | nothing | interactions of trees too deep for tables |
//! | [`tree_leaves`] | nothing (on a GPU a table per leaf: [`tree_leaf_weights`], [`tree_leaf_tables`]) | interventional values of deep trees against many rows |
//! | [`tree_pairs`] | nothing | interventional values of few pairs of rows |
//! | [`tree_pairs_interactions`] | nothing | interventional interactions of trees too deep for tables |
//! | [`predict_trees`] | nothing | margins |
//! | [`coalition_trees`] | nothing | outputs that are no sum over trees |
//!
//! [`shuffled_trees`] reads the ranks of rows' cells instead, and sums whole numbers: margins of rows some of whose cells
//! are another row's.
//!
//! [`kmeans_assign`] reads a [`Block`], too, and finds the nearest centre of each of its rows.
//!
//! All models that begin with sums or products over features read the terms of players, of rows and of background
//! rows. [`coalition_sums`] makes units of them, which [`normalised_units`] divides by norms where rows are, as does [`shuffled_sums`] of rows some of whose cells are another row's;
//! [`linear`], [`kernel_machine`], [`mlp`] and [`neighbours`] make margins of units, and [`decision`] answers of
//! margins; [`least_squares`] has values of what coalitions are worth, and [`product_games`] values that need no
//! coalitions.
//!
//! The steps of networks read numbers by cell and lane ([`tile`]), forward and back: [`convolution`] (layers of neurons,
//! too), [`gather`], [`scale`], [`rescale`] of the functions in [`curve`], [`products`], [`pooling`], [`softmax`] and
//! [`embedding`]; [`contributions`] has what their multipliers make of the differences. [`lines`] has the points where
//! gradients are taken.
//!
//! [`weighted_gram`] sums the samples about explained rows for LIME; [`symmetric`] has the products of float64 matrices
//! that it is made of.
//!
//! The network of texts reads its numbers in rows ([`matrix`]), word by word: [`vectors`], [`matmul`], [`gru`] and
//! [`attention`], forward and back, [`loss`] and [`adam`].

pub mod adam;
pub mod attention;
pub mod binding;
pub mod block;
pub mod coalition_sums;
pub mod coalition_trees;
pub mod contributions;
pub mod convolution;
pub mod curve;
pub mod decision;
pub mod embedding;
pub mod forest;
pub mod gather;
pub mod gru;
pub mod kernel_machine;
pub mod kmeans_assign;
pub mod lanes;
mod leaf_game;
pub mod least_squares;
pub mod legendre;
pub mod linear;
pub mod lines;
pub mod loss;
pub mod machine;
pub mod matmul;
pub mod matrix;
pub mod mlp;
pub mod neighbours;
pub mod normalised_units;
pub mod pooling;
pub mod predict_trees;
pub mod product_games;
pub mod products;
pub mod rescale;
pub mod response;
mod saturation;
pub mod scale;
pub mod seeds;
pub mod shuffled_sums;
pub mod shuffled_trees;
mod simd;
pub mod softmax;
pub mod symmetric;
pub mod synthetic_rows;
pub mod tile;
pub mod tree_leaf_tables;
pub mod tree_leaf_weights;
pub mod tree_leaves;
pub mod tree_pairs;
pub mod tree_pairs_interactions;
pub mod tree_patterns;
pub mod tree_quadrature;
pub mod tree_quadrature_interactions;
pub mod tree_tables;
pub mod vectors;
pub mod weighted_gram;
pub mod words;

pub use block::{Block, ROWS};
pub use forest::{Forest, Node, Test};
pub use simd::{Level, Real};
