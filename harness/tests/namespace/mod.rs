//! A network namespace for a test.

use lbcurve::net::NetNs;

/// Runs a test in a namespace of its own, on a thread that ends with it.
pub(crate) fn in_fresh_namespace(test: impl FnOnce() + Send + 'static) {
    let run = move || {
        let namespace = NetNs::new().expect("needs root");
        let _guard = namespace.enter().expect("needs root");
        test();
    };
    std::thread::spawn(run).join().expect("the test in the namespace passes");
}
