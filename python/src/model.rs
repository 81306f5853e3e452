//! Models from Python: the bytes that a library saves, or the arrays of trees that it keeps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use numpy::ndarray::{Array2, ArrayView1};
use numpy::{PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use whylight::model::network::Shapes;
use whylight::model::{
    self, BlackBox, Categories, CategorySet, Feature, Fraction, Linear, Missing, Network, Node,
    Numbers, Output, Precision, Predict, Split, Test, Tree, Trees, network,
};

use crate::error::raised;
use crate::native;

/// A model, in the engine's own form.
#[pyclass(frozen, module = "whylight._engine")]
pub(crate) struct Model(pub(crate) Arc<whylight::Model>);

/// Refuses a file without trees, which the explainers of trees do not take; trees among any models are asked.
fn of_file(model: whylight::Model, path: &Path, any: bool) -> whylight::Result<whylight::Model> {
    match model {
        whylight::Model::Trees(trees) if any => {
            Ok(whylight::Model::BlackBox(BlackBox::from(trees)))
        }
        whylight::Model::Trees(_) => Ok(model),
        other if any => Ok(other),
        other => Err(whylight::Error::Unsupported {
            what: format!("{}: a {}", path.display(), other.format()),
            by: "Tree SHAP".to_owned(),
            instead: "give the file to KernelExplainer, or to the command".to_owned(),
        }),
    }
}

/// Where a network is.
#[derive(FromPyObject)]
enum Source {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// The arrays of one tree, as scikit-learn keeps them: by node, the root first.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Arrays<'py> {
    /// Index of the left child, which takes what passes the test; -1 for a leaf.
    left: PyReadonlyArray1<'py, i64>,
    right: PyReadonlyArray1<'py, i64>,
    feature: PyReadonlyArray1<'py, i64>,
    /// `x <= threshold` goes left.
    threshold: PyReadonlyArray1<'py, f64>,
    missing_left: PyReadonlyArray1<'py, bool>,
    /// The row of `sets` where the node tests a category, else -1.
    set: PyReadonlyArray1<'py, i64>,
    /// Bitsets, 32 to a word, of the category numbers that part from the missing ones: they go left
    /// where missing ones go right. Unseen categories go with the missing ones.
    sets: PyReadonlyArray2<'py, u32>,
    /// Weight of the training rows at each node.
    cover: PyReadonlyArray1<'py, f64>,
    /// By node: one value, or one per output.
    value: PyReadonlyArray2<'py, f64>,
    /// The output that the tree adds to; `None` for all of them.
    output: Option<u32>,
    iteration: u32,
}

#[pymethods]
impl Model {
    /// The model in the bytes of a file; `name` names it in errors.
    #[staticmethod]
    #[pyo3(signature = (bytes, name, *, any = false))]
    fn parse(py: Python<'_>, bytes: &[u8], name: &str, any: bool) -> PyResult<Self> {
        let name = Path::new(name);
        let parsed = py.detach(|| model::parse(bytes, name));
        Self::made(py, parsed.and_then(|model| of_file(model, name, any)))
    }

    /// The model in a file.
    #[staticmethod]
    #[pyo3(signature = (path, *, any = false))]
    fn load(py: Python<'_>, path: PathBuf, any: bool) -> PyResult<Self> {
        let loaded = py.detach(|| model::load(&path));
        Self::made(py, loaded.and_then(|model| of_file(model, &path, any)))
    }

    /// The network in an ONNX file, or in its bytes, which `name` names in errors. `cells` is the number of columns of
    /// a table of examples, `shapes` are of one example by the name of an input, `examples` those of all inputs in their order, as far as the file
    /// leaves them open; `output` is the value that is explained.
    #[staticmethod]
    #[pyo3(signature = (source, name="<memory>", *, cells=None, shapes=None, examples=None, output=None))]
    fn network(
        py: Python<'_>,
        source: Source,
        name: &str,
        cells: Option<usize>,
        shapes: Option<Vec<(String, Vec<usize>)>>,
        examples: Option<Vec<Vec<usize>>>,
        output: Option<String>,
    ) -> PyResult<Self> {
        let shapes = Shapes {
            cells,
            by_input: shapes.unwrap_or_default(),
            in_order: examples.unwrap_or_default(),
            output,
        };
        let made = py.detach(|| match &source {
            Source::Bytes(bytes) => network::parse(bytes, Path::new(name), &shapes),
            Source::File(path) => network::load(path, &shapes),
        });
        Self::made(py, made.map(whylight::Model::Network))
    }

    /// A perceptron's margins, or probabilities, as a network.
    fn as_network(&self, py: Python<'_>, probability: bool) -> PyResult<Self> {
        let made = match &*self.0 {
            whylight::Model::Mlp(mlp) => Network::of_mlp(mlp, probability),
            other => Err(whylight::Error::Unsupported {
                what: format!("a {}", other.format()),
                by: "deep SHAP".to_owned(),
                instead: "give a network".to_owned(),
            }),
        };
        Self::made(py, made.map(whylight::Model::Network))
    }

    /// A network that is asked for answers, and shows nothing of its graph.
    fn as_black_box(&self, py: Python<'_>) -> PyResult<Self> {
        match &*self.0 {
            whylight::Model::Network(network) => {
                let black_box = BlackBox::from(network.clone());
                Ok(Self(Arc::new(whylight::Model::BlackBox(black_box))))
            }
            other => Err(raised(
                py,
                &whylight::Error::Unsupported {
                    what: format!("a {}", other.format()),
                    by: "as_black_box".to_owned(),
                    instead: "give a network".to_owned(),
                },
            )),
        }
    }

    /// Of a network, its inputs: name, shape of one example, and whether they are whole numbers.
    fn inputs(&self) -> Vec<(String, Vec<usize>, bool)> {
        let whylight::Model::Network(network) = &*self.0 else {
            return Vec::new();
        };
        let input =
            |input: &network::Input| (input.name.clone(), input.shape.clone(), input.is_whole);
        network.inputs.iter().map(input).collect()
    }

    /// Of a network, the names that can be asked for as a layer, and the shape of each.
    fn layers(&self) -> Vec<(String, Vec<usize>)> {
        let whylight::Model::Network(network) = &*self.0 else {
            return Vec::new();
        };
        let layers = network.layers.iter();
        layers
            .map(|(name, t)| (name.clone(), network.tensors[*t].shape.clone()))
            .collect()
    }

    /// Of a network, the shape of what it answers to one example.
    fn output_shape(&self) -> Vec<usize> {
        match &*self.0 {
            whylight::Model::Network(network) => network.tensors[network.output].shape.clone(),
            _ => Vec::new(),
        }
    }

    /// An ensemble of trees. `features` are (name or None, category labels or None), `base` holds
    /// the margin before any tree by output; `wide` cells are compared as float64, else rounded to
    /// float32.
    #[staticmethod]
    #[pyo3(signature = (kind, objective, features, outputs, base, trees, *, wide))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn from_trees(
        py: Python<'_>,
        kind: &str,
        objective: String,
        features: Vec<(Option<String>, Option<Vec<String>>)>,
        outputs: Vec<String>,
        base: Vec<f64>,
        trees: Vec<Arrays<'_>>,
        wide: bool,
    ) -> PyResult<Self> {
        let features = features.into_iter().map(|(name, labels)| Feature {
            name,
            categories: labels.map(|labels| Categories {
                labels,
                numbers: Numbers::Labels,
            }),
        });
        let trees = Trees {
            format: "scikit-learn",
            objective,
            features: features.collect(),
            outputs,
            base,
            precision: if wide { Precision::F64 } else { Precision::F32 },
            fraction: Fraction::Truncate,
            trees: trees.iter().map(Arrays::tree).collect::<PyResult<_>>()?,
            averaged: false,
            best_iteration: None,
            has_cover: true,
        };
        let checked = trees.check(Path::new(kind)).map(|()| trees);
        Self::made(py, checked.map(whylight::Model::Trees))
    }

    /// A linear model: coefficients (outputs, features), one intercept and one name per output.
    #[staticmethod]
    fn from_linear(
        py: Python<'_>,
        kind: &str,
        objective: String,
        names: Option<Vec<String>>,
        outputs: Vec<String>,
        coefficients: PyReadonlyArray2<'_, f64>,
        intercepts: Vec<f64>,
    ) -> PyResult<Self> {
        let coefficients = coefficients.as_array().to_owned();
        let name = |feature: usize| names.as_ref().and_then(|names| names.get(feature)).cloned();
        let feature = |feature| Feature {
            name: name(feature),
            categories: None,
        };
        let linear = Linear {
            format: "linear",
            objective,
            features: (0..coefficients.ncols()).map(feature).collect(),
            outputs,
            coefficients,
            intercepts,
        };
        let checked = linear.check(Path::new(kind)).map(|()| linear);
        Self::made(py, checked.map(whylight::Model::Linear))
    }

    /// A kernel machine: a dict of its parts.
    #[staticmethod]
    fn from_kernel_machine(
        py: Python<'_>,
        kind: &str,
        parts: native::Machine<'_>,
    ) -> PyResult<Self> {
        let machine = parts.model()?;
        let checked = machine.check(Path::new(kind)).map(|()| machine);
        Self::made(py, checked.map(whylight::Model::KernelMachine))
    }

    /// A multi-layer perceptron: a dict of its parts.
    #[staticmethod]
    fn from_mlp(py: Python<'_>, kind: &str, parts: native::Perceptron<'_>) -> PyResult<Self> {
        let mlp = parts.model()?;
        let checked = mlp.check(Path::new(kind)).map(|()| mlp);
        Self::made(py, checked.map(whylight::Model::Mlp))
    }

    /// Gaussian naive Bayes: a dict of its parts.
    #[staticmethod]
    fn from_naive_bayes(py: Python<'_>, kind: &str, parts: native::Bayes<'_>) -> PyResult<Self> {
        let bayes = parts.model();
        let checked = bayes.check(Path::new(kind)).map(|()| bayes);
        Self::made(py, checked.map(whylight::Model::NaiveBayes))
    }

    /// Nearest neighbours: a dict of their parts.
    #[staticmethod]
    fn from_neighbours(py: Python<'_>, kind: &str, parts: native::Nearest<'_>) -> PyResult<Self> {
        let neighbours = parts.model()?;
        let checked = neighbours.check(Path::new(kind)).map(|()| neighbours);
        Self::made(py, checked.map(whylight::Model::Neighbours))
    }

    /// A function of an array (rows, features) that returns one (rows, outputs), both float64: one name per
    /// feature, or None, and one per output.
    #[staticmethod]
    fn from_function(
        features: Vec<Option<String>>,
        outputs: Vec<String>,
        function: Py<PyAny>,
    ) -> Self {
        let feature = |name| Feature {
            name,
            categories: None,
        };
        Self(Arc::new(whylight::Model::BlackBox(BlackBox {
            features: features.into_iter().map(feature).collect(),
            outputs,
            predict: Arc::new(Function(function)),
        })))
    }

    /// The answers (rows, outputs) to rows (rows, features) of a model that the engine evaluates itself: its
    /// probabilities, or the raw output.
    fn answers<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray2<'py, f64>,
        probability: bool,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let answer = |row: ArrayView1<'_, f64>| {
            let row = row.to_vec();
            let answer = if probability {
                self.0.probabilities(&row)
            } else {
                self.0.raw(&row)
            };
            answer.ok_or_else(|| PyValueError::new_err("the model is not evaluated by the engine"))
        };
        let rows = rows.as_array();
        if rows.ncols() != self.columns().len() {
            return Err(PyValueError::new_err(
                "one column for each feature of the model",
            ));
        }
        if let whylight::Model::Network(network) = &*self.0 {
            let rows = rows.to_owned();
            let answers = py.detach(|| BlackBox::from(network.clone()).answer(rows));
            let answers = answers.map_err(|error| raised(py, &error))?;
            return Ok(PyArray2::from_owned_array(py, answers));
        }
        let answers = rows
            .outer_iter()
            .map(answer)
            .collect::<PyResult<Vec<_>>>()?;
        PyArray2::from_vec2(py, &answers).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The model's format, such as `XGBoost JSON`.
    #[getter]
    fn format(&self) -> &'static str {
        self.0.format()
    }

    /// The training objective, empty if unknown.
    #[getter]
    fn objective(&self) -> &str {
        match &*self.0 {
            whylight::Model::Trees(trees) => &trees.objective,
            whylight::Model::Linear(linear) => &linear.objective,
            _ => "",
        }
    }

    /// The names of the features, `None` where the model has none.
    #[getter]
    fn features(&self) -> Vec<Option<&str>> {
        self.columns()
            .iter()
            .map(|feature| feature.name.as_deref())
            .collect()
    }

    /// The category labels of the features, `None` where the model has none.
    #[getter]
    fn categories(&self) -> Vec<Option<Vec<String>>> {
        let labels = |feature: &Feature| {
            let categories = feature.categories.as_ref();
            let known = categories.filter(|categories| categories.numbers != Numbers::Hashes);
            known.map(|categories| categories.labels.clone())
        };
        self.columns().iter().map(labels).collect()
    }

    /// The names of the outputs.
    #[getter]
    fn outputs(&self) -> Vec<String> {
        self.0.outputs().to_vec()
    }

    /// The outputs of an answer, the probability or the raw one; 0 where the model has none.
    fn width(&self, probability: bool) -> usize {
        if let whylight::Model::Network(network) = &*self.0 {
            return if probability {
                0
            } else {
                network.outputs.len()
            };
        }
        let row = vec![0.0; self.columns().len()];
        if probability {
            return self.0.probabilities(&row).map_or(0, |answer| answer.len());
        }
        let raw = self.0.raw(&row);
        raw.map_or(self.0.outputs().len(), |answer| answer.len())
    }

    /// Whether the model stores how many training rows reached each node.
    #[getter]
    fn has_cover(&self) -> bool {
        matches!(&*self.0, whylight::Model::Trees(trees) if trees.has_cover)
    }
}

