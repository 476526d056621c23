//! Bodies of infobip.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| event_normalizer_fuzz::normalize("infobip", body));
