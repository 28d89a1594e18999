//! Room in a map that is an array.

use std::collections::BTreeMap;

use super::LayoutError;

/// Ranges of an array.
#[derive(Debug)]
pub(super) struct Space {
    map: &'static str,
    capacity: u32,
    next: u32,
    /// Released ranges by length.
    free: BTreeMap<u32, Vec<u32>>,
}

impl Space {
    pub(super) fn new(map: &'static str, capacity: u32) -> Self {
        Self { map, capacity, next: 0, free: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, length: u32) -> Result<u32, LayoutError> {
        if length == 0 {
            return Ok(0);
        }
        if let Some(first) = self.free.get_mut(&length).and_then(Vec::pop) {
            return Ok(first);
        }
        let first = self.next;
        match first.checked_add(length).filter(|end| *end <= self.capacity) {
            Some(end) => {
                self.next = end;
                Ok(first)
            }
            None => Err(LayoutError::Full { map: self.map, capacity: self.capacity }),
        }
    }

    pub(super) fn release(&mut self, first: u32, length: u32) {
        if length > 0 {
            self.free.entry(length).or_default().push(first);
        }
    }
}
