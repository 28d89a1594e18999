//! Namespaces, links, routes and netlink.
