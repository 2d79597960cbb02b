//! Web archives (WET files) and plain text, plain and in gzip.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| critbatch_data::fuzzing::warc(content));
