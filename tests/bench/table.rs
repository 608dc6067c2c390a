//! The report.

use std::fmt::Write;

/// What a figure is counted in.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Seconds.
    Time,
    /// A number a second.
    Rate,
    /// Bytes.
    Bytes,
    /// A factor.
    Times,
}

/// What is required of the bridge.
#[derive(Clone, Copy)]
pub enum Bound {
    /// Nothing.
    None,
    /// At most so many times the floor.
    Ratio(f64),
    /// At least so many times the floor.
    AtLeast(f64),
    /// At most this.
    Most(f64),
}

/// One figure of all subjects; `None` where it does not apply or the system does not tell.
pub struct Row {
    name: String,
    unit: Unit,
    bound: Bound,
    floor: Option<f64>,
    ours: Option<f64>,
    theirs: Option<f64>,
    ratio: Option<f64>,
}

impl Row {
    /// A row from the figures of the floor, the bridge and mcp-remote in all rounds.
    ///
    /// The ratio is the median of the rounds' own ratios: what was taken within the same second
    /// can be compared, even where the machine runs at another speed a moment later.
    pub fn new(name: &str, unit: Unit, bound: Bound, [floor, ours, theirs]: [Vec<f64>; 3]) -> Self {
        let ratios = ours.iter().zip(&floor).map(|(ours, floor)| ours / floor).collect();
        Row {
            name: name.to_owned(),
            unit,
            bound,
            ratio: median(ratios),
            floor: median(floor),
            ours: median(ours),
            theirs: median(theirs),
        }
    }

    /// Whether the bound is kept, where there is one and it could be measured.
    fn keeps(&self) -> Option<bool> {
        match self.bound {
            Bound::None => None,
            Bound::Ratio(most) => self.ratio.map(|ratio| ratio <= most),
            Bound::AtLeast(least) => self.ratio.map(|ratio| ratio >= least),
            Bound::Most(most) => self.ours.map(|ours| ours <= most),
        }
    }

    fn bound_text(&self) -> String {
        match self.bound {
            Bound::None => String::new(),
            Bound::Ratio(most) => format!("≤ {most}×"),
            Bound::AtLeast(least) => format!("≥ {least}×"),
            Bound::Most(most) => format!("≤ {}", self.unit.text(Some(most))),
        }
    }
}

impl Unit {
    fn text(self, value: Option<f64>) -> String {
        let Some(value) = value else { return "–".into() };
        match self {
            Unit::Time if value < 1e-3 => format!("{:.1} µs", value * 1e6),
            Unit::Time if value < 1.0 => format!("{:.2} ms", value * 1e3),
            Unit::Time => format!("{value:.2} s"),
            Unit::Rate => format!("{value:.0} /s"),
            Unit::Bytes if value.abs() < 1e6 => format!("{:.0} kB", value / 1e3),
            Unit::Bytes => format!("{:.2} MB", value / 1e6),
            Unit::Times => format!("{value:.2}"),
        }
    }
}

/// All figures.
pub struct Report {
    pub rows: Vec<Row>,
    pub with_mcp_remote: bool,
}

impl Report {
    /// Whether any bound is exceeded.
    pub fn exceeds(&self) -> bool {
        self.rows.iter().any(|row| row.keeps() == Some(false))
    }

    /// The table.
    pub fn text(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut text = format!("{cores} cores, {}\n\n", std::env::consts::OS);
        line(&mut text, ["", "plain client", "bridge", "ratio", "bound", "", "mcp-remote"]);
        for row in &self.rows {
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let floor = row.floor.map(|floor| row.unit.text(Some(floor))).unwrap_or_default();
            let verdict = match row.keeps() {
                Some(true) => "ok",
                Some(false) => "over",
                None => "",
            };
            let theirs = row.theirs.map(|theirs| row.unit.text(Some(theirs))).unwrap_or_default();
            let ours = row.unit.text(row.ours);
            line(
                &mut text,
                [&row.name, &floor, &ours, &ratio, &row.bound_text(), verdict, &theirs],
            );
        }
        if !self.with_mcp_remote {
            text.push_str("\nmcp-remote: not installed (MCP_REMOTE names its dist/proxy.js)\n");
        }
        text
    }
}

/// The middle value, if there is any.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn line(text: &mut String, [name, floor, ours, ratio, bound, verdict, theirs]: [&str; 7]) {
    let written =
        format!("{name:<28}{floor:>14}{ours:>12}{ratio:>8}  {bound:<10}{verdict:<6}{theirs:>12}");
    let _ = writeln!(text, "{}", written.trim_end());
}
