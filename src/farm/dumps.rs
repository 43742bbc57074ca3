//! What operations-dumps has to know of a farm: its configuration, the lists of wikis, and its templates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use askama::Template;

use super::render::{Hosts, Rendered};
use crate::set::{Set, Wiki};

/// Where it lies in the farm's folder.
const FOLDER: &str = "dumps";

#[derive(Template)]
#[template(path = "dumps/wikidump.conf", escape = "none")]
struct Configuration<'a> {
    set: &'a str,
    web_root: &'a str,
    wikis: Vec<DumpedWiki<'a>>,
}

struct DumpedWiki<'a> {
    name: &'a str,
    db: &'a str,
}

#[derive(Template)]
#[template(path = "dumps/wikis.dblist", escape = "none")]
struct List<'a> {
    about: &'a str,
    databases: Vec<&'a str>,
}

/// What operations-dumps fills in itself, with `%`.
#[derive(Template)]
#[template(path = "dumps/report.html", escape = "none")]
struct Report;

#[derive(Template)]
#[template(path = "dumps/feed.xml", escape = "none")]
struct Feed;

#[derive(Template)]
#[template(path = "dumps/errormail.txt", escape = "none")]
struct ErrorMail;

/// The files of a set's farm folder that operations-dumps reads; none, if it is not what makes the set's dumps. No I/O.
///
/// # Errors
/// Where a template cannot be filled in.
pub(super) fn render(set: &Set, hosts: &Hosts) -> Result<BTreeMap<PathBuf, Rendered>> {
    if set.dumps.is_none() {
        return Ok(BTreeMap::new());
    }
    let wikis = set.wikis.iter().map(|(name, wiki)| DumpedWiki { name: name.as_str(), db: wiki.db.as_str() }).collect();
    let list = |about, chosen: &dyn Fn(&Wiki) -> bool| {
        let databases = set.wikis.values().filter(|wiki| chosen(wiki)).map(|wiki| wiki.db.as_str()).collect();
        List { about, databases }.render()
    };
    let files = [
        ("wikidump.conf", Configuration { set: &hosts.set, web_root: &hosts.dumps_web, wikis }.render()?),
        ("all.dblist", list("All wikis.", &|_| true)?),
        ("private.dblist", list("Wikis whose dumps are not published.", &|wiki| wiki.private)?),
        ("closed.dblist", list("Wikis that nobody edits any more.", &|_| false)?),
        ("flow.dblist", list("Wikis with Flow.", &|_| false)?),
        ("skip.dblist", list("Wikis that are not dumped.", &|_| false)?),
        ("templates/report.html", Report.render()?),
        ("templates/feed.xml", Feed.render()?),
        ("templates/errormail.txt", ErrorMail.render()?),
    ];
    let at = |(path, text): (&str, String)| (Path::new(FOLDER).join(path), Rendered::File(text.into_bytes()));
    Ok(files.into_iter().map(at).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set;

    fn rendered(text: &str) -> BTreeMap<String, String> {
        let set = set::parse(&"demo".parse().unwrap(), None, text).unwrap();
        let hosts = Hosts { dumps_web: "http://demo-dumpsweb.demo.lan:8080".into(), ..Hosts::of_seeding(false) };
        let text = |rendered| match rendered {
            Rendered::File(bytes) => String::from_utf8(bytes).unwrap(),
            Rendered::Link(_) => unreachable!(),
        };
        render(&set, &hosts).unwrap().into_iter().map(|(path, file)| (path.display().to_string(), text(file))).collect()
    }

    #[test]
    fn each_wiki_has_its_own_mediawiki_and_its_lists() {
        let wikis = "wikis:\n  wiki: {}\n  el-voy: {db: elwikivoyage}\n  inner: {private: true}\n";
        let files = rendered(&format!("sources:\n  dumps: {{path: /src/operations-dumps}}\n{wikis}"));
        let configuration = &files["dumps/wikidump.conf"];
        assert!(configuration.contains("\n[elwikivoyage]\ndir=/srv/farm/htdocs/el-voy/mw\n"), "{configuration}");
        assert!(configuration.contains("\nwebroot=http://demo-dumpsweb.demo.lan:8080\n"), "{configuration}");
        assert_eq!(files["dumps/all.dblist"], "# All wikis.\nelwikivoyage\ninner\nwiki\n");
        assert_eq!(files["dumps/private.dblist"], "# Wikis whose dumps are not published.\ninner\n");
        assert_eq!(files["dumps/skip.dblist"].lines().count(), 1);
        assert!(rendered(wikis).is_empty());
    }
}
