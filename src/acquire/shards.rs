//! Safetensors without an index: which files of a folder hold the weights.

use std::collections::BTreeSet;

use crate::catalog::PartName;

/// The files that hold the weights of a folder with these files and no index: all safetensors in it, the shards by their
/// numbers also where one is not there. The weights once more in another layout, and adapters, are none.
pub(super) fn unindexed<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let is_copy = |name: &str| name.starts_with("consolidated") || name.starts_with("adapter");
    let holds = |name: &&str| name.ends_with(".safetensors") && !name.contains('/') && !is_copy(name);
    let parts = |name: &str| -> Vec<String> {
        PartName::parse(name).map_or_else(|| vec![name.to_owned()], |part| part.all().collect())
    };
    names.filter(holds).flat_map(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_safetensors_of_the_folder_hold_the_weights_and_a_lacking_shard_is_one() {
        let of = |names: &[&str]| unindexed(names.iter().copied()).into_iter().collect::<Vec<_>>();
        assert_eq!(of(&["b.safetensors", "a.safetensors", "a.txt", "x.gguf"]), ["a.safetensors", "b.safetensors"]);
        assert_eq!(
            of(&["m-00002-of-00002.safetensors", "consolidated.safetensors", "original/m.safetensors"]),
            ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"]
        );
        assert!(of(&["adapter_model.safetensors", "consolidated.00.safetensors"]).is_empty());
    }
}
