//! The tensors of a published checkpoint, by the names that the config's family gives them, in however many files.
//!
//! Programs that wrap a model leave their mark on the names of its weights: `torch.compile` and the trainers that shard or
//! checkpoint modules put theirs between or before the parts, a model without its head has no `model.`, and a model that also
//! sees pictures calls the part that speaks `language_model`, before or behind `model`.

mod error;

use std::collections::HashMap;
use std::path::PathBuf;

use super::checkpoint::Weights;
use super::pytorch::PytorchFile;
use super::safetensors::SafetensorsFile;
use super::stored::StoredTensor;

pub use error::PublishedError;

/// The open files of a published checkpoint.
pub struct PublishedFiles {
    files: Vec<File>,
    /// By the name without what wrappers add: in which file, and under which name.
    places: HashMap<String, (usize, String)>,
}

enum File {
    Safetensors(SafetensorsFile),
    Pytorch(PathBuf, PytorchFile),
}

impl File {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Safetensors(file) => file.names(),
            Self::Pytorch(_, file) => file.names(),
        }
    }
}

impl PublishedFiles {
    /// Opens the files that hold weights; none of weights that lie otherwise.
    ///
    /// # Errors
    /// A file that cannot be read, or two tensors that mean the same weight.
    pub fn open(weights: &Weights) -> Result<Self, PublishedError> {
        let open = |path: &PathBuf| match weights {
            Weights::Safetensors(_) => Ok(File::Safetensors(SafetensorsFile::open(path)?)),
            _ => match PytorchFile::open(path) {
                Ok(file) => Ok(File::Pytorch(path.clone(), file)),
                Err(source) => Err(PublishedError::Pytorch { path: path.clone(), source: Box::new(source) }),
            },
        };
        let paths = match weights {
            Weights::Safetensors(paths) | Weights::Pytorch(paths) => paths.as_slice(),
            Weights::Gguf(_) | Weights::Synthetic { .. } => &[],
        };
        let files = paths.iter().map(open).collect::<Result<Vec<File>, PublishedError>>()?;
        let mut places: HashMap<String, (usize, String)> = HashMap::new();
        for (index, file) in files.iter().enumerate() {
            for stored in file.names() {
                let name = unwrapped(&stored);
                match places.get(&name) {
                    // The same name in two files that an index names: either will do.
                    Some((_, first)) if *first == stored => {}
                    Some((_, first)) => {
                        return Err(PublishedError::Ambiguous { name, first: first.clone(), second: stored });
                    }
                    None => drop(places.insert(name, (index, stored))),
                }
            }
        }
        Ok(Self { files, places })
    }

    /// Where a weight lies.
    fn place(&self, name: &str) -> Option<(&File, &str)> {
        // A model that was saved without its head has no name before its parts.
        let place = self.places.get(name).or_else(|| {
            let inner = ["model.", "transformer.", "gpt_neox."].iter().find_map(|base| name.strip_prefix(base))?;
            self.places.get(inner)
        });
        place.map(|(file, stored)| (&self.files[*file], stored.as_str()))
    }

    /// A weight as it is stored; `None` if it is not there.
    ///
    /// # Errors
    /// A type of number that nothing here computes with, or not enough memory.
    pub fn tensor(&self, name: &str) -> Result<Option<StoredTensor>, PublishedError> {
        match self.place(name) {
            None => Ok(None),
            Some((File::Safetensors(file), stored)) => Ok(file.tensor(stored)?),
            Some((File::Pytorch(path, file), stored)) => {
                let failed = |source| PublishedError::Pytorch { path: path.clone(), source: Box::new(source) };
                file.tensor(stored).map_err(failed)
            }
        }
    }

    /// The safetensors file that holds a weight, and its name there.
    pub fn in_safetensors(&self, name: &str) -> Option<(&SafetensorsFile, &str)> {
        match self.place(name)? {
            (File::Safetensors(file), stored) => Some((file, stored)),
            (File::Pytorch(..), _) => None,
        }
    }

