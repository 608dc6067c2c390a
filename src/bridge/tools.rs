//! Hiding tools: `--ignore-tool` and `--allow-tool`. Pure.

use serde_json::value::RawValue;
use wildmatch::WildMatchPattern;

use crate::{
    config::ToolFilter,
    message::{elements, member, unquote},
};

type Pattern = WildMatchPattern<'*', '\0'>;

/// Which tools the local client may see.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    allow: Vec<Pattern>,
    ignore: Vec<Pattern>,
}

impl Filter {
    /// Compiles the patterns.
    pub fn new(patterns: &ToolFilter) -> Self {
        let compile = |all: &[String]| {
            all.iter().map(|pattern| Pattern::new_case_insensitive(pattern)).collect()
        };
        Filter { allow: compile(&patterns.allow), ignore: compile(&patterns.ignore) }
    }

    /// Whether nothing is hidden.
    pub fn is_off(&self) -> bool {
        self.allow.is_empty() && self.ignore.is_empty()
    }

    /// Whether a tool is shown.
    pub fn shows(&self, name: &str) -> bool {
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        (self.allow.is_empty() || matches(&self.allow)) && !matches(&self.ignore)
    }

    /// A `tools/list` result without the hidden tools, all other bytes as they were; `None` where
    /// nothing is hidden in it.
    pub fn apply(&self, result: &str) -> Option<String> {
        if self.is_off() {
            return None;
        }
        let list = member(result, "tools")?;
        let tools = elements(list.as_bytes())?;
        let shown: Vec<&str> = tools
            .iter()
            .map(|tool| RawValue::get(tool))
            .filter(|tool| self.shows_tool(tool))
            .collect();
        if shown.len() == tools.len() {
            return None;
        }
        let start = list.as_ptr() as usize - result.as_ptr() as usize;
        let (before, after) = (&result[..start], &result[start + list.len()..]);
        Some(format!("{before}[{}]{after}", shown.join(",")))
    }

    fn shows_tool(&self, tool: &str) -> bool {
        member(tool, "name").is_none_or(|name| self.shows(&unquote(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(allow: &[&str], ignore: &[&str]) -> Filter {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Filter::new(&ToolFilter { allow: owned(allow), ignore: owned(ignore) })
    }

    #[test]
    fn patterns_match_whole_names_in_any_case() {
        for (allow, ignore, name, shown) in [
            (&[][..], &["delete*"][..], "DeleteAll", false),
            (&[], &["delete*"], "undelete", true),
            (&[], &["a?b"], "axb", true),
            (&[], &["a.b"], "axb", true),
            (&["gmail_*"], &[], "GMAIL_SEND", true),
            (&["gmail_*"], &[], "SLACK_SEND", false),
            (&["gmail_*"], &["*_SEND"], "GMAIL_SEND", false),
        ] {
            assert_eq!(filter(allow, ignore).shows(name), shown, "{allow:?} {ignore:?} {name}");
        }
    }

    #[test]
    fn takes_tools_out_and_leaves_the_rest_as_it_is() {
        let result = r#"{ "x": 1.0, "tools" : [ {"name":"a","n":1e400}, {"name":"b"} , {"name":"c"}], "nextCursor":"z" }"#;
        assert_eq!(
            filter(&[], &["b"]).apply(result).as_deref(),
            Some(
                r#"{ "x": 1.0, "tools" : [{"name":"a","n":1e400},{"name":"c"}], "nextCursor":"z" }"#
            )
        );
        assert_eq!(filter(&[], &["z"]).apply(result), None);
        assert_eq!(filter(&[], &[]).apply(result), None);
    }
}
