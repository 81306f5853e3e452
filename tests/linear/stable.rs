//! The same bits, however many threads and however large the batches.

use std::path::Path;

use ndarray::{Array2, Array3, Axis};
use whylight::data::{Reader, View};
use whylight::explain::{Background, ValueFunction};
use whylight::explanation::{Block, Header, Sink, Summary, Trailer};
use whylight::{Explainer, Options, Result};

use super::{correlated, model, options};
use crate::support::random::Random;

/// Keeps the blocks.
#[derive(Default)]
struct Blocks(Vec<Array3<f32>>);

impl Sink for Blocks {
    fn begin(&mut self, _: &Header) -> Result<()> {
        Ok(())
    }
    fn block(&mut self, block: &Block<'_>) -> Result<()> {
        self.0.push(block.values.to_owned());
        Ok(())
    }
    fn end(&mut self, _: &Trailer) -> Result<()> {
        Ok(())
    }
}

fn bits(values: &Array3<f32>) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn npy(path: &Path, rows: &Array2<f64>) {
    let (height, width) = rows.dim();
    let header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({height}, {width}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(rows.iter().flat_map(|cell| cell.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn neither_batches_nor_threads_change_a_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.npy");
    let mut random = Random(7);
    // The first is solved exactly, the second estimated.
    for features in [5, 19] {
        let model = model(2, features, &mut random);
        let background = correlated(64, features, &mut random);
        let rows = correlated(1003, features, &mut random);
        npy(&path, &rows);
        for value_function in [ValueFunction::Interventional, ValueFunction::Conditional] {
            let make = |threads, rows_a_batch: Option<u64>| {
                let limit = rows_a_batch.map(|rows| rows * 3 * features as u64 * (8 + 4 * 2));
                let options = Options {
                    threads,
                    memory_limit: limit,
                    samples: Some(20),
                    ..options(value_function)
                };
                let view = View::f64(background.view(), None);
                let background = Background::Rows(view);
                Explainer::with_distribution(model.clone(), background, options).unwrap()
            };
            let view = View::f64(rows.view(), None);
            let whole = make(1, None).explain_while(&view, &mut |_| true).unwrap();
            let expected = bits(&whole.unwrap().values);
            for (threads, rows_a_batch) in [
                (1, Some(1)),
                (8, None),
                (8, Some(7)),
                (2, Some(300)),
                (0, Some(1000)),
            ] {
                let what = format!("{features}, {value_function}, {threads}, {rows_a_batch:?}");
                let explainer = make(threads, rows_a_batch);
                let all = explainer.explain_while(&view, &mut |_| true).unwrap();
                assert_eq!(expected, bits(&all.unwrap().values), "{what}");
                let few = explainer
                    .explain_while(&view.slice(40..50).unwrap(), &mut |_| true)
                    .unwrap();
                let width = 2 * features;
                assert_eq!(
                    expected[40 * width..50 * width],
                    bits(&few.unwrap().values),
                    "{what}"
                );
                let mut reader = Reader::open(&path, &explainer.read_options()).unwrap();
                let mut sink = Blocks::default();
                let trailer = explainer
                    .explain_into(&mut reader, &mut sink, &mut |_| ())
                    .unwrap();
                assert_eq!(trailer.rows, 1003);
                assert_eq!(sink.0.len() > 1, rows_a_batch.is_some(), "{what}");
                let blocks: Vec<_> = sink.0.iter().map(|block| block.view()).collect();
                let streamed = ndarray::concatenate(Axis(0), &blocks).unwrap();
                assert_eq!(expected, bits(&streamed), "{what}");
                let mut summary = Summary::new(3);
                let stopped = explainer.stream_while(&view, &mut summary, &mut |_| false);
                assert!(stopped.unwrap().is_none());
            }
        }
    }
}

#[test]
fn values_of_float32_rows_are_those_of_the_same_numbers_in_float64() {
    let mut random = Random(8);
    let model = model(3, 11, &mut random);
    let narrow = correlated(300, 11, &mut random).mapv(|cell| cell as f32);
    let wide = narrow.mapv(f64::from);
    let explain = |background: View<'_>, rows: View<'_>| {
        let options = options(ValueFunction::Auto);
        let explainer = Explainer::with_background(model.clone(), Some(background), options);
        let explanation = explainer.unwrap().explain_while(&rows, &mut |_| true);
        bits(&explanation.unwrap().unwrap().values)
    };
    let transposed = wide.t().as_standard_layout().into_owned();
    let a = explain(
        View::f32(narrow.view(), None),
        View::f32(narrow.view(), None),
    );
    let b = explain(
        View::f64(wide.view(), None),
        View::f64(transposed.t(), None),
    );
    assert_eq!(a, b);
}
