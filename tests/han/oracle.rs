//! The network in candle, in float64, whose gradients are candle's own.

use candle_core::{D, DType, Device, Result, Shape, Tensor, Var};
use candle_nn::ops;
use whylight::han::{Config, Encoded, Han, Loss};

/// The variables: the table, then all tensors in their order.
pub(crate) struct Oracle {
    config: Config,
    table: Var,
    tensors: Vec<Var>,
}

/// Numbers in float64.
fn wide(numbers: &[f32], shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_slice(numbers, shape.into(), &Device::Cpu)?.to_dtype(DType::F64)
}

impl Oracle {
    pub(crate) fn new(han: &Han) -> Self {
        let weights = han.weights();
        let shape = (weights.words(), han.config().embedding);
        let table = wide(weights.table(), shape).unwrap();
        let tensors = han.config().tensors();
        let of = |tensor: &whylight::han::Tensor| {
            let numbers = &weights.dense()[tensor.range()];
            let tensor = wide(numbers, &tensor.shape[..]).unwrap();
            Var::from_tensor(&tensor).unwrap()
        };
        Self {
            config: han.config().clone(),
            table: Var::from_tensor(&table).unwrap(),
            tensors: tensors.iter().map(of).collect(),
        }
    }

    /// The states of one sequence, (time, 2 · hidden), and what attention makes of them.
    fn level(&self, first: usize, rows: &Tensor) -> Result<Tensor> {
        let hidden = self.config.hidden;
        let mut ways = Vec::new();
        for way in 0..2 {
            let [input, recurrent, input_bias, recurrent_bias] =
                [0, 1, 2, 3].map(|tensor| self.tensors[first + 4 * way + tensor].as_tensor());
            let count = rows.dim(0)?;
            let mut state = Tensor::zeros((1, hidden), rows.dtype(), rows.device())?;
            let mut states = vec![None; count];
            for time in 0..count {
                let place = if way == 0 { time } else { count - 1 - time };
                let x = rows.narrow(0, place, 1)?;
                let a = x.matmul(&input.t()?)?.broadcast_add(input_bias)?;
                let c = state
                    .matmul(&recurrent.t()?)?
                    .broadcast_add(recurrent_bias)?;
                let part = |tensor: &Tensor, gate: usize| tensor.narrow(1, gate * hidden, hidden);
                let sigmoid = |x: Tensor| (x.neg()?.exp()? + 1.0)?.recip();
                let r = sigmoid((part(&a, 0)? + part(&c, 0)?)?)?;
                let z = sigmoid((part(&a, 1)? + part(&c, 1)?)?)?;
                let n = (part(&a, 2)? + (r * part(&c, 2)?)?)?.tanh()?;
                state = ((z.neg()? + 1.0)? * &n)?.add(&(z * &state)?)?;
                states[place] = Some(state.clone());
            }
            let states: Vec<Tensor> = states.into_iter().flatten().collect();
            ways.push(Tensor::cat(&states, 0)?);
        }
        let states = Tensor::cat(&ways, 1)?;
        let [matrix, bias, context] =
            [8, 9, 10].map(|tensor| self.tensors[first + tensor].as_tensor());
        let u = states.matmul(&matrix.t()?)?.broadcast_add(bias)?.tanh()?;
        let scores = u.broadcast_mul(context)?.sum(D::Minus1)?;
        let weights = ops::softmax(&scores, 0)?;
        states.broadcast_mul(&weights.unsqueeze(1)?)?.sum_keepdim(0)
    }

    /// What goes into softmax, or the numbers, of a document whose words have these vectors.
    fn outputs(&self, document: &Encoded, vectors: Option<&Tensor>) -> Result<Tensor> {
        let mut sentences = Vec::new();
        let mut first = 0;
        for &count in &document.sentences {
            let rows = vectors.unwrap().narrow(0, first, count as usize)?;
            sentences.push(self.level(0, &rows)?);
            first += count as usize;
        }
        let vector = if sentences.is_empty() {
            let device = self.table.device();
            Tensor::zeros((1, 2 * self.config.hidden), self.table.dtype(), device)?
        } else {
            self.level(11, &Tensor::cat(&sentences, 0)?)?
        };
        let outputs = vector.matmul(&self.tensors[22].as_tensor().t()?)?;
        outputs.broadcast_add(self.tensors[23].as_tensor())
    }

    fn vectors(&self, document: &Encoded) -> Result<Option<Tensor>> {
        if document.words.is_empty() {
            return Ok(None);
        }
        let words = Tensor::from_slice(&document.words[..], document.words.len(), &Device::Cpu)?;
        Ok(Some(self.table.index_select(&words, 0)?))
    }

    /// The mean loss by the documents' weights, and its gradients: by each tensor, and by the table.
    pub(crate) fn gradients(
        &self,
        documents: &[Encoded],
        targets: &[f32],
        weights: &[f32],
    ) -> Result<(f64, Vec<Vec<f32>>, Vec<f32>)> {
        let outputs = self.config.outputs;
        let mut losses = Vec::new();
        for (i, document) in documents.iter().enumerate() {
            let vectors = self.vectors(document)?;
            let y = self.outputs(document, vectors.as_ref())?;
            let target = &targets[i * outputs..][..outputs];
            let target = wide(target, (1, outputs))?;
            let loss = match self.config.loss {
                Loss::CrossEntropy => (ops::log_softmax(&y, 1)? * target)?.sum_all()?.neg()?,
                Loss::Squares => (y - target)?.sqr()?.mean_all()?,
            };
            losses.push((loss * f64::from(weights[i]))?.reshape(1)?);
        }
        let weight: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        let loss = (Tensor::cat(&losses, 0)?.sum_all()? / weight)?;
        let gradients = loss.backward()?;
        let of = |variable: &Var| -> Result<Vec<f32>> {
            gradients
                .get(variable)
                .expect("every variable has a gradient")
                .flatten_all()?
                .to_dtype(DType::F32)?
                .to_vec1()
        };
        let tensors = self.tensors.iter().map(of).collect::<Result<_>>()?;
        Ok((loss.to_scalar::<f64>()?, tensors, of(&self.table)?))
    }

    /// Vectors times gradients of an output's probability or number, where the vectors are `scale` times the table's.
    pub(crate) fn attribution(
        &self,
        document: &Encoded,
        output: usize,
        scale: f64,
    ) -> Result<Vec<f32>> {
        let vectors = self.vectors(document)?.unwrap();
        let scaled = Var::from_tensor(&(&vectors * scale)?)?;
        let y = self.outputs(document, Some(scaled.as_tensor()))?;
        let y = match self.config.loss {
            Loss::CrossEntropy => ops::softmax(&y, 1)?,
            Loss::Squares => y,
        };
        let gradients = y.narrow(1, output, 1)?.sum_all()?.backward()?;
        let gradient = gradients.get(&scaled).unwrap();
        (gradient * vectors)?
            .sum(1)?
            .to_dtype(DType::F32)?
            .to_vec1()
    }
}
