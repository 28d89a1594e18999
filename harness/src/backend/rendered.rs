//! What a backend would program, as text.

/// One input of one tool, or one list of netlink messages in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The command that reads the text, or the netlink protocol.
    pub command: String,
    /// The text.
    pub text: String,
}

/// Everything that a backend programs, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The inputs in the order in which they are programmed.
    pub documents: Vec<Document>,
}

impl Rendered {
    /// The text of all documents, each under a line with its command: what golden files hold.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.documents.iter().map(|document| format!("## {}\n{}", document.command, document.text)).collect()
    }
}
