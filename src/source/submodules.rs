//! The submodules of a commit: MediaWiki's release branches have vendor, skins and extensions as such. No I/O.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// A submodule, pinned by the commit it belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Its folder within the tree.
    pub path: String,
    pub url: String,
    pub commit: String,
}

/// The submodules that `.gitmodules` names and `git ls-tree -r -z` has, of a repository with this url.
///
/// # Errors
/// Where one would lie outside of the tree.
pub(super) fn list(modules: &str, listing: &str, url: &str) -> Result<Vec<Submodule>> {
    let commits: BTreeMap<&str, &str> = listing
        .split('\0')
        .filter_map(|entry| {
            let (about, path) = entry.split_once('\t')?;
            about.strip_prefix("160000 commit ").map(|commit| (path, commit))
        })
        .collect();
    let mut all = Vec::new();
    for (path, module_url) in sections(modules) {
        // A module without a commit was taken out and forgotten in .gitmodules.
        let Some(commit) = commits.get(path.as_str()) else { continue };
        if path.starts_with('/') || path.split('/').any(|part| matches!(part, ".." | ".git" | "")) || module_url.starts_with('-')
        {
            bail!(".gitmodules has a submodule at {path:?} from {module_url:?}, which cannot be right");
        }
        all.push(Submodule { path, url: resolve(url, &module_url), commit: (*commit).to_owned() });
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

/// Path and url of each section of a .gitmodules file.
fn sections(modules: &str) -> Vec<(String, String)> {
    let mut all: Vec<(Option<String>, Option<String>)> = Vec::new();
    for line in modules.lines().map(str::trim) {
        if line.starts_with("[submodule") {
            all.push((None, None));
        }
        let (Some(current), Some((key, value))) = (all.last_mut(), line.split_once('=')) else { continue };
        let value = value.trim().trim_matches('"').to_owned();
        match key.trim() {
            "path" => current.0 = Some(value),
            "url" => current.1 = Some(value),
            _ => {}
        }
    }
    all.into_iter().filter_map(|(path, url)| Some((path?, url?))).collect()
}

/// A url that begins with `./` or `../` is relative to its repository's.
fn resolve(base: &str, url: &str) -> String {
    let mut base = base.trim_end_matches('/');
    let mut rest = url;
    if !rest.starts_with("./") && !rest.starts_with("../") {
        return url.to_owned();
    }
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            base = base.rfind(['/', ':']).map_or("", |end| &base[..end]);
        } else {
            return format!("{base}/{rest}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULES: &str = "[submodule \"vendor\"]\n\tpath = vendor\n\turl = ../vendor\n\tbranch = .\n\
                           [submodule \"skins/Vector\"]\n\tpath = skins/Vector\n\turl = https://example.org/skins/Vector\n\
                           [submodule \"gone\"]\n\tpath = gone\n\turl = ../gone\n";
    const LISTING: &str = "100644 blob 11\tindex.php\x00160000 commit aa\tvendor\x00160000 commit bb\tskins/Vector\x00";

    #[test]
    fn submodules_are_those_with_a_commit() {
        let all = list(MODULES, LISTING, "https://example.org/r/mediawiki/core").unwrap();
        let all: Vec<_> = all.iter().map(|module| (module.path.as_str(), module.url.as_str(), module.commit.as_str())).collect();
        assert_eq!(
            all,
            [
                ("skins/Vector", "https://example.org/skins/Vector", "bb"),
                ("vendor", "https://example.org/r/mediawiki/vendor", "aa")
            ]
        );
    }

    #[test]
    fn relative_urls_are_those_of_git() {
        assert_eq!(resolve("/home/me/core", "../vendor"), "/home/me/vendor");
        assert_eq!(resolve("git@example.org:mediawiki/core.git", "../vendor.git"), "git@example.org:mediawiki/vendor.git");
        assert_eq!(resolve("https://example.org/a/b/", "../../c"), "https://example.org/c");
        assert_eq!(resolve("https://example.org/a", "./c"), "https://example.org/a/c");
    }

    #[test]
    fn a_submodule_outside_of_the_tree_is_refused() {
        let modules = "[submodule \"x\"]\npath = ../../x\nurl = ../x\n";
        assert!(list(modules, "160000 commit aa\t../../x\0", "/a/b").is_err());
    }
}