impl Model {
    fn made(py: Python<'_>, model: whylight::Result<whylight::Model>) -> PyResult<Self> {
        match model {
            Ok(model) => Ok(Self(Arc::new(model))),
            Err(error) => Err(raised(py, &error)),
        }
    }

    fn columns(&self) -> &[Feature] {
        self.0.features()
    }
}

/// A function in Python.
#[derive(Debug)]
struct Function(Py<PyAny>);

impl Predict for Function {
    fn predict(&self, rows: Array2<f64>) -> whylight::Result<Array2<f64>> {
        let answer = Python::attach(|py| {
            let rows = PyArray2::from_owned_array(py, rows);
            let answer = self.0.bind(py).call1((rows,))?;
            let answer: PyReadonlyArray2<'_, f64> = answer.extract()?;
            Ok(answer.as_array().to_owned())
        });
        answer.map_err(|error: PyErr| whylight::Error::Predict {
            source: Box::new(error),
        })
    }
}

impl Arrays<'_> {
    fn tree(&self) -> PyResult<Tree> {
        let (left, right) = (self.left.as_array(), self.right.as_array());
        let (feature, threshold) = (self.feature.as_array(), self.threshold.as_array());
        let (missing_left, set) = (self.missing_left.as_array(), self.set.as_array());
        let (cover, value) = (self.cover.as_array(), self.value.as_array());
        let sets = self.sets.as_array();
        let nodes = left.len();
        let lengths = [
            right.len(),
            feature.len(),
            threshold.len(),
            missing_left.len(),
            set.len(),
            cover.len(),
            value.nrows(),
        ];
        if lengths.iter().any(|&length| length != nodes) {
            let reason = format!("a tree's arrays have lengths {nodes} and {lengths:?}");
            return Err(PyValueError::new_err(reason));
        }
        // What is no index becomes one that the engine's own check refuses by node.
        let index = |i: i64| u32::try_from(i).unwrap_or(u32::MAX);
        let mut tree = Tree {
            nodes: Vec::with_capacity(nodes),
            values: Vec::new(),
            output: self.output.map_or(Output::All, Output::One),
            iteration: self.iteration,
            linear: Vec::new(),
        };
        let mut leaves = 0;
        for n in 0..nodes {
            if left[n] < 0 {
                tree.nodes.push(Node::Leaf {
                    leaf: leaves,
                    cover: cover[n],
                });
                tree.values.extend(value.row(n));
                leaves += 1;
                continue;
            }
            let test = match usize::try_from(set[n]) {
                Ok(row) if row < sets.nrows() => Test::Category(CategorySet {
                    words: sets.row(row).to_vec(),
                    members_left: !missing_left[n],
                }),
                Ok(row) => {
                    let reason = format!("node {n} names set {row} of {}", sets.nrows());
                    return Err(PyValueError::new_err(reason));
                }
                Err(_) if threshold[n] == f64::INFINITY => Test::Always,
                Err(_) => Test::Below(threshold[n].next_up()),
            };
            tree.nodes.push(Node::Split(Split {
                feature: index(feature[n]),
                test,
                missing: Missing::Nan,
                missing_left: missing_left[n],
                left: index(left[n]),
                right: index(right[n]),
                cover: cover[n],
            }));
        }
        Ok(tree)
    }
}
