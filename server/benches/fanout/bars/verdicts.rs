//! Which bars hold, and what did not arrive.

use super::figures::Table;
use crate::faults::Faults;
use std::fmt;

/// What all parts found.
#[derive(Default)]
pub(crate) struct Verdicts {
    bars: Vec<Bar>,
    complaints: Vec<String>,
}

/// One bar, and where we stand.
struct Bar {
    what: String,
    figure: String,
    must: String,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Holds,
    Misses,
    /// Something was lost or could not be measured: there is nothing to compare.
    Refused,
}

impl Verdicts {
    /// A figure that must not be above a bound.
    pub(crate) fn at_most(&mut self, what: &str, figure: Option<f64>, unit: &str, bound: f64) {
        let Some(figure) = figure else { return };
        let standing = if figure <= bound { Standing::Holds } else { Standing::Misses };
        let (figure, must) = (format!("{} {unit}", short(figure)), format!("≤ {} {unit}", short(bound)));
        self.bars.push(Bar { what: what.to_owned(), figure, must, standing });
    }

    /// The same, where nothing may be said when something did not arrive.
    pub(crate) fn at_most_if_whole(
        &mut self,
        what: &str,
        figure: Option<f64>,
        unit: &str,
        bound: Option<f64>,
        faults: &[(&str, &Faults)],
    ) {
        let bad = faults.iter().find(|(_, faults)| !faults.none());
        match (bad, figure.zip(bound)) {
            (None, Some((figure, bound))) => self.at_most(what, Some(figure), unit, bound),
            (bad, _) => {
                let why = bad.map_or("not measured".to_owned(), |(who, faults)| format!("{who} lost: {faults}"));
                let bar = Bar { what: what.to_owned(), figure: why, must: String::new(), standing: Standing::Refused };
                self.bars.push(bar);
            }
        }
    }

    /// Takes note of what did not arrive.
    pub(crate) fn blame(&mut self, who: &str, faults: &Faults) {
        if !faults.none() {
            let words = faults.complaint.as_deref().unwrap_or("nobody said why");
            self.complaints.push(format!("{who}: lost, doubled, reordered {faults} ({words})"));
        }
    }

    /// Whether everything arrived once and in order, everywhere.
    pub(crate) fn is_clean(&self) -> bool {
        self.complaints.is_empty()
    }

    /// Whether every bar holds.
    pub(crate) fn hold(&self) -> bool {
        self.bars.iter().all(|bar| bar.standing == Standing::Holds)
    }
}

fn short(figure: f64) -> String {
    if figure.abs() < 10.0 { format!("{figure:.2}") } else { format!("{figure:.1}") }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::with(&["bar", "figure", "must", ""]);
        for Bar { what, figure, must, standing } in &self.bars {
            let standing = match standing {
                Standing::Holds => "holds",
                Standing::Misses => "misses",
                Standing::Refused => "REFUSED",
            };
            table.row([what.clone(), figure.clone(), must.clone(), standing.to_owned()]);
        }
        writeln!(f, "\nThe bars\n\n{table}")?;
        self.complaints.iter().try_for_each(|complaint| writeln!(f, "{complaint}"))?;
        writeln!(
            f,
            "{}",
            if self.is_clean() { "Everything arrived, once and in order." } else { "NOT everything arrived." }
        )
    }
}
