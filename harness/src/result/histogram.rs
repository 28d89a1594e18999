//! The text form of a trial's histogram: HDR V2 with deflate, in base64, as HdrHistogram's own logs hold it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    DeserializeError, Deserializer, Serializer, V2DeflateSerializeError, V2DeflateSerializer,
};

/// Why a histogram cannot be turned into text or back.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// The histogram cannot be encoded.
    #[error("cannot encode a histogram of {packets} packets")]
    Encode {
        /// Packets in it.
        packets: u64,
        /// Why.
        #[source]
        source: V2DeflateSerializeError,
    },
    /// Not base64.
    #[error("a histogram of {length} characters is not base64")]
    Base64 {
        /// Characters of the text.
        length: usize,
        /// Where.
        #[source]
        source: base64::DecodeError,
    },
    /// Not a V2 histogram.
    #[error("a histogram of {length} characters is not HDR V2")]
    Decode {
        /// Characters of the text.
        length: usize,
        /// Why.
        #[source]
        source: DeserializeError,
    },
}

/// Text of a histogram, for `TrialRecord::histogram`. Equal histograms give equal texts.
///
/// # Errors
/// The library refuses to encode it (its encoded size overflows).
pub fn encode_histogram(histogram: &Histogram<u64>) -> Result<String, HistogramError> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .map_err(|source| HistogramError::Encode { packets: histogram.len(), source })?;
    Ok(STANDARD.encode(bytes))
}

/// Histogram from the text in a `TrialRecord::histogram`.
///
/// # Errors
/// The text is not base64, or not an HDR V2 histogram.
pub fn decode_histogram(text: &str) -> Result<Histogram<u64>, HistogramError> {
    let length = text.len();
    let bytes = STANDARD.decode(text).map_err(|source| HistogramError::Base64 { length, source })?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|source| HistogramError::Decode { length, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_the_round_trip() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for value in [0, 1, 7813, 7813, 267_796, 10_000_000_000] {
            histogram.record(value).unwrap();
        }
        let text = encode_histogram(&histogram).unwrap();
        assert_eq!(text, encode_histogram(&histogram).unwrap());
        let back = decode_histogram(&text).unwrap();
        assert_eq!(back, histogram);
        assert_eq!(back.value_at_quantile(0.5), 7815);
    }

    #[test]
    fn broken_text_is_an_error() {
        assert!(matches!(decode_histogram("not base64!"), Err(HistogramError::Base64 { length: 11, .. })));
        assert!(matches!(decode_histogram("AAAA"), Err(HistogramError::Decode { .. })));
        assert!(decode_histogram("").is_err());
    }
}
