//! The figures as a picture: SVG by hand, for light and dark pages.

use std::fmt::Write;

/// Bars that stand side by side.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) taproom: Option<f64>,
    pub(crate) bun: Option<f64>,
    pub(crate) floor: Option<f64>,
}

/// Everything in pixels.
const WIDTH: f64 = 720.0;
/// The names of the groups stand left of this.
const LEFT: f64 = 200.0;
/// The longest bar; its figure stands right of it.
const LONGEST: f64 = 440.0;
const BAR: f64 = 16.0;
const BETWEEN_BARS: f64 = 3.0;
const BETWEEN_GROUPS: f64 = 18.0;
const TITLE: f64 = 34.0;

const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}\
.title{font-weight:600;font-size:15px}.figure{font-size:12px}\
.taproom{fill:#b45309}.bun{fill:#64748b}.floor{fill:#cbd5e1}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.taproom{fill:#f59e0b}.bun{fill:#94a3b8}.floor{fill:#475569}}";

/// Draws CPU per delivery, and memory per connection where that was measured.
pub(crate) fn draw(loads: &[Group], memory: &[Group]) -> String {
    let mut body = String::new();
    let mut y = legend(&mut body);
    y = chart(&mut body, y, "CPU per delivery, µs", loads);
    if memory.iter().any(|group| !bars(group).is_empty()) {
        y = chart(&mut body, y, "Memory per idle connection, KiB", memory);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" role=\"img\" \
         aria-label=\"What a delivery and a connection cost, Taproom beside Bun\">\n<style>{STYLE}</style>\n{body}</svg>\n"
    )
}

/// What is drawn of a group: its class, its words, its figure.
fn bars(group: &Group) -> Vec<(&'static str, f64)> {
    let bars = [("taproom", group.taproom), ("bun", group.bun), ("floor", group.floor)];
    bars.into_iter().filter_map(|(class, figure)| Some((class, figure?))).collect()
}

fn legend(body: &mut String) -> f64 {
    let names = [("taproom", "Taproom, durable"), ("bun", "Bun, keeps nothing"), ("floor", "bare sockets, unbatched")];
    for (place, (class, name)) in names.into_iter().enumerate() {
        let x = 16.0 + place as f64 * 190.0;
        rectangle(body, class, x, 16.0, 12.0, 12.0);
        text(body, "", x + 18.0, 27.0, "start", name);
    }
    40.0
}

/// Draws one chart from `y` downwards, and tells where it ends.
fn chart(body: &mut String, mut y: f64, title: &str, groups: &[Group]) -> f64 {
    let longest = groups.iter().flat_map(bars).map(|(_, figure)| figure).fold(f64::MIN_POSITIVE, f64::max);
    text(body, "title", 16.0, y + 20.0, "start", title);
    y += TITLE;
    for group in groups {
        let bars = bars(group);
        let height = bars.len() as f64 * (BAR + BETWEEN_BARS);
        text(body, "", LEFT - 10.0, y + height / 2.0 + 3.0, "end", &group.name);
        for (class, figure) in bars {
            let length = (LONGEST * figure / longest).max(1.0);
            rectangle(body, class, LEFT, y, length, BAR);
            text(body, "figure", LEFT + length + 6.0, y + 12.5, "start", &format!("{figure:.2}"));
            y += BAR + BETWEEN_BARS;
        }
        y += BETWEEN_GROUPS;
    }
    y
}

fn rectangle(body: &mut String, class: &str, x: f64, y: f64, width: f64, height: f64) {
    let written = writeln!(
        body,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>"
    );
    written.expect("a String takes everything");
}

fn text(body: &mut String, class: &str, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let written =
        writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
    written.expect("a String takes everything");
}
