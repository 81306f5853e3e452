//! Sums of products that an equation of letters describes.

use super::axes;
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};

/// Inputs of an equation.
const MAX_TERMS: usize = 64;

/// A value whose axes have letters.
#[derive(Debug, Clone)]
struct Lettered {
    value: Value,
    letters: Vec<char>,
}

pub(super) fn einsum(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let equation: String = call.text("equation", "").split_whitespace().collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (&equation[..], None),
    };
    let values = call.all()?;
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != values.len() || terms.len() > MAX_TERMS {
        return fault(format!(
            "its equation \"{equation}\" does not fit its inputs"
        ));
    }
    let mut operands = Vec::with_capacity(values.len());
    let mut dots = 0;
    for (term, value) in terms.iter().zip(&values) {
        let named = term.replace("...", "").chars().count();
        if term.contains("...") {
            dots = dots.max(value.rank().saturating_sub(named));
        }
    }
    for (term, value) in terms.iter().zip(values) {
        let letters = letters(term, Some(value.rank()), dots)?;
        if letters.len() != value.rank() {
            return fault(format!(
                "its term \"{term}\" does not fit {:?}",
                value.shape()
            ));
        }
        let repeated = |i: usize| letters[..i].contains(&letters[i]);
        if (0..letters.len()).any(repeated) {
            return unsupported(
                format!("the diagonal \"{term}\""),
                "take it before the product",
            );
        }
        operands.push(Lettered { value, letters });
    }
    let output = if let Some(right) = right {
        letters(right, None, dots)?
    } else {
        let all = || operands.iter().flat_map(|operand| &operand.letters);
        let mut once: Vec<char> = all().copied().collect();
        once.retain(|letter| {
            !letter.is_ascii_alphabetic() || all().filter(|other| *other == letter).count() == 1
        });
        once.sort_unstable();
        once.dedup();
        once
    };
    let mut rest = operands.into_iter();
    let Some(mut joined) = rest.next() else {
        return fault("it has no inputs");
    };
    let mut rest: Vec<Lettered> = rest.collect();
    while !rest.is_empty() {
        let next = rest.remove(0);
        let later = rest.iter().flat_map(|operand| &operand.letters);
        let kept: Vec<char> = output.iter().chain(later).copied().collect();
        joined = contract(b, &joined, &next, &kept)?;
    }
    let joined = reduced(b, joined, &output)?;
    let order: Option<Vec<usize>> = (output.iter())
        .map(|letter| joined.letters.iter().position(|own| own == letter))
        .collect();
    let Some(order) = order.filter(|order| order.len() == joined.letters.len()) else {
        return fault(format!(
            "its equation \"{equation}\" asks for an axis that is not there"
        ));
    };
    Ok(vec![b.transpose(&joined.value, &order)?])
}

/// The letters of a term; the axes of an ellipsis are digits, counted from the last.
fn letters(term: &str, rank: Option<usize>, dots: usize) -> Made<Vec<char>> {
    let named = term.replace("...", "");
    let count = rank.map_or(dots, |rank| rank.saturating_sub(named.chars().count()));
    let is_name = |letter: char| letter.is_ascii_alphabetic();
    if !named.chars().all(is_name) || count > 9 || term.matches("...").count() > 1 {
        return fault(format!("its term is \"{term}\""));
    }
    let digit = |at: usize| char::from(b'9' - (count - 1 - at) as u8);
    let digits: String = (0..count).map(digit).collect();
    Ok(term.replace("...", &digits).chars().collect())
}

/// The sum over the axes whose letters are not kept.
fn reduced(b: &mut Builder, x: Lettered, kept: &[char]) -> Made<Lettered> {
    let gone = |i: &usize| !kept.contains(&x.letters[*i]);
    let axes: Vec<usize> = (0..x.letters.len()).filter(gone).collect();
    if axes.is_empty() {
        return Ok(x);
    }
    let value = b.sum(&x.value, &axes, 1.0)?;
    let shape: Vec<usize> = (0..x.letters.len())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| x.value.shape()[axis])
        .collect();
    let letters = x
        .letters
        .iter()
        .copied()
        .filter(|letter| kept.contains(letter));
    Ok(Lettered {
        letters: letters.collect(),
        value: value.reshaped(shape)?,
    })
}

/// The product of two, summed over the letters that are not kept.
fn contract(b: &mut Builder, x: &Lettered, y: &Lettered, kept: &[char]) -> Made<Lettered> {
    let wanted = |own: &[char]| [own, kept].concat();
    let x = reduced(b, x.clone(), &wanted(&y.letters))?;
    let y = reduced(b, y.clone(), &wanted(&x.letters))?;
    let size = |letter: &char| {
        let of = |side: &Lettered| {
            let at = side.letters.iter().position(|own| own == letter)?;
            Some(side.value.shape()[at])
        };
        of(&x).unwrap_or(1).max(of(&y).unwrap_or(1))
    };
    let shared = |letter: &&char| y.letters.contains(letter);
    let batch: Vec<char> = (x.letters.iter().filter(shared))
        .filter(|letter| kept.contains(letter))
        .copied()
        .collect();
    let inner: Vec<char> = (x.letters.iter().filter(shared))
        .filter(|letter| !kept.contains(letter))
        .copied()
        .collect();
    let free = |own: &[char], other: &[char]| -> Vec<char> {
        own.iter()
            .filter(|letter| !other.contains(letter))
            .copied()
            .collect()
    };
    let (rows, columns) = (free(&x.letters, &y.letters), free(&y.letters, &x.letters));
    let sizes = |letters: &[char]| -> Vec<usize> { letters.iter().map(size).collect() };
    let mut side = |side: &Lettered, first: &[char], second: &[char]| -> Made<Value> {
        let letters = [&batch, first, second].concat();
        let order = letters.iter().map(|letter| {
            let mut own = side.letters.iter();
            own.position(|own| own == letter).unwrap_or(0)
        });
        let moved = b.transpose(&side.value, &order.collect::<Vec<_>>())?;
        let moved = b.repeat(&moved, &sizes(&letters))?;
        let count = |letters: &[char]| axes::cells(&sizes(letters)).unwrap_or(0);
        moved.reshaped(vec![count(&batch), count(first), count(second)])
    };
    let (a, c) = (side(&x, &rows, &inner)?, side(&y, &inner, &columns)?);
    let product = b.matmul(&a, &c)?;
    let letters = [batch, rows, columns].concat();
    Ok(Lettered {
        value: product.reshaped(letters.iter().map(size).collect())?,
        letters,
    })
}
