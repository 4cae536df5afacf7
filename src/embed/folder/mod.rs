//! A model that the user has in a folder: a BERT encoder such as all-MiniLM-L6-v2, as it is handed
//! around.
//!
//! | file | what is read of it |
//! | --- | --- |
//! | `config.json` | the shape of the model |
//! | `model.safetensors` | its weights |
//! | `vocab.txt` | its pieces, one a line |
//! | `1_Pooling/config.json` | whether a text is the mean of its pieces or the first of them; absent: the mean |
//! | `sentence_bert_config.json` | how many pieces it reads at once; absent: as many as it has places for |
//!
//! Nothing is read before the first use. No other program and no library of the system is needed: the
//! few kinds of arithmetic that an encoder consists of stand in `encoder.rs`. A text of more pieces
//! than the model reads at once is read in parts, and means what they mean together.

mod encoder;
mod weights;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use super::embedder::{EmbedError, Embedder, Purpose, normalize};
use super::wordpiece;
use crate::base::content_hash;
use encoder::Encoder;

/// So many parts of a long text are read, from its beginning.
const PARTS_MAX: usize = 16;
/// A vocabulary or a description of more bytes is none.
const TEXT_BYTES_MAX: u64 = 32 << 20;
/// Weights of more bytes are not of the small models that this is for.
const WEIGHTS_BYTES_MAX: u64 = 4 << 30;

/// The model in a folder.
pub struct Folder {
    path: PathBuf,
    loaded: OnceLock<Result<Loaded, EmbedError>>,
    /// What vectors are kept under while it cannot be used.
    unusable: String,
}

struct Loaded {
    name: String,
    pieces: HashMap<Box<[u8]>, u32>,
    special: Special,
    encoder: Encoder,
    pieces_max: usize,
    pooling: Pooling,
}

/// The pieces that stand for something else than text.
#[derive(Clone, Copy)]
struct Special {
    unknown: u32,
    first: u32,
    last: u32,
}

/// How the vectors of pieces become that of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pooling {
    Mean,
    First,
}

/// `config.json`.
#[derive(Deserialize)]
struct Shape {
    #[serde(default)]
    model_type: String,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "usual_epsilon")]
    layer_norm_eps: f32,
    #[serde(default)]
    hidden_act: String,
}

fn usual_epsilon() -> f32 {
    1e-12
}

/// `1_Pooling/config.json`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct PoolingFile {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
}

/// `sentence_bert_config.json`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct SentenceFile {
    max_seq_length: Option<usize>,
}

/// `tokenizer_config.json`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenizerFile {
    do_lower_case: Option<bool>,
}

