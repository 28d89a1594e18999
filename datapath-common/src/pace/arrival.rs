//! What becomes of paced packets where they arrive: the configuration of the program that counts them there.

/// What the arrival program does. One entry of the map `ARRIVAL`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArrivalConfig {
    /// When the trial began, ns: a packet that was meant to go before is one of an earlier trial.
    pub since_ns: u64,
    /// Network address of the pods.
    pub pod_network_be: u32,
    /// Netmask of the pods' range.
    pub pod_mask_be: u32,
    /// Endpoint port.
    pub pod_port_be: u16,
    /// [`COUNTED`], [`TIMED`] or [`LET_THROUGH`].
    pub timing: u16,
    /// Explicit padding.
    pub reserved: u32,
}

/// Packets are only counted.
pub const COUNTED: u16 = 0;
/// Every packet's time since its intended one is taken too.
pub const TIMED: u16 = 1;
/// Packets are left to whoever stands behind: flows are being opened, and answered there.
pub const LET_THROUGH: u16 = 2;

impl ArrivalConfig {
    /// Whether a packet to this address and port is none of the pods'.
    #[inline(always)]
    #[must_use]
    pub fn is_elsewhere(&self, addr_be: u32, port_be: u16) -> bool {
        addr_be & self.pod_mask_be != self.pod_network_be || port_be != self.pod_port_be
    }
}

const _: () = assert!(size_of::<ArrivalConfig>() == 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_have_their_network_and_their_port() {
        let config = ArrivalConfig {
            pod_network_be: 0x0a40_0000_u32.to_be(),
            pod_mask_be: 0xffc0_0000_u32.to_be(),
            pod_port_be: 8080_u16.to_be(),
            ..ArrivalConfig::default()
        };
        let is_elsewhere = |addr: u32, port: u16| config.is_elsewhere(addr.to_be(), port.to_be());
        assert!(!is_elsewhere(0x0a7f_0001, 8080));
        assert!(is_elsewhere(0x0a80_0001, 8080));
        assert!(is_elsewhere(0x0a40_0001, 80));
    }
}
