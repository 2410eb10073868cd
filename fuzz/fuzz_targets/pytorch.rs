//! PyTorch's `.bin`: the file as it stands, and the pickle of a well-formed archive.
#![no_main]

use std::io::Write as _;

use bench::acquire::Weights;
use bench::acquire::pytorch::{PytorchFile, pickle};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = bench_fuzz::write("pytorch_model.bin", bytes);
    if PytorchFile::open(&file).is_ok() {
        let _ = bench_fuzz::run(bench_fuzz::of_files(Weights::Pytorch(vec![file])), None);
    }
    if pickle::read(bytes).is_ok() {
        let file = bench_fuzz::write("archive.bin", &archive(bytes));
        let _ = bench_fuzz::run(bench_fuzz::of_files(Weights::Pytorch(vec![file])), None);
    }
});

/// An archive of this pickle with two storages.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, contents) in [("a/data.pkl", pickle), ("a/data/0", &[0; 512]), ("a/data/1", &[0; 512])] {
        archive.start_file(name, stored).expect("a file");
        archive.write_all(contents).expect("its contents");
    }
    archive.finish().expect("an archive").into_inner()
}
