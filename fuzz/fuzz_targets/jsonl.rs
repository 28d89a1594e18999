//! Any bytes as `trials.jsonl`: both readers agree on what a record is, and a record's histogram is added or refused.
#![no_main]

use std::path::Path;

use lbcurve::result::{MergedHistogram, RecordStream, decode_histogram, parse_jsonl};
use lbcurve::run::record::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("trials.jsonl");
    let streamed: Vec<_> = RecordStream::<_, Record>::new(data, path).collect();
    let whole = parse_jsonl::<Record>(data, path);
    if let Ok(lines) = &whole {
        let records = streamed.iter().filter_map(|record| record.as_ref().ok());
        assert!(records.eq(&lines.records), "the two readers differ");
    }
    let mut merged = MergedHistogram::new();
    for record in streamed.into_iter().flatten() {
        let slot = record.slot();
        assert_eq!(slot, record.slot());
        let Record::Trial(trial) = record else { continue };
        merged.clear();
        if merged.add(&trial.histogram, trial.packets).is_ok() {
            let own = merged.histogram().expect("lbcurve's buckets are the library's");
            assert_eq!(own.len(), trial.packets);
            if let Ok(library) = decode_histogram(&trial.histogram) {
                assert_eq!(own, library);
            }
        }
    }
});
