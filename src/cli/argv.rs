//! Repairing the arguments before they are parsed.
//!
//! Some clients split an argument at its spaces, and desktop extensions pass on placeholders that
//! nobody filled in. Both are mended here, on the plain list of arguments.

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory, builder::ArgAction};

use super::Cli;

/// The mark of a value that a desktop extension's user left empty.
const UNFILLED: &str = "${user_config.";

/// Joins split header values, then drops what was never filled in. The first argument is the
/// program's name.
pub fn prepare(args: Vec<OsString>) -> Vec<OsString> {
    drop_unfilled(rejoin(args))
}

/// Whether the text holds a placeholder of a desktop extension.
pub fn is_unfilled(text: &str) -> bool {
    text.contains(UNFILLED)
}

fn rejoin(args: Vec<OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(args.len());
    let mut url_seen = false;
    let mut args = args.into_iter().peekable();
    joined.extend(args.next());
    while let Some(arg) = args.next() {
        let mut value = match arg.to_str() {
            Some("--") => {
                joined.push(arg);
                joined.extend(args);
                return joined;
            }
            Some("--header") => {
                joined.push(arg);
                match args.next() {
                    Some(value) => value,
                    None => return joined,
                }
            }
            Some(text) if text.starts_with("--header=") => arg,
            _ => {
                url_seen |= is_url(&arg) && !takes_url(joined.last());
                joined.push(arg);
                continue;
            }
        };
        while let Some(part) = args.next_if(|next| continues(&value, next, url_seen)) {
            value.push(" ");
            value.push(part);
        }
        joined.push(value);
    }
    joined
}

/// Whether `next` is a further piece of the header `value`: not a flag, not the endpoint, and not
/// the port that may follow the endpoint, unless the header has no value yet.
fn continues(value: &OsStr, next: &OsStr, url_seen: bool) -> bool {
    let Some(next) = next.to_str() else { return false };
    if next.starts_with('-') || next.contains("://") {
        return false;
    }
    let is_port = url_seen && next.bytes().all(|byte| byte.is_ascii_digit());
    let is_empty = value.to_str().is_some_and(|value| value.trim_end().ends_with(':'));
    is_empty || !is_port
}

fn is_url(arg: &OsStr) -> bool {
    arg.to_str().is_some_and(|text| text.contains("://") && !text.starts_with('-'))
}

/// Whether a URL after this argument is the argument's value.
fn takes_url(before: Option<&OsString>) -> bool {
    before.is_some_and(|before| before == "--proxy")
}

fn drop_unfilled(args: Vec<OsString>) -> Vec<OsString> {
    if !args.iter().any(|arg| arg.to_str().is_some_and(is_unfilled)) {
        return args;
    }
    let mut kept: Vec<OsString> = Vec::with_capacity(args.len());
    for arg in args {
        let text = arg.to_str().unwrap_or_default();
        let is_value = kept.last().and_then(|last| last.to_str()).is_some_and(takes_value);
        let is_whole = text.starts_with(UNFILLED) && text.ends_with('}');
        match is_unfilled(text) {
            true if is_value => {
                kept.pop();
            }
            true if text.starts_with("--") || is_whole => {}
            // A URL that lacks one part is better named in an error than missed.
            _ => kept.push(arg),
        }
    }
    kept
}

fn takes_value(flag: &str) -> bool {
    let Some(name) = flag.strip_prefix("--") else { return false };
    Cli::command().get_arguments().any(|arg| {
        let waits = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        let never = arg.get_num_args().is_some_and(|count| !count.takes_values());
        arg.get_long() == Some(name) && waits && !never && !arg.is_require_equals_set()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(args: &[&str]) -> Vec<String> {
        let args = std::iter::once("bridge").chain(args.iter().copied()).map(OsString::from);
        let kept = prepare(args.collect()).into_iter().skip(1);
        kept.map(|arg| arg.into_string().expect("the input was text")).collect()
    }

    const URL: &str = "https://x.example/mcp";

    #[test]
    fn a_split_header_is_joined() {
        for (given, expected) in [
            (
                vec!["--header", "Authorization: Bearer tok", URL],
                vec!["--header", "Authorization: Bearer tok", URL],
            ),
            (
                vec!["--header", "Authorization:", "Bearer", "tok", URL],
                vec!["--header", "Authorization: Bearer tok", URL],
            ),
            (vec!["--header", "x-api-key:", "KEY"], vec!["--header", "x-api-key: KEY"]),
            (
                vec!["--header", "Authorization:Bearer", "tok", "--debug", URL],
                vec!["--header", "Authorization:Bearer tok", "--debug", URL],
            ),
            (
                vec![URL, "--header", "Authorization:", "Bearer", "tok"],
                vec![URL, "--header", "Authorization: Bearer tok"],
            ),
            (
                vec![URL, "--header=Authorization:", "Bearer", "tok", "--silent"],
                vec![URL, "--header=Authorization: Bearer tok", "--silent"],
            ),
            (vec![URL, "--header", "A: b", "3334"], vec![URL, "--header", "A: b", "3334"]),
            (vec![URL, "--header", "A:", "3334"], vec![URL, "--header", "A: 3334"]),
            (vec!["--header", "A: b", "3334", URL], vec!["--header", "A: b 3334", URL]),
            (
                vec!["--proxy", "http://p:1", "--header", "A: b", "3", URL],
                vec!["--proxy", "http://p:1", "--header", "A: b 3", URL],
            ),
            (
                vec!["--header", "A:", "b", "--header", "C:", "d", URL],
                vec!["--header", "A: b", "--header", "C: d", URL],
            ),
            (vec![URL, "--header"], vec![URL, "--header"]),
            (vec![URL, "3334", "--debug"], vec![URL, "3334", "--debug"]),
            (vec!["--", "--header", "A:", "b"], vec!["--", "--header", "A:", "b"]),
        ] {
            assert_eq!(prepared(&given), expected, "{given:?}");
        }
    }

    #[test]
    fn what_was_never_filled_in_counts_as_not_given() {
        for (given, expected) in [
            (vec![URL, "--header", "x-api-key: ${user_config.key}"], vec![URL]),
            (
                vec![URL, "--header", "Authorization:", "Bearer", "${user_config.key}", "--debug"],
                vec![URL, "--debug"],
            ),
            (vec!["--header=x-api-key:${user_config.key}", URL], vec![URL]),
            (vec!["--transport", "${user_config.transport}", URL], vec![URL]),
            (vec!["--transport=${user_config.transport}", URL], vec![URL]),
            (vec!["--debug", "${user_config.url}"], vec!["--debug"]),
            (vec!["--no-proxy", "${user_config.url}"], vec!["--no-proxy"]),
            (vec!["${user_config.url}", "--debug"], vec!["--debug"]),
            (
                vec!["https://x.example/${user_config.id}/mcp"],
                vec!["https://x.example/${user_config.id}/mcp"],
            ),
            (
                vec![URL, "--header", "x-api-key: ${KEY}"],
                vec![URL, "--header", "x-api-key: ${KEY}"],
            ),
        ] {
            assert_eq!(prepared(&given), expected, "{given:?}");
        }
    }
}