impl Folder {
    /// Returns the model in a folder. Nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        let unusable = format!("folder/{}", path.display());
        Self { path, loaded: OnceLock::new(), unusable }
    }

    fn loaded(&self) -> Result<&Loaded, EmbedError> {
        let load = || {
            Loaded::read(&self.path)
                .map_err(|reason| EmbedError::Folder { folder: self.path.display().to_string(), reason })
        };
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

impl Embedder for Folder {
    fn model(&self) -> &str {
        self.loaded().map_or(&self.unusable, |loaded| &loaded.name)
    }

    fn embed(&self, texts: &[&str], _purpose: Purpose) -> Result<Vec<Vec<f32>>, EmbedError> {
        let loaded = self.loaded()?;
        Ok(texts.iter().map(|text| loaded.embed(text)).collect())
    }
}

impl Loaded {
    fn read(folder: &Path) -> Result<Self, String> {
        let shape: Shape = json(folder, "config.json")?.ok_or("config.json is not there")?;
        check(&shape)?;
        let pooling: PoolingFile = json(folder, "1_Pooling/config.json")?.unwrap_or_default();
        let pooling = match (pooling.pooling_mode_mean_tokens, pooling.pooling_mode_cls_token) {
            (false, true) => Pooling::First,
            (true, _) => Pooling::Mean,
            (false, false) if folder.join("1_Pooling/config.json").exists() => {
                return Err("1_Pooling/config.json asks for neither the mean nor the first piece".to_owned());
            }
            (false, false) => Pooling::Mean,
        };
        let tokenizer: TokenizerFile = json(folder, "tokenizer_config.json")?.unwrap_or_default();
        if tokenizer.do_lower_case == Some(false) {
            return Err("it tells small letters from capitals; take an uncased model".to_owned());
        }
        let sentence: SentenceFile = json(folder, "sentence_bert_config.json")?.unwrap_or_default();
        let places = shape.max_position_embeddings;
        let pieces_max = sentence.max_seq_length.unwrap_or(places).min(places);
        if pieces_max < 3 {
            return Err(format!("it reads {pieces_max} pieces at once: too few"));
        }
        let vocabulary = text(folder, "vocab.txt")?.ok_or("vocab.txt is not there")?;
        let lines = || vocabulary.lines().map(|line| line.trim_end_matches('\r')).zip(0..);
        let pieces: HashMap<Box<[u8]>, u32> =
            lines().map(|(piece, number)| (piece.as_bytes().into(), number)).collect();
        let special = |name: &str| {
            pieces
                .get(name.as_bytes())
                .copied()
                .ok_or_else(|| format!("vocab.txt has no {name}: is it of a BERT model?"))
        };
        let special = Special { unknown: special("[UNK]")?, first: special("[CLS]")?, last: special("[SEP]")? };
        let bytes = bytes(folder, "model.safetensors", WEIGHTS_BYTES_MAX)?
            .ok_or("model.safetensors is not there (weights in ONNX or PyTorch's own format are not read)")?;
        let weights = weights::Weights::read(&bytes).map_err(|reason| format!("model.safetensors: {reason}"))?;
        let encoder = Encoder::new(&weights, &shape).map_err(|reason| format!("model.safetensors: {reason}"))?;
        let needed = lines().count();
        if encoder.pieces() < needed {
            return Err(format!("vocab.txt has {needed} pieces, the weights have {}", encoder.pieces()));
        }
        // What decides over the vectors, and no more of the weights than tells one training from another.
        let identity = [
            content_hash(vocabulary.as_bytes()),
            weights::fingerprint(&bytes),
            format!("{pieces_max} {}", u8::from(pooling == Pooling::First)),
        ];
        let hash = content_hash(identity.join("\n").as_bytes());
        let called = folder.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
        let name = format!("folder/{called}/{}", &hash[..12]);
        Ok(Self { name, pieces, special, encoder, pieces_max, pooling })
    }

    fn embed(&self, text: &str) -> Vec<f32> {
        let mut numbers: Vec<u32> = Vec::new();
        wordpiece::words(text, |word| self.split(word, &mut numbers));
        let mut sum = vec![0.0; self.encoder.dimensions()];
        for part in numbers.chunks(self.pieces_max - 2).take(PARTS_MAX) {
            let framed: Vec<u32> = std::iter::once(self.special.first)
                .chain(part.iter().copied())
                .chain(std::iter::once(self.special.last))
                .collect();
            let states = self.encoder.states(&framed);
            let mut vector = match self.pooling {
                Pooling::First => states.row(0).to_vec(),
                Pooling::Mean => states.mean_axis(ndarray::Axis(0)).map(|mean| mean.to_vec()).unwrap_or_default(),
            };
            normalize(&mut vector);
            // A part counts as much as it is long.
            sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number * part.len() as f32);
        }
        normalize(&mut sum);
        sum
    }

    /// Pushes the pieces of a word, the longest from left to right.
    fn split(&self, word: &str, numbers: &mut Vec<u32>) {
        let begin = numbers.len();
        if word.chars().count() > wordpiece::WORD_CHARACTERS_MAX {
            numbers.push(self.special.unknown);
            return;
        }
        let mut start = 0;
        let mut piece: Vec<u8> = Vec::new();
        while start < word.len() {
            let ends = word[start..].char_indices().map(|(at, character)| start + at + character.len_utf8());
            let found = ends.rev().find_map(|end| {
                piece.clear();
                piece.extend_from_slice(if start > 0 { b"##" } else { b"" });
                piece.extend_from_slice(&word.as_bytes()[start..end]);
                self.pieces.get(piece.as_slice()).map(|number| (end, *number))
            });
            let Some((end, number)) = found else {
                numbers.truncate(begin);
                numbers.push(self.special.unknown);
                return;
            };
            numbers.push(number);
            start = end;
        }
    }
}

fn check(shape: &Shape) -> Result<(), String> {
    if !matches!(shape.model_type.as_str(), "bert" | "") {
        return Err(format!(
            "it is a {:?} model; BERT encoders such as all-MiniLM-L6-v2 are understood",
            shape.model_type
        ));
    }
    if !matches!(shape.hidden_act.as_str(), "gelu" | "") {
        return Err(format!("its activation is {:?}; gelu is understood", shape.hidden_act));
    }
    let Shape { hidden_size, num_attention_heads: heads, .. } = *shape;
    if hidden_size == 0 || heads == 0 || !hidden_size.is_multiple_of(heads) || hidden_size > 8_192 {
        return Err(format!("config.json has a hidden_size of {hidden_size} and {heads} heads"));
    }
    Ok(())
}

fn json<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>, String> {
    let Some(text) = text(folder, name)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| format!("{name}: {error}"))
}

fn text(folder: &Path, name: &str) -> Result<Option<String>, String> {
    let Some(bytes) = bytes(folder, name, TEXT_BYTES_MAX)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| format!("{name} is not UTF-8"))
}

/// The bytes of a file; `None`: it is not there.
fn bytes(folder: &Path, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
    let path = folder.join(name);
    let told = |error: std::io::Error| format!("{name}: {error}");
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(told(error)),
        Ok(found) if !found.is_file() => Err(format!("{name} is not a file")),
        Ok(found) if found.len() > most => Err(format!("{name} has {} bytes, at most {most} are read", found.len())),
        Ok(_) => fs::read(&path).map(Some).map_err(told),
    }
}
