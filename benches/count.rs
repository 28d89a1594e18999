//! Counts as what criterion measures. They are printed with their own unit, which is a time only where the kernel took it.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

/// A count and its unit. There is no clock to read: benches count with `iter_custom`.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    unit: &'static str,
    for_one: &'static str,
}

impl Count {
    /// Steps of a model: visits of a data structure ([`datapath_sim::Steps`]).
    pub const STEPS: Self = Self { unit: "steps", for_one: "steps/element" };
    /// Nanoseconds as the kernel counted them: one unit for a whole plot, however large.
    pub const NANOSECONDS: Self = Self { unit: "ns", for_one: "ns/element" };
    /// Instructions that a guest retired.
    pub const INSTRUCTIONS: Self = Self { unit: "instructions", for_one: "instructions/element" };
}

impl Measurement for Count {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    /// # Panics
    /// Always: a bench that lets criterion read a clock would report nothing as a count.
    fn end(&self, (): ()) -> f64 {
        panic!("{} are counted with iter_custom", self.unit)
    }

    fn add(&self, one: &f64, other: &f64) -> f64 {
        one + other
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Count {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        self.unit
    }

    fn scale_throughputs(&self, _typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        let elements = match *throughput {
            Throughput::Elements(count) | Throughput::Bytes(count) | Throughput::BytesDecimal(count) => count,
            Throughput::Bits(count) => count,
            Throughput::ElementsAndBytes { elements, .. } => elements,
        };
        values.iter_mut().for_each(|value| *value /= elements.max(1) as f64);
        self.for_one
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        self.unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_printed_with_its_unit() {
        let formatter = Count::STEPS.formatter();
        assert_eq!(formatter.format_value(10_026.0), " 10026 steps");
        assert_eq!(formatter.format_throughput(&Throughput::Elements(10), 120.0), "12.000 steps/element");
    }
}
