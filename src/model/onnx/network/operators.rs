//! The operators that are read.

use super::Made;
use super::builder::{Builder, Value};
use super::call::Call;
use super::{
    attention, classic, convolution, creation, dense, einsum, elementwise, indexing, logic,
    movement, normalisation, pooling, recurrent, reduction, resize,
};
use crate::model::onnx::graph::ML;

/// Adds the steps of a node; its outputs, or the first of them.
pub(super) type Operator = fn(&mut Builder, &Call<'_>) -> Made<Vec<Value>>;

/// What reads an operator.
pub(super) fn operator(domain: &str, name: &str) -> Option<Operator> {
    match domain {
        "" | "ai.onnx" => standard(name),
        "com.microsoft" => microsoft(name),
        ML => classical(name),
        _ => None,
    }
}

fn standard(name: &str) -> Option<Operator> {
    if elementwise::is_unary(name) {
        return Some(elementwise::unary);
    }
    Some(match name {
        "Erfc" | "Expm1" | "Log1p" => elementwise::of_tensorflow,
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" => elementwise::arithmetic,
        "Sum" | "Mean" | "Max" | "Min" => elementwise::several,
        "Clip" => elementwise::clip,
        "PRelu" => elementwise::prelu,
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => logic::compare,
        "And" | "Or" | "Xor" => logic::connect,
        "Not" => logic::not,
        "IsNaN" | "IsInf" => logic::is_special,
        "Where" => logic::choose,
        "Cast" | "CastLike" => logic::cast,
        "Identity" | "Dropout" => movement::same,
        "Reshape" => movement::reshape,
        "Flatten" => movement::flatten,
        "Squeeze" => movement::squeeze,
        "Unsqueeze" => movement::unsqueeze,
        "Transpose" => movement::transpose,
        "Concat" => movement::concat,
        "Split" => movement::split,
        "Slice" => movement::slice,
        "Expand" => movement::expand,
        "Tile" => movement::tile,
        "Pad" => movement::pad,
        "DepthToSpace" => movement::depth_to_space,
        "SpaceToDepth" => movement::space_to_depth,
        "Gather" => indexing::gather,
        "GatherElements" => indexing::gather_elements,
        "GatherND" => indexing::gather_nd,
        "ScatterND" => indexing::scatter_nd,
        "ScatterElements" => indexing::scatter_elements,
        "Compress" => indexing::compress,
        "ReverseSequence" => indexing::reverse_sequence,
        "Trilu" => indexing::trilu,
        "OneHot" => indexing::one_hot,
        "Constant" => creation::constant,
        "ConstantOfShape" => creation::constant_of_shape,
        "Shape" => creation::shape,
        "Size" => creation::size,
        "Range" => creation::range,
        "EyeLike" => creation::eye_like,
        "NonZero" => creation::non_zero,
        "MatMul" => dense::matmul,
        "Attention" => attention::attention,
        "Gemm" => dense::gemm,
        "Einsum" => einsum::einsum,
        "Conv" => convolution::conv,
        "ConvTranspose" => convolution::conv_transpose,
        "MaxPool" => pooling::max_pool,
        "AveragePool" => pooling::average_pool,
        "LpPool" => pooling::lp_pool,
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => pooling::global,
        "Softmax" | "LogSoftmax" => reduction::softmax,
        "CumSum" => reduction::cumulative,
        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceL1" | "ReduceL2"
        | "ReduceSumSquare" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceProd" => {
            reduction::reduce
        }
        "BatchNormalization" => normalisation::batch,
        "LayerNormalization" => normalisation::layer,
        "RMSNormalization" | "SimplifiedLayerNormalization" => normalisation::root,
        "InstanceNormalization" => normalisation::instance,
        "GroupNormalization" => normalisation::group,
        "MeanVarianceNormalization" => normalisation::mean_variance,
        "LpNormalization" => normalisation::norm,
        "LRN" => normalisation::local,
        "Resize" | "Upsample" => resize::resize,
        "LSTM" | "GRU" | "RNN" => recurrent::recurrent,
        _ => return None,
    })
}

/// Operators of scikit-learn's pipelines.
fn classical(name: &str) -> Option<Operator> {
    Some(match name {
        "Scaler" => classic::scaler,
        "Normalizer" => classic::normalizer,
        "ArrayFeatureExtractor" => classic::columns,
        "FeatureVectorizer" => classic::vectorizer,
        "LinearRegressor" => classic::regressor,
        "LinearClassifier" => classic::classifier,
        _ => return None,
    })
}

/// How many outputs of an operator come before those that are read: labels.
pub(super) fn skipped(name: &str) -> usize {
    usize::from(name == "LinearClassifier")
}

/// Operators that ONNX Runtime puts in the place of others.
fn microsoft(name: &str) -> Option<Operator> {
    Some(match name {
        "Gelu" | "FastGelu" | "BiasGelu" | "QuickGelu" => elementwise::gelu,
        "SimplifiedLayerNormalization" => normalisation::root,
        "SkipLayerNormalization" | "SkipSimplifiedLayerNormalization" => normalisation::skip,
        _ => return None,
    })
}
