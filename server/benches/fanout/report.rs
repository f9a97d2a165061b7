//! The figures of all runs side by side, with their medians.

use std::fmt;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Micros,
    Millis,
    Kibibytes,
    Mebibytes,
    Percent,
    Times,
}

/// Everything that was measured.
pub(crate) struct Report {
    headline: String,
    rows: Vec<Row>,
    runs: usize,
    remarks: Vec<String>,
    /// Messages that did not arrive as they must, in all runs.
    faults: usize,
}

struct Row {
    name: String,
    unit: Unit,
    values: Vec<f64>,
}

impl Report {
    pub(crate) fn new(headline: String) -> Report {
        Report { headline, rows: Vec::new(), runs: 0, remarks: Vec::new(), faults: 0 }
    }

    /// What is added from now on belongs to another run.
    pub(crate) fn begin_run(&mut self) {
        self.runs += 1;
    }

    /// Adds a figure. Every run adds the same ones.
    pub(crate) fn add(&mut self, name: &str, unit: Unit, value: f64) {
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.values.push(value),
            None => self.rows.push(Row { name: name.to_owned(), unit, values: vec![value] }),
        }
    }

    /// Adds a figure, where it could be measured.
    pub(crate) fn add_if(&mut self, name: &str, unit: Unit, value: Option<f64>) {
        if let Some(value) = value {
            self.add(name, unit, value);
        }
    }

    /// Adds a number that must be zero.
    pub(crate) fn add_fault(&mut self, name: &str, count: usize) {
        self.faults += count;
        self.add(name, Unit::Count, count as f64);
    }

    /// Adds a sentence about this run.
    pub(crate) fn remark(&mut self, words: String) {
        self.remarks.push(format!("run {}: {words}", self.runs));
    }

    /// Whether everything arrived once and in order.
    pub(crate) fn is_clean(&self) -> bool {
        self.faults == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.headline)?;
        write!(f, "{:<38}", "")?;
        (1..=self.runs).try_for_each(|run| write!(f, "{:>14}", format!("run {run}")))?;
        writeln!(f, "{}", if self.runs > 1 { "        median" } else { "" })?;
        self.rows.iter().try_for_each(|row| row.write(f, self.runs > 1))?;
        self.remarks.iter().try_for_each(|remark| writeln!(f, "{remark}"))?;
        let verdict =
            if self.is_clean() { "Everything arrived, once and in order." } else { "NOT everything arrived." };
        writeln!(f, "{verdict}")
    }
}

impl Row {
    fn write(&self, f: &mut fmt::Formatter<'_>, with_median: bool) -> fmt::Result {
        write!(f, "{:<38}", self.name)?;
        let median = with_median.then(|| median(&self.values));
        self.values.iter().copied().chain(median).try_for_each(|value| write!(f, "{:>14}", self.unit.write(value)))?;
        writeln!(f)
    }
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Unit::Count => with_commas(value as u64),
            Unit::Micros => format!("{value:.2} µs"),
            Unit::Millis => format!("{value:.1} ms"),
            Unit::Kibibytes => format!("{value:.2} KiB"),
            Unit::Mebibytes => format!("{value:.1} MiB"),
            Unit::Percent => format!("{value:.0} %"),
            Unit::Times => format!("{value:.2} x"),
        }
    }
}

pub(crate) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().flat_map(std::str::from_utf8).collect();
    groups.join(",")
}

/// The middle value; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