    /// Names of tensors that are there, nearest to one that is not: those of its module, of the next one around it that has
    /// any, or all.
    pub fn instead_of(&self, name: &str) -> Vec<String> {
        let mut module = name;
        loop {
            module = module.rsplit_once('.').map_or("", |(around, _)| around);
            let is_within =
                |name: &str| name.strip_prefix(module).is_some_and(|rest| module.is_empty() || rest.starts_with('.'));
            let near = self.places.iter().filter(|(name, _)| is_within(name)).map(|(_, (_, stored))| stored.clone());
            let mut near: Vec<String> = near.collect();
            // Of `model` and the like nearly everything is a part: then all is shown.
            if module.is_empty() || (module.contains('.') && !near.is_empty()) {
                near.sort();
                return near;
            }
        }
    }
}

/// What `torch.compile`, FSDP and activation checkpointing put between the parts of a name.
const WRAPPERS: [&str; 3] = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

/// The part of a model of several kinds of input that is the decoder.
const TEXT_PART: &str = "language_model";

/// The name of a tensor without what wrappers add.
fn unwrapped(stored: &str) -> String {
    let parts: Vec<&str> = stored.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
    // `DataParallel` and `DistributedDataParallel` hold a model as their `module`.
    let parts = parts.strip_prefix(&["module"]).unwrap_or(&parts);
    match parts {
        ["model", TEXT_PART, "lm_head", ..] => parts[2..].join("."),
        ["model", TEXT_PART, ..] => [&["model"], &parts[2..]].concat().join("."),
        [TEXT_PART, ..] => parts[1..].join("."),
        _ => parts.join("."),
    }
}

/// Parts of a model beside its decoder: what sees and hears, and what brings that to the decoder.
const OTHER_PARTS: [&str; 12] = [
    "vision_tower",
    "vision_model",
    "vision_encoder",
    "vision_embed_tokens",
    "visual",
    "multi_modal_projector",
    "mm_projector",
    "patch_merger",
    "embed_vision",
    "audio_tower",
    "audio_model",
    "embed_audio",
];

/// Whether a tensor belongs to another part of a model than its decoder.
pub(super) fn is_beside_text(stored: &str) -> bool {
    stored.split('.').take(3).any(|part| OTHER_PARTS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_every_wrapper() {
        const NAME: &str = "model.layers.0.self_attn.q_proj.weight";
        for stored in [
            NAME,
            "_orig_mod.model.layers.0.self_attn.q_proj.weight",
            "model._orig_mod.layers.0._checkpoint_wrapped_module.self_attn.q_proj.weight",
            "module.model.layers.0.self_attn.q_proj.weight",
            "module._orig_mod.model.layers.0.self_attn.q_proj.weight",
            "_fsdp_wrapped_module.model.layers.0.self_attn.q_proj.weight",
            "language_model.model.layers.0.self_attn.q_proj.weight",
            "model.language_model.layers.0.self_attn.q_proj.weight",
        ] {
            assert_eq!(unwrapped(stored), NAME, "{stored}");
        }
        for head in ["lm_head.weight", "language_model.lm_head.weight", "model.language_model.lm_head.weight"] {
            assert_eq!(unwrapped(head), "lm_head.weight", "{head}");
        }
        assert_eq!(unwrapped("transformer.h.0.mlp.module.weight"), "transformer.h.0.mlp.module.weight");
    }

    #[test]
    fn what_sees_and_hears_is_no_part_of_the_decoder() {
        for (stored, beside) in [
            ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight", true),
            ("model.vision_tower.transformer.layers.0.attention.q_proj.weight", true),
            ("model.visual.blocks.0.attn.qkv.weight", true),
            ("multi_modal_projector.linear_1.weight", true),
            ("model.language_model.layers.0.mlp.up_proj.weight", false),
            ("language_model.lm_head.weight", false),
            ("model.layers.0.mlp.visual.weight", false),
        ] {
            assert_eq!(is_beside_text(stored), beside, "{stored}");
        }
    }
}
