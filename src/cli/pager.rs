//! The pager: what is longer than the screen is shown a screen at a time.

use std::io::Write;
use std::process::{Command, Stdio};

/// Whether a text has more lines than the terminal, as they are wrapped there.
pub(super) fn is_longer_than_screen(text: &[u8]) -> bool {
    let Some((_, terminal_size::Height(height))) = terminal_size::terminal_size() else {
        return false;
    };
    // Tables are as wide as the terminal at most; one line is left for the prompt.
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    lines >= usize::from(height.max(1))
}

/// Shows a text through `$PAGER`, or `less`; false: there is none, or it is switched off with `PAGER=`.
pub(super) fn show(text: &[u8]) -> bool {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    if pager.trim().is_empty() || pager.trim() == "cat" {
        return false;
    }
    // As git has it: a shell splits it into words.
    let mut command = Command::new("sh");
    command.args(["-c", &pager]).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // Ends by itself where all fits, shows colours, leaves the text on the screen.
        command.env("LESS", "FRX");
    }
    // Ctrl-C is for the pager: if it ended us, the shell and the pager would read from one terminal. Where somebody
    // handles signals already (Python does) it is left to them. Nothing but the end comes after the pager.
    let _ = ctrlc::try_set_handler(|| {});
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A reader who has seen enough closes it.
        let _ = stdin.write_all(text);
    }
    // The shell says 127 where there is no such program.
    child.wait().is_ok_and(|status| status.code() != Some(127))
}
