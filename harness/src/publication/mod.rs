//! What is written about a run that is published: the folder's name, its README and its row in the index. Pure: from a
//! [`RunFile`](crate::result::RunFile) to text, in which every number is the run's own.

mod folder;
mod index;
mod marked;
mod rates;
mod readme;
mod trials;
mod words;

pub use folder::folder;
pub use index::{Row, index};
pub use marked::{MarkError, replace};
pub use readme::readme;
pub use trials::{TrialsError, check_trials};
