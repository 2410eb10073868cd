//! The spec: what a `config.json` says of a model, as data.
//!
//! [`Config`] reads the file, [`DecoderSpec`] describes the computation to the decoder, and [`Inventory`] lists every
//! weight that such a checkpoint holds.

mod config;
mod decoder;
mod error;
mod family;
mod inventory;
mod names;
mod rope;
mod scaled;
mod shapes;
mod wrapper;

pub use config::{Config, Heads};
pub use cpu::activation::Activation;
pub use decoder::{Attention, DecoderSpec, Experts, FusedQkv, Latent, Layer, Mlp, Norm, NormKind, Residual};
pub use error::SpecError;
pub use inventory::{Inventory, Kind, Role, Weight};
pub use names::{Part, gguf_latent_halves, gguf_name};
pub use rope::RopeSpec;
pub use scaled::ScaledWeights;
pub use shapes::{shipped_repositories, shipped_shape};
pub use wrapper::text_part;
