//! How many tests ran, as their runners tell it.

use std::{fmt, ops::AddAssign};

/// Tests that passed and tests that were left out. A failed one ends everything, so there is no count of those.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    skipped: usize,
}

impl Tally {
    /// Takes note of one line of a test runner: libtest's `test result: ok. 3 passed; 0 failed; 1 ignored; …`,
    /// or Playwright's `3 passed (1.2m)` and `1 skipped`.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(result) = line.strip_prefix("test result: ok. ") {
            result.split("; ").for_each(|part| self.add(part));
        } else {
            self.add(line.split(" (").next().unwrap_or_default());
        }
    }

    /// Adds `3 passed`, `1 skipped` or `1 ignored`; anything else is something else.
    fn add(&mut self, count: &str) {
        match count.split_once(' ').map(|(number, what)| (number.parse::<usize>(), what)) {
            Some((Ok(number), "passed")) => self.passed += number,
            Some((Ok(number), "skipped" | "ignored")) => self.skipped += number,
            _ => {}
        }
    }

    /// Whether any test ran at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, 0 failed", self.passed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn the_lines_of_both_runners_are_counted() {
        let cargo = "test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; finished in 0.12s";
        assert_eq!(tally_of(&[cargo, cargo]), Tally { passed: 24, skipped: 4 });
        assert_eq!(tally_of(&["  1 skipped", "  41 passed (1.4m)"]), Tally { passed: 41, skipped: 1 });
        assert_eq!(tally_of(&[cargo, "  3 passed (2.0s)"]).to_string(), "15 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn other_lines_are_not() {
        let lines = ["running 3 tests", "5 passed tests are mentioned here", "test a ... ok", "", "passed 3"];
        assert!(tally_of(&lines).is_empty());
    }
}
