//! Medians, percentiles, goals and the Markdown tables that show them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::roster::BERTH;

/// The middle of the measured values; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// The value that `percent` of the others do not exceed; 0 of none.
pub(crate) fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = ((sorted.len() as f64 * percent / 100.0).ceil() as usize).max(1) - 1;
    sorted.get(index).copied().unwrap_or(0.0)
}

/// What Berth's value is held against.
#[derive(Clone, Debug)]
pub(crate) enum Against {
    /// One column.
    Column(&'static str),
    /// The best registry other than Berth.
    BestPeer,
    /// The number itself.
    Nothing,
}

/// A bound that the project set itself.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    against: Against,
    factor: f64,
    at_least: bool,
}

/// At least `factor` times something.
pub(crate) const fn at_least(factor: f64, against: Against) -> Goal {
    Goal { against, factor, at_least: true }
}

/// At most `factor` times something.
pub(crate) const fn at_most(factor: f64, against: Against) -> Goal {
    Goal { against, factor, at_least: false }
}

/// One line of a table.
#[derive(Debug)]
pub(crate) struct Line {
    /// What was measured.
    pub(crate) what: String,
    /// Unit of the values.
    pub(crate) unit: &'static str,
    more_is_better: bool,
    values: BTreeMap<String, Vec<f64>>,
    goals: Vec<Goal>,
}

impl Line {
    /// A figure of which more is better, such as a rate.
    pub(crate) fn rate(what: impl Into<String>, unit: &'static str) -> Self {
        Self { what: what.into(), unit, more_is_better: true, values: BTreeMap::new(), goals: Vec::new() }
    }

    /// A figure of which less is better, such as a time.
    pub(crate) fn cost(what: impl Into<String>, unit: &'static str) -> Self {
        Self { more_is_better: false, ..Self::rate(what, unit) }
    }

    /// Adds a goal.
    #[must_use]
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    /// Adds goals.
    #[must_use]
    pub(crate) fn goals(mut self, goals: &[Goal]) -> Self {
        self.goals.extend_from_slice(goals);
        self
    }

    /// Notes one run of one server.
    pub(crate) fn add(&mut self, column: &str, value: f64) {
        self.values.entry(column.to_owned()).or_default().push(value);
    }

    /// The median of a column, if it was measured.
    pub(crate) fn value(&self, column: &str) -> Option<f64> {
        self.values.get(column).map(|values| median(values))
    }

    fn best_peer(&self, own: &str, peers: &[String]) -> Option<f64> {
        let values = peers.iter().filter(|name| *name != own).filter_map(|name| self.value(name));
        if self.more_is_better { values.reduce(f64::max) } else { values.reduce(f64::min) }
    }

    fn judge(&self, goal: &Goal, own: &str, peers: &[String]) -> String {
        let (base, name) = match goal.against {
            Against::Column(name) => (self.value(name), format!("× {name}")),
            Against::BestPeer => (self.best_peer(own, peers), "× best peer".to_owned()),
            Against::Nothing => (Some(1.0), String::new()),
        };
        let sign = if goal.at_least { '≥' } else { '≤' };
        let asked = format!("{sign} {}{name}", number(goal.factor));
        let (Some(value), Some(base)) = (self.value(own), base.filter(|base| *base > 0.0)) else {
            return asked;
        };
        let ratio = value / base;
        let met = if goal.at_least { ratio >= goal.factor } else { ratio <= goal.factor };
        let mark = if met { "met" } else { "**missed**" };
        match goal.against {
            Against::Nothing => format!("{asked}: {mark}"),
            _ => format!("{asked}: {} {mark}", number(ratio)),
        }
    }
}

/// A group of lines with the same columns.
#[derive(Debug)]
pub(crate) struct Table {
    title: &'static str,
    note: String,
    peers: Vec<String>,
    limits: Vec<String>,
    /// The column that goals are about.
    own: String,
    /// A limit that gets a column of ratios, too.
    beside: Option<&'static str>,
    /// The lines so far.
    pub(crate) lines: Vec<Line>,
}

impl Table {
    /// A table with a column for each registry and each limit.
    pub(crate) fn new(
        title: &'static str,
        note: impl Into<String>,
        peers: &[String],
        limits: &[&str],
    ) -> Self {
        let limits = limits.iter().map(|&name| name.to_owned()).collect();
        let (note, peers, own) = (note.into(), peers.to_vec(), BERTH.to_owned());
        Self { title, note, peers, limits, own, beside: None, lines: Vec::new() }
    }

    /// Adds a column with the ratio to one of the limits.
    #[must_use]
    pub(crate) fn beside(mut self, limit: &'static str) -> Self {
        self.beside = Some(limit);
        self
    }

    /// A table of Berth alone, with columns for its states; goals are about the last.
    pub(crate) fn states(title: &'static str, note: impl Into<String>, states: &[String]) -> Self {
        let own = states.last().cloned().unwrap_or_default();
        Self { own, ..Self::new(title, note, states, &[]) }
    }

    /// Says what a reader must know about the lines.
    pub(crate) fn note(&mut self, note: String) {
        self.note = note;
    }

    /// Renders Markdown.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        if !self.note.is_empty() {
            let _ = write!(text, "{}\n\n", self.note);
        }
        let columns: Vec<&String> = self.peers.iter().chain(&self.limits).collect();
        let names: Vec<&str> = columns.iter().map(|name| name.as_str()).collect();
        let compared = (self.own == BERTH && self.peers.len() > 1).then_some("the best peer");
        let ratios: Vec<&str> = compared.into_iter().chain(self.beside).collect();
        let heads: Vec<String> = ratios.iter().map(|base| format!(" ratio to {base} |")).collect();
        let _ = writeln!(text, "| figure | unit | {} |{} goal |", names.join(" | "), heads.concat());
        let _ = writeln!(text, "|---|---|{}---|", "---:|".repeat(names.len() + ratios.len()));
        for line in &self.lines {
            let cells: Vec<String> =
                columns.iter().map(|name| line.value(name).map_or("–".to_owned(), number)).collect();
            let peer = compared.map(|_| line.best_peer(&self.own, &self.peers));
            let beside = self.beside.map(|limit| line.value(limit));
            let ratios: String = peer.into_iter().chain(beside).map(|base| self.ratio(line, base)).collect();
            let goals: Vec<String> =
                line.goals.iter().map(|goal| line.judge(goal, &self.own, &self.peers)).collect();
            let (what, unit) = (&line.what, line.unit);
            let _ =
                writeln!(text, "| {what} | {unit} | {} |{ratios} {} |", cells.join(" | "), goals.join("; "));
        }
        text
    }

    fn ratio(&self, line: &Line, base: Option<f64>) -> String {
        match (line.value(&self.own), base) {
            (Some(own), Some(base)) if base > 0.0 => format!(" {} |", number(own / base)),
            _ => " – |".to_owned(),
        }
    }
}

/// Three significant digits, thousands set apart.
fn number(value: f64) -> String {
    match value {
        value if value >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
