//! The other processes of the machine, by name, and the processor time that each has used.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::record::BusyProgram;

/// Names that are kept of a trial.
const MOST: usize = 5;

/// All processes but this one, at one moment. Those that the system hides are not among them.
///
/// It reads a file a process: tens of microseconds each, so it is for a moment at which nothing is timed.
pub struct Processes(HashMap<Identity, (String, u64)>);

/// A number is given again once its process has ended; when it started tells the two apart.
type Identity = (u32, u64);

impl Processes {
    /// Those that a folder like `/proc` lists, but for the process of this number.
    pub(super) fn under(root: &Path, own: u32) -> Self {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let process = |number: u32| {
            let stat = fs::read(root.join(number.to_string()).join("stat")).ok()?;
            let (name, ticks, started) = parse(&String::from_utf8_lossy(&stat))?;
            Some(((number, started), (name, ticks)))
        };
        Self(numbers.filter(|number| *number != own).filter_map(process).collect())
    }

    /// Programs that used the processors since, the busiest first. One that ended meanwhile is not known.
    pub fn busiest_since(&self, earlier: &Self) -> Vec<BusyProgram> {
        let mut ticks: HashMap<&str, u64> = HashMap::new();
        for (identity, (name, now)) in &self.0 {
            let before = earlier.0.get(identity).map_or(0, |(_, ticks)| *ticks);
            *ticks.entry(name).or_default() += now.saturating_sub(before);
        }
        let mut busiest: Vec<(&str, u64)> = ticks.into_iter().filter(|(_, ticks)| *ticks > 0).collect();
        busiest.sort_by(|(a, most), (b, more)| more.cmp(most).then(a.cmp(b)));
        let program =
            |(name, ticks): (&str, u64)| BusyProgram { name: name.to_owned(), cpu_seconds: ticks as f64 / 100.0 };
        busiest.into_iter().take(MOST).map(program).collect()
    }
}

/// Name, ticks of 10 ms in user and kernel mode, and when it started, of a line of `/proc/PID/stat` (man 5 proc, fields 2, 14,
/// 15 and 22). The name may hold anything, parentheses too.
fn parse(stat: &str) -> Option<(String, u64, u64)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.replace(char::is_control, "\u{fffd}");
    let mut numbers = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (user, kernel) = (next()?, next()?);
    Some((name, user.saturating_add(kernel), numbers.nth(6)?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Host;

    /// A folder like `/proc` with these processes: number, name, ticks in user and kernel mode, and when each started.
    fn machine(processes: &[(u32, &str, u64, u64, u64)]) -> Processes {
        let root = tempfile::tempdir().unwrap();
        for (number, name, user, kernel, started) in processes {
            let folder = root.path().join(number.to_string());
            fs::create_dir(&folder).unwrap();
            let stat = format!("{number} ({name}) S 1 1 1 0 -1 4 9 9 9 9 {user} {kernel} 9 9 20 0 1 0 {started} 9 9\n");
            fs::write(folder.join("stat"), stat).unwrap();
        }
        fs::write(root.path().join("uptime"), "1 2").unwrap();
        // Of another user, where the system hides them.
        fs::create_dir(root.path().join("99")).unwrap();
        Processes::under(root.path(), 7)
    }

    fn busiest(before: &[(u32, &str, u64, u64, u64)], after: &[(u32, &str, u64, u64, u64)]) -> Vec<(String, f64)> {
        let programs = machine(after).busiest_since(&machine(before));
        programs.into_iter().map(|program| (program.name, program.cpu_seconds)).collect()
    }

    #[test]
    fn a_program_is_as_busy_as_all_its_processes_and_this_one_is_none() {
        let before = [(7, "bench", 500, 0, 1), (8, "rustc", 100, 0, 1), (9, "sshd", 40, 2, 1)];
        let after = [(7, "bench", 900, 0, 1), (8, "rustc", 150, 10, 1), (9, "sshd", 40, 2, 1), (10, "rustc", 30, 0, 5)];
        assert_eq!(busiest(&before, &after), [("rustc".into(), 0.9)]);
    }

    #[test]
    fn the_busiest_comes_first_and_few_are_kept() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let after: Vec<_> = names.into_iter().zip(1..).map(|(name, at)| (at, name, u64::from(at), 0, 1)).collect();
        let names: Vec<String> = busiest(&[], &after).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["f", "e", "d", "c", "b"]);
    }

    #[test]
    fn a_number_that_is_given_again_is_another_process() {
        assert_eq!(busiest(&[(8, "cc1", 900, 0, 1)], &[(8, "ld", 5, 0, 2)]), [("ld".into(), 0.05)]);
    }

    #[test]
    fn names_may_hold_anything_and_come_out_printable() {
        let odd = "a) R 1 (\u{1b}[31m\n";
        assert_eq!(busiest(&[], &[(8, odd, 1, 0, 1)]), [("a) R 1 (\u{fffd}[31m\u{fffd}".into(), 0.01)]);
        for broken in ["", "8", "8 (a", "8 (a) S 1 1", ")("] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_is_among_the_others_and_this_process_is_not() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let numbers: Vec<u32> = Host::this().processes().0.keys().map(|(number, _)| *number).collect();
        assert!(numbers.contains(&child.id()) && !numbers.contains(&std::process::id()), "{numbers:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
