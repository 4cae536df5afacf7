//! `model.safetensors`: a length, a description in JSON, and the numbers.

use std::collections::HashMap;

use ndarray::{Array1, Array2};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A description of more bytes is none.
const HEAD_BYTES_MAX: usize = 16 << 20;
/// How many samples of the numbers tell one training from another, and of how many bytes.
const SAMPLES: usize = 64;
const SAMPLE_BYTES: usize = 4_096;

/// The tensors of a file.
pub(super) struct Weights<'a> {
    tensors: HashMap<String, Tensor>,
    numbers: &'a [u8],
}

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl<'a> Weights<'a> {
    /// Reads the description; the numbers are read where they are asked for.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let length = bytes.first_chunk::<8>().ok_or("it is too short")?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > HEAD_BYTES_MAX || bytes.len() - 8 < length {
            return Err("its description is longer than the file".to_owned());
        }
        let (head, numbers) = bytes[8..].split_at(length);
        let listed: HashMap<String, serde_json::Value> =
            serde_json::from_slice(head).map_err(|error| format!("its description is not JSON: {error}"))?;
        let mut tensors = HashMap::new();
        for (name, value) in listed {
            if name == "__metadata__" {
                continue;
            }
            let tensor: Tensor = serde_json::from_value(value).map_err(|error| format!("{name}: {error}"))?;
            // Some files name what is inside the model, others what is around it as well.
            tensors.insert(name.strip_prefix("bert.").unwrap_or(&name).to_owned(), tensor);
        }
        Ok(Self { tensors, numbers })
    }

    /// Returns the numbers of a matrix, which must have so many columns; rows as well, if they are told.
    pub(super) fn matrix(&self, name: &str, rows: Option<usize>, columns: usize) -> Result<Array2<f32>, String> {
        let tensor = self.tensors.get(name).ok_or_else(|| format!("it has no {name}"))?;
        match tensor.shape[..] {
            [r, c] if c == columns && rows.is_none_or(|rows| rows == r) => {
                let numbers = self.numbers(name, tensor, r.checked_mul(c))?;
                Array2::from_shape_vec((r, c), numbers).map_err(|error| format!("{name}: {error}"))
            }
            _ => Err(format!("{name} has the shape {:?}, which config.json contradicts", tensor.shape)),
        }
    }

    /// Returns the numbers of a vector of this length, under the first of the names that is there.
    pub(super) fn vector(&self, names: &[String], length: usize) -> Result<Array1<f32>, String> {
        let found = names.iter().find_map(|name| Some((name, self.tensors.get(name)?)));
        let (name, tensor) = found.ok_or_else(|| format!("it has no {}", names[0]))?;
        if tensor.shape != [length] {
            return Err(format!("{name} has the shape {:?}, which config.json contradicts", tensor.shape));
        }
        Ok(Array1::from_vec(self.numbers(name, tensor, Some(length))?))
    }

    fn numbers(&self, name: &str, tensor: &Tensor, count: Option<usize>) -> Result<Vec<f32>, String> {
        let [from, to] = tensor.data_offsets;
        let bytes = self.numbers.get(from..to).ok_or_else(|| format!("{name} lies outside the file"))?;
        let size = if tensor.dtype == "F32" { 4 } else { 2 };
        if count.and_then(|count| count.checked_mul(size)) != Some(bytes.len()) {
            return Err(format!("{name} has {} bytes for the shape {:?}", bytes.len(), tensor.shape));
        }
        let pairs = || bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
        let numbers: Vec<f32> = match tensor.dtype.as_str() {
            "F32" => bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
            "F16" => pairs().map(half).collect(),
            "BF16" => pairs().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
            other => return Err(format!("{name} is of {other}; F32, F16 and BF16 are understood")),
        };
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(format!("{name} holds numbers that are not finite"));
        }
        Ok(numbers)
    }
}

/// A number of half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    }
}

/// Identifies a file by its description and samples of its numbers: another training changes nearly
/// every number, and hashing all of them would cost every start a quarter of a second.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(&bytes[..bytes.len().min(64 << 10)]);
    for sample in 0..SAMPLES {
        let at = bytes.len() / SAMPLES * sample;
        hasher.update(&bytes[at..bytes.len().min(at + SAMPLE_BYTES)]);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read() {
        for (bits, expected) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_95), (0x0001, 5.960_464_5e-8), (0, 0.0)]
        {
            assert!((half(bits) - expected).abs() < 1e-9, "{bits:x}: {}", half(bits));
        }
    }

    #[test]
    fn damaged_files_are_told() {
        let head = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        for (bytes, part) in [
            (b"abc".to_vec(), "too short"),
            (u64::MAX.to_le_bytes().to_vec(), "longer than the file"),
            (head("{"), "not JSON"),
            (head("{\"a\": 5}"), "a: "),
        ] {
            let error = Weights::read(&bytes).err().expect("it is damaged");
            assert!(error.contains(part), "{error}");
        }
        let bytes = head(r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,99]}}"#);
        let weights = Weights::read(&bytes).expect("a description");
        assert!(weights.matrix("a", None, 2).expect_err("no numbers").contains("outside the file"));
        assert!(weights.matrix("a", None, 3).expect_err("another shape").contains("contradicts"));
        assert!(weights.matrix("b", None, 3).expect_err("not there").contains("has no b"));
    }
}
