//! What a machine's configuration looks like, to be compared later, byte for byte.

use std::collections::BTreeMap;

use crate::machine::root;

/// Every file, folder and link below the places that `hostdns` could touch: kind, mode, owner, target, contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files(BTreeMap<String, String>);

impl Files {
    pub fn now() -> Self {
        // /etc/.updated and the like are nobody's configuration; nothing is left out here.
        let list = "for place in /etc /usr/local /home/someone/.config /home/someone/.ssh /var/lib/systemd/linger; do \
                    [ ! -e $place ] || find $place -printf '%p\\t%y %m %U:%G %l\\n'; done; \
                    for place in /etc /usr/local /home/someone/.config /home/someone/.ssh; do \
                    [ ! -e $place ] || find $place -type f -exec sha256sum {} +; done | sed -E 's/^([0-9a-f]+) +(.*)/\\2\\t\\1/'";
        let mut files = BTreeMap::<String, String>::new();
        for line in root(list).stdout.lines() {
            if let Some((path, fact)) = line.split_once('\t') {
                files.entry(path.to_owned()).or_default().push_str(&format!("{fact} "));
            }
        }
        assert!(files.len() > 100, "{files:?}");
        Self(files)
    }

    /// What differs from an earlier state.
    pub fn since(&self, before: &Self) -> Vec<String> {
        let paths: std::collections::BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        let differs = paths.into_iter().filter(|path| self.0.get(*path) != before.0.get(*path));
        differs.map(|path| format!("{path}: {:?}, before {:?}", self.0.get(path), before.0.get(path))).collect()
    }
}
