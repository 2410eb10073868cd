//! The spec: what a `config.json` says of a model, as data.
//!
//! [`Config`] reads the file, [`Inventory`] lists every weight that such a checkpoint holds (enough to count bytes, also
//! for an architecture that cannot run yet), and [`DecoderSpec`] describes the computation to the decoder.

mod config;
mod decoder;
mod inventory;
mod shapes;

pub use config::{Config, SpecError};
pub use decoder::DecoderSpec;
pub use inventory::{Inventory, Role, Weight};
pub use shapes::shipped_shape;
