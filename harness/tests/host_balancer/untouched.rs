//! What the load balancer leaves as it is.

use crate::bench::{POD, POD_PORT, both, tcp, udp};
use crate::packets::Datagram;
use lbcurve::backend::ebpf::Hook;

#[test]
fn what_is_no_service_is_untouched() {
    both(|bench| {
        bench.assert_untouched(&Datagram { destination: (POD, POD_PORT), ..tcp() }.frame(), "a pod address");
        let mut arp = tcp().frame();
        arp[12..14].copy_from_slice(&[8, 6]);
        bench.assert_untouched(&arp, "not IPv4");
        let mut version = tcp().frame();
        version[14] = 0x65;
        bench.assert_untouched(&version, "not version 4");
        let mut short_header = tcp().frame();
        short_header[14] = 0x44;
        bench.assert_untouched(&short_header, "a header of four words");
        let fragment = Datagram { fragment: (8, false), ..udp() };
        bench.assert_untouched(&fragment.frame(), "a fragment that is not the first");
    });
}

#[test]
fn what_is_cut_short_is_untouched() {
    both(|bench| {
        for datagram in [tcp(), udp(), Datagram { options: vec![1; 40], ..tcp() }] {
            let whole = datagram.frame();
            // Anywhere before the end that the header tells. The kernel itself refuses to run a classifier on less than an IPv4 header.
            let shortest = if bench.hook == Hook::Tc { 34 } else { 14 };
            for length in shortest..whole.len() {
                bench.assert_untouched(&whole[..length], &format!("{length} of {} bytes", whole.len()));
            }
        }
        // A total length that ends within the transport header, though the frame goes on (padding).
        for (datagram, header) in [(tcp(), 20), (udp(), 8)] {
            let mut frame = datagram.frame();
            frame[16..18].copy_from_slice(&(20 + header - 1_u16).to_be_bytes());
            bench.assert_untouched(&frame, "a total length within the transport header");
        }
    });
}
