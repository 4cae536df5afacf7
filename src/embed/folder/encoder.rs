//! The arithmetic of a BERT encoder, for one text at a time: nothing is padded, so nothing is masked.

use ndarray::{Array1, Array2, ArrayViewMut1, Axis, s};

use super::Shape;
use super::weights::Weights;

/// An encoder with its weights.
pub(super) struct Encoder {
    words: Array2<f32>,
    /// The vectors of the places, with that of the first kind of text added.
    places: Array2<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: usize,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention: Linear,
    attention_norm: Norm,
    wide: Linear,
    narrow: Linear,
    norm: Norm,
}

struct Linear {
    weight: Array2<f32>,
    bias: Array1<f32>,
}

struct Norm {
    weight: Array1<f32>,
    bias: Array1<f32>,
    epsilon: f32,
}

impl Encoder {
    /// Takes the weights of an encoder of this shape.
    pub(super) fn new(weights: &Weights<'_>, shape: &Shape) -> Result<Self, String> {
        let hidden = shape.hidden_size;
        let linear = |name: String, rows: usize, columns: usize| -> Result<Linear, String> {
            let weight = weights.matrix(&format!("{name}.weight"), Some(rows), columns)?;
            Ok(Linear { weight, bias: weights.vector(&[format!("{name}.bias")], rows)? })
        };
        // Files that came from the first release of BERT have its names.
        let norm = |name: String| -> Result<Norm, String> {
            let weight = weights.vector(&[format!("{name}.weight"), format!("{name}.gamma")], hidden)?;
            let bias = weights.vector(&[format!("{name}.bias"), format!("{name}.beta")], hidden)?;
            Ok(Norm { weight, bias, epsilon: shape.layer_norm_eps })
        };
        let mut places =
            weights.matrix("embeddings.position_embeddings.weight", Some(shape.max_position_embeddings), hidden)?;
        let kinds = weights.matrix("embeddings.token_type_embeddings.weight", None, hidden)?;
        if kinds.nrows() == 0 {
            return Err("embeddings.token_type_embeddings.weight is empty".to_owned());
        }
        places += &kinds.row(0);
        let layer = |number: usize| -> Result<Layer, String> {
            let at = |name: &str| format!("encoder.layer.{number}.{name}");
            Ok(Layer {
                query: linear(at("attention.self.query"), hidden, hidden)?,
                key: linear(at("attention.self.key"), hidden, hidden)?,
                value: linear(at("attention.self.value"), hidden, hidden)?,
                attention: linear(at("attention.output.dense"), hidden, hidden)?,
                attention_norm: norm(at("attention.output.LayerNorm"))?,
                wide: linear(at("intermediate.dense"), shape.intermediate_size, hidden)?,
                narrow: linear(at("output.dense"), hidden, shape.intermediate_size)?,
                norm: norm(at("output.LayerNorm"))?,
            })
        };
        Ok(Self {
            words: weights.matrix("embeddings.word_embeddings.weight", None, hidden)?,
            places,
            norm: norm("embeddings.LayerNorm".to_owned())?,
            layers: (0..shape.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
            heads: shape.num_attention_heads,
        })
    }

    /// Returns how many numbers a vector has.
    pub(super) fn dimensions(&self) -> usize {
        self.words.ncols()
    }

    /// Returns how many pieces have a vector.
    pub(super) fn pieces(&self) -> usize {
        self.words.nrows()
    }

    /// Returns a vector for each piece, which tells what it means among the others.
    pub(super) fn states(&self, pieces: &[u32]) -> Array2<f32> {
        let rows: Vec<usize> = pieces.iter().map(|piece| *piece as usize).collect();
        let mut states = self.words.select(Axis(0), &rows);
        states += &self.places.slice(s![..rows.len(), ..]);
        self.norm.apply(&mut states);
        for layer in &self.layers {
            layer.apply(&mut states, self.heads);
        }
        states
    }
}

impl Layer {
    fn apply(&self, states: &mut Array2<f32>, heads: usize) {
        let mut attended = self.attention.of(&self.attend(states, heads));
        attended += &*states;
        self.attention_norm.apply(&mut attended);
        let mut wide = self.wide.of(&attended);
        wide.mapv_inplace(gelu);
        *states = self.narrow.of(&wide);
        *states += &attended;
        self.norm.apply(states);
    }

    /// What each piece takes over from the others, head by head.
    fn attend(&self, states: &Array2<f32>, heads: usize) -> Array2<f32> {
        let (query, key, value) = (self.query.of(states), self.key.of(states), self.value.of(states));
        let width = states.ncols() / heads;
        let scale = 1.0 / (width as f32).sqrt();
        let mut taken = Array2::zeros(states.raw_dim());
        for head in 0..heads {
            let columns = s![.., head * width..(head + 1) * width];
            let mut shares = query.slice(columns).dot(&key.slice(columns).t());
            shares.rows_mut().into_iter().for_each(|row| softmax(row, scale));
            taken.slice_mut(columns).assign(&shares.dot(&value.slice(columns)));
        }
        taken
    }
}

impl Linear {
    fn of(&self, states: &Array2<f32>) -> Array2<f32> {
        let mut result = states.dot(&self.weight.t());
        result += &self.bias;
        result
    }
}

impl Norm {
    fn apply(&self, states: &mut Array2<f32>) {
        for mut row in states.rows_mut() {
            let count = row.len() as f32;
            let mean = row.sum() / count;
            let variance = row.iter().map(|number| (number - mean).powi(2)).sum::<f32>() / count;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            for ((number, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *number = (*number - mean) * scale * weight + bias;
            }
        }
    }
}

/// Turns a row into shares of one.
fn softmax(mut row: ArrayViewMut1<'_, f32>, scale: f32) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.mapv_inplace(|number| ((number - largest) * scale).exp());
    let sum = row.sum();
    row.mapv_inplace(|number| number / sum);
}

/// The Gaussian error linear unit, in its exact form.
fn gelu(number: f32) -> f32 {
    0.5 * number * (1.0 + error_function(number * std::f32::consts::FRAC_1_SQRT_2))
}

/// The error function, to seven digits (Abramowitz and Stegun, 7.1.26).
fn error_function(number: f32) -> f32 {
    let number = f64::from(number);
    let t = 1.0 / (1.0 + 0.327_591_1 * number.abs());
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let polynomial = series.into_iter().fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    ((1.0 - polynomial * (-number * number).exp()) * number.signum()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_exact_one() {
        for (number, expected) in
            [(0.0, 0.0), (1.0, 0.841_344_7), (-1.0, -0.158_655_3), (3.0, 2.995_950_4), (-10.0, 0.0), (0.5, 0.345_731_2)]
        {
            assert!((gelu(number) - expected).abs() < 1e-6, "{number}: {}", gelu(number));
        }
    }
}
