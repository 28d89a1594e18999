//! Renders a run: terminal table and self-contained HTML.
