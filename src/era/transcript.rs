//! Whole dialogues as text, replayed against a pure machine.
//!
//! A transcript is a file of lines. `who> what` is said to the machine, `who< what` is what the
//! machine says to somebody in return, `wait 250` lets so many milliseconds pass, and a line that
//! begins with `#` is a remark. What a machine takes and how its doings read is up to its
//! [`Player`]; a replay is right when every line it gives comes in its place, and no other.

use crate::time::Millis;

/// A machine that can be talked to in lines.
pub trait Player {
    /// `who` says `what` to the machine. What it says in return is added to `said`, each as
    /// `who< what`.
    fn hear(&mut self, who: &str, what: &str, said: &mut Vec<String>);
    /// So many milliseconds pass; the machine does at its time what it has to do meanwhile.
    fn wait(&mut self, time: Millis, said: &mut Vec<String>);
}

/// Replays a transcript.
///
/// # Panics
/// Where the machine says something else; the message shows what was expected and what came, and
/// the whole transcript as it would have to read.
pub fn replay(name: &str, transcript: &str, player: &mut impl Player) {
    let mut played = Vec::new();
    for (number, line) in transcript.lines().enumerate() {
        let is_remark = line.trim().is_empty() || line.starts_with('#');
        let said = line.split_once("< ").filter(|(who, _)| is_name(who)).is_some();
        if said {
            continue;
        }
        played.push(line.to_owned());
        if is_remark {
            continue;
        }
        match (line.strip_prefix("wait "), line.split_once("> ")) {
            (Some(time), _) => {
                let time = time.trim().parse().expect("`wait` and a number of milliseconds");
                player.wait(time, &mut played);
            }
            (None, Some((who, what))) if is_name(who) => player.hear(who, what, &mut played),
            _ => panic!("{name}:{}: neither said nor done: {line}", number + 1),
        }
    }
    compare(name, transcript, &played);
}

fn is_name(who: &str) -> bool {
    !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Remarks count for nothing here: what is said belongs to what was said before it.
fn compare(name: &str, transcript: &str, played: &[String]) {
    let counts = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let expected: Vec<&str> = transcript.lines().filter(counts).collect();
    let came: Vec<&str> = played.iter().map(String::as_str).filter(counts).collect();
    if expected == came {
        return;
    }
    let at = expected.iter().zip(&came).take_while(|(a, b)| a == b).count();
    let line = |lines: &[&str]| lines.get(at).map_or("nothing".to_owned(), |it| (*it).to_owned());
    panic!(
        "{name}, line {} of those that count\nexpected: {}\n    came: {}\n\nas it was played:\n{}\n",
        at + 1,
        line(&expected),
        line(&came),
        played.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says back what it hears, and counts the time.
    #[derive(Default)]
    struct Echo(Millis);

    impl Player for Echo {
        fn hear(&mut self, who: &str, what: &str, said: &mut Vec<String>) {
            said.push(format!("{who}< {what}"));
        }
        fn wait(&mut self, time: Millis, said: &mut Vec<String>) {
            self.0 += time;
            said.push(format!("clock< {}", self.0));
        }
    }

    #[test]
    fn what_is_said_must_be_what_stands_there() {
        let good = "# a remark\nme> hello\nme< hello\n\nwait 5\nclock< 5\n";
        replay("good", good, &mut Echo::default());
        for bad in [
            "me> hello\nme< goodbye\n",
            "me> hello\n",
            "me> hello\nme< hello\nme< hello\n",
            "me> a\nme> b\nme< a\nme< b\n",
        ] {
            let outcome = std::panic::catch_unwind(|| replay("bad", bad, &mut Echo::default()));
            assert!(outcome.is_err(), "{bad}");
        }
    }
}
