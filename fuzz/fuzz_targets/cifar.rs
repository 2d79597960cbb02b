//! Records of a label and an image, as in CIFAR-10's binary files.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| critbatch_data::fuzzing::cifar(content));
