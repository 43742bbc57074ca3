//! Subordinate ids: those that a user may give to the users of containers.

use std::fs;

/// As many as Debian's own files need, up to nobody's 65534.
pub const NEEDED: u64 = 65_536;

/// Where Debian begins to give them away.
const FIRST: u64 = 100_000;

/// The command that gives a user as many as are needed, from a range that is nobody else's.
pub fn give(user: &str) -> String {
    let given = ["/etc/subuid", "/etc/subgid"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let first = free(&given.join("\n"));
    let range = format!("{first}-{}", first + NEEDED - 1);
    format!("sudo usermod --add-subuids {range} --add-subgids {range} {user} && podman system migrate")
}

/// Where the first gap begins that is large enough, between ranges written `user:first:count`.
fn free(given: &str) -> u64 {
    let range = |line: &str| {
        let mut numbers = line.split(':').skip(1).map(|number| number.trim().parse::<u64>().ok());
        Some((numbers.next()??, numbers.next()??))
    };
    let mut ranges: Vec<_> = given.lines().filter_map(range).collect();
    ranges.sort_unstable();
    ranges.iter().fold(FIRST, |free, (first, count)| if free + NEEDED <= *first { free } else { free.max(first + count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_range_is_given_twice() {
        assert_eq!(free(""), 100_000);
        assert_eq!(free("me:100000:65536\nyou:165536:65536\n\nme:100000:65536\n"), 231_072);
        assert_eq!(free("late:300000:65536\nme:100000:65536\n"), 165_536, "there is room between them");
        assert_eq!(free("late:200000:65536\nme:100000:65536\n"), 265_536, "there is too little room between them");
        assert_eq!(free("# a comment\nme:100:10\nbroken:x:y\n"), 100_000);
    }

    #[test]
    fn the_command_names_one_range_for_both() {
        let command = give("me");
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!((words[2], words[4], words[3], words[6]), ("--add-subuids", "--add-subgids", words[5], "me"), "{command}");
    }
}
