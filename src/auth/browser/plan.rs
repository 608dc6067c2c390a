//! Which programs open a page, and in which order (SEC-4). Pure.
//!
//! What the person named in `BROWSER` comes first. It is a list of commands, each of words with
//! quotes around those that hold spaces; `%s` stands for the URL, which is otherwise the last
//! argument. No shell reads any of it.

use crate::config::environment::Environment;

/// The systems that open pages differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    MacOs,
    Windows,
    /// Linux below Windows, where the browser is a program of Windows.
    Wsl,
    /// Linux and its relatives.
    Unix,
}

impl System {
    /// The system that this process runs on.
    pub(super) fn of(environment: &Environment) -> Self {
        let below_windows = || {
            ["WSL_DISTRO_NAME", "WSL_INTEROP"].iter().any(|name| environment.get(name).is_some())
        };
        match () {
            () if cfg!(target_os = "macos") => System::MacOs,
            () if cfg!(windows) => System::Windows,
            () if cfg!(target_os = "linux") && below_windows() => System::Wsl,
            () => System::Unix,
        }
    }
}

/// A program and its arguments, the URL among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opener {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

/// The programs to try, in turn.
pub(super) fn openers(system: System, environment: &Environment, url: &str) -> Vec<Opener> {
    let mut all = named(system, environment.get("BROWSER").unwrap_or_default(), url);
    all.extend(usual(system, environment).iter().map(|words| {
        let (program, arguments) = (&words[0], &words[1..]);
        let arguments = arguments.iter().map(String::as_str).chain([url]);
        Opener { program: program.clone(), arguments: arguments.map(str::to_owned).collect() }
    }));
    all
}

/// What each system has; the URL is still to be added as the last argument.
fn usual(system: System, environment: &Environment) -> Vec<Vec<String>> {
    let lines: &[&[&str]] = match system {
        System::MacOs => &[&["/usr/bin/open"]],
        System::Windows => &[],
        System::Wsl => &[
            &["wslview"],
            &["rundll32.exe", "url.dll,FileProtocolHandler"],
            &["xdg-open"],
            &["x-www-browser"],
        ],
        System::Unix => {
            &[&["xdg-open"], &["gio", "open"], &["x-www-browser"], &["sensible-browser"]]
        }
    };
    let owned = |words: &&[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut all: Vec<Vec<String>> = lines.iter().map(owned).collect();
    if system == System::Windows {
        // Not `cmd /c start`: that is a shell, which reads `&` and `^` in the URL as its own.
        let rundll32 = environment.get("SystemRoot").map_or_else(
            || "rundll32.exe".to_owned(),
            |root| format!("{root}\\System32\\rundll32.exe"),
        );
        all.push(vec![rundll32, "url.dll,FileProtocolHandler".to_owned()]);
    }
    all
}

/// The commands of `BROWSER`, between colons, or between semicolons where paths have colons.
fn named(system: System, list: &str, url: &str) -> Vec<Opener> {
    let between = if system == System::Windows { ';' } else { ':' };
    list.split(between).filter_map(|command| opener(&words(command), url)).collect()
}

fn opener(words: &[String], url: &str) -> Option<Opener> {
    // A `&` at the end asks a shell not to wait. We do not wait anyway.
    let words = words.strip_suffix(&["&".to_owned()]).unwrap_or(words);
    let (program, arguments) = words.split_first()?;
    let mut arguments: Vec<String> = arguments.to_vec();
    if arguments.iter().any(|word| word.contains("%s")) {
        for word in &mut arguments {
            *word = word.replace("%s", url);
        }
    } else {
        arguments.push(url.to_owned());
    }
    Some(Opener { program: program.clone(), arguments })
}

/// The words of a command: spaces part them, quotes of either kind keep them together.
fn words(command: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for char in command.chars() {
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, _) if char.is_whitespace() => all.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    all.extend(word);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://a.example/my%20realm/authorize?x=1&y=%3A$(id)";

    fn plan(system: System, variables: &[(&str, &str)]) -> Vec<String> {
        let environment = Environment::of(variables.iter().copied());
        let line = |opener: Opener| {
            let words = [vec![opener.program], opener.arguments].concat();
            words.join("|").replace(URL, "URL")
        };
        openers(system, &environment, URL).into_iter().map(line).collect()
    }

    #[test]
    fn each_system_has_its_programs_in_order() {
        let unix = ["xdg-open|URL", "gio|open|URL", "x-www-browser|URL", "sensible-browser|URL"];
        for (system, variables, expected) in [
            (System::MacOs, &[][..], &["/usr/bin/open|URL"][..]),
            (System::Unix, &[], &unix),
            (System::Windows, &[], &["rundll32.exe|url.dll,FileProtocolHandler|URL"]),
            (
                System::Windows,
                &[("SystemRoot", "C:\\Windows")],
                &["C:\\Windows\\System32\\rundll32.exe|url.dll,FileProtocolHandler|URL"],
            ),
            (
                System::Wsl,
                &[],
                &[
                    "wslview|URL",
                    "rundll32.exe|url.dll,FileProtocolHandler|URL",
                    "xdg-open|URL",
                    "x-www-browser|URL",
                ],
            ),
        ] {
            assert_eq!(plan(system, variables), expected, "{system:?} {variables:?}");
        }
    }

    #[test]
    fn no_plan_holds_a_shell() {
        for system in [System::MacOs, System::Windows, System::Wsl, System::Unix] {
            for line in plan(system, &[("SystemRoot", "C:\\Windows")]) {
                let shell = ["cmd", "powershell", "pwsh", "sh|", "-c|"];
                assert!(!shell.iter().any(|name| line.contains(name)), "{line}");
            }
        }
    }

    #[test]
    fn browser_is_a_list_of_commands_that_no_shell_reads() {
        for (system, value, expected) in [
            (System::Unix, "firefox", &["firefox|URL"][..]),
            (
                System::Unix,
                "firefox --new-tab:chromium %s",
                &["firefox|--new-tab|URL", "chromium|URL"],
            ),
            (System::Unix, "b --app=%s -x", &["b|--app=URL|-x"]),
            (System::Unix, "b &:::  : c\t%s  ", &["b|URL", "c|URL"]),
            (System::Unix, "'/my apps/b' \"a b\"'c' ''", &["/my apps/b|a bc||URL"]),
            (System::Unix, "b; rm $HOME | x", &["b;|rm|$HOME|||x|URL"]),
            (System::MacOs, "b", &["b|URL"]),
            (System::Windows, "\"C:\\a b\\b.exe\" %s;c", &["C:\\a b\\b.exe|URL", "c|URL"]),
            (System::Unix, "&", &[]),
            (System::Unix, "${user_config.browser}", &[]),
            (System::Unix, "", &[]),
        ] {
            let whole = plan(system, &[("BROWSER", value)]);
            let rest = plan(system, &[]);
            assert_eq!(
                whole,
                [expected, &rest.iter().map(String::as_str).collect::<Vec<_>>()].concat(),
                "{value}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_below_windows_is_told_by_its_variables() {
        for (variables, expected) in [
            (&[][..], System::Unix),
            (&[("WSL_DISTRO_NAME", "Ubuntu")], System::Wsl),
            (&[("WSL_INTEROP", "/run/WSL/1_interop")], System::Wsl),
        ] {
            assert_eq!(System::of(&Environment::of(variables.iter().copied())), expected);
        }
    }
}
