//! An error and its causes as one line.

use std::error::Error;

/// The error and every cause that the line does not say yet, joined by colons, without line breaks.
pub fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors already say what their source says.
        if !line.contains(&text) {
            line += &format!(": {text}");
        }
        cause = error.source();
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        #[source]
        cause: Option<Box<Link>>,
    }

    #[test]
    fn causes_follow_unless_they_were_said() {
        let inner = Link { text: "disk full", cause: None };
        let middle = Link { text: "cannot write: disk full", cause: Some(Box::new(inner)) };
        let outer = Link { text: "run ended\nearly", cause: Some(Box::new(middle)) };
        assert_eq!(one_line(&outer), "run ended early: cannot write: disk full");
    }
}
