//! Figures of several runs, and tables of them.

use crate::report;
use std::fmt;

/// One figure, run by run.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn add_if(&mut self, sample: Option<f64>) {
        self.0.extend(sample);
    }

    /// Nothing where nothing could be measured.
    pub(crate) fn median(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| report::median(&self.0))
    }

    /// The median with so many decimals, and what lies around it.
    pub(crate) fn show(&self, decimals: usize) -> String {
        let Some(median) = self.median() else { return "–".to_owned() };
        let (low, high) = self.0.iter().fold((f64::MAX, f64::MIN), |(low, high), one| (low.min(*one), high.max(*one)));
        match self.0.len() {
            1 => format!("{median:.decimals$}"),
            _ => format!("{median:.decimals$} ({low:.decimals$}–{high:.decimals$})"),
        }
    }
}

/// A table that a person can read as it is, and a page of documentation can show.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn with(columns: &[&str]) -> Table {
        Table { rows: vec![columns.iter().map(|name| (*name).to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        for (line, row) in self.rows.iter().enumerate() {
            let cells = widths.iter().zip(row).map(|(width, cell)| format!(" {cell:<width$} "));
            writeln!(f, "|{}|", cells.collect::<Vec<_>>().join("|"))?;
            if line == 0 {
                let rule = widths.iter().map(|width| "-".repeat(width + 2));
                writeln!(f, "|{}|", rule.collect::<Vec<_>>().join("|"))?;
            }
        }
        Ok(())
    }
}
