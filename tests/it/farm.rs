//! A farm as its users have it: two versions of MediaWiki, scripts of three kinds, files shared through a Commons, and code
//! that is being worked on.

use std::path::Path;

use crate::running::{http, member};
use crate::sandbox::{Sandbox, run};

/// Titles with everything that has a meaning in urls, in HTML, in regular expressions or on file systems.
const TITLES: &[&str] =
    &["C++", "AT&T", "100%", "a/b", "a//b", "Why?", "x=y;z", "(p) a'b\"c", "...", "Αθήνα", "ירושלים", "😀 emoji"];

const EXPORT: &str = r#"<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="el">
  <siteinfo><sitename>Νησί</sitename><dbname>elwiki</dbname><base>http://localhost/wiki/Νησί</base><case>first-letter</case>
    <namespaces><namespace key="0" case="first-letter"/><namespace key="10" case="first-letter">Πρότυπο</namespace>
    <namespace key="14" case="first-letter">Κατηγορία</namespace></namespaces></siteinfo>
  PAGES
</mediawiki>"#;

fn export(pages: &[(&str, u32, &str)]) -> String {
    let page = |(index, (title, namespace, text)): (usize, &(&str, u32, &str))| {
        let id = index + 1;
        format!(
            "<page><title>{title}</title><ns>{namespace}</ns><id>{id}</id><revision><id>{id}</id><timestamp>2026-02-01T00:00:0{id}Z\
             </timestamp><contributor><username>Ada</username><id>1</id></contributor><model>wikitext</model>\
             <format>text/x-wiki</format><text xml:space=\"preserve\">{text}</text></revision></page>\n"
        )
    };
    EXPORT.replace("PAGES", &pages.iter().enumerate().map(page).collect::<String>())
}

/// As browsers write a title behind `index.php/`.
fn encoded(title: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        b' ' => "_".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    title.bytes().map(byte).collect()
}

/// What the wiki's api answers.
fn ask(base: &str, query: &[(&str, &str)]) -> serde_json::Value {
    let fixed = [("format", "json"), ("formatversion", "2"), ("action", "query")];
    let (status, answer) = http(&format!("{base}/api.php"), Some(&[&fixed[..], query].concat()));
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// The titles in one of the answer's lists.
fn titles(answer: &serde_json::Value, list: &str) -> Vec<String> {
    let list = answer["query"][list].as_array().unwrap_or_else(|| panic!("no {list} in {answer}"));
    list.iter().map(|entry| entry["title"].as_str().unwrap_or_default().to_owned()).collect()
}

fn edit(base: &str, title: &str, text: &str) {
    let form = [("action", "edit"), ("title", title), ("text", text), ("token", "+\\"), ("format", "json")];
    let (_, answer) = http(&format!("{base}/api.php"), Some(&form));
    assert!(answer.contains("\"result\":\"Success\""), "{title}: {answer}");
}

#[test]
fn a_farm_of_two_versions() {
    let sandbox = Sandbox::new();
    sandbox.private_seeds();
    let pages = [
        ("Νησί", 0, "Βράχος και [[Λιμάνι]]. {{Τόπος}}"),
        ("Λιμάνι", 0, "Καΐκια στη [[Νησί|στεριά]]. {{Τόπος}}"),
        ("Παλιό", 0, "#REDIRECT [[Νησί]]"),
        ("Πρότυπο:Τόπος", 10, "&lt;includeonly>[[Κατηγορία:Τόποι]]&lt;/includeonly>"),
    ];
    sandbox.write("sets/el.xml", export(&pages));
    let set = sandbox.set(
        "farm",
        "sources:\n  mediawiki: {deb: mediawiki}\n  newer: {deb: mediawiki, suite: trixie}\nwikis:\n  \
         commons: {db: commonswiki}\n  el: {db: elwiki, import: el.xml}\n  he: {lang: he}\n  newer: {mediawiki: newer, lang: ar}\n",
    );
    let up = sandbox.run(&["up", &set]).ok();
    let base = |wiki: &str| {
        let line = up.stdout.lines().find(|line| line.ends_with(&format!("/{wiki}/mw/"))).expect("a url for each wiki");
        line.trim_end_matches('/').to_owned()
    };
    let version = |wiki: &str| ask(&base(wiki), &[("meta", "siteinfo")])["query"]["general"]["generator"].to_string();
    assert!(version("el").contains("MediaWiki 1.39") && version("newer").contains("MediaWiki 1.43"));
    what_was_imported_is_linked(&base("el"));
    let (_, page) = http(&base("he"), None);
    assert!(page.contains("dir=\"rtl\"") && page.contains("lang=\"he\""), "{}", &page[..500]);
    for wiki in ["el", "newer"] {
        titles_are_as_they_are(&base(wiki));
        a_shared_file_is_seen(&base(wiki), "Lighthouse.png");
    }
    let access = sandbox.run(&["logs", &set, "mw", "access", "--lines", "1000"]).ok();
    access.stdout_has(&format!("/el/mw/index.php/{} HTTP", encoded("😀 emoji")));
    files_are_uploaded(&sandbox, &set, &base("commons"));
    a_shared_file_is_seen(&base("newer"), "From_a_shell.png");
    a_shared_file_is_seen(&base("el"), "From the web.png");
    mediawiki_logs_are_in_reach(&sandbox, &set);
    only_what_changed_is_imported(&sandbox, &set, &pages);
}

fn what_was_imported_is_linked(base: &str) {
    let site = ask(base, &[("meta", "siteinfo"), ("siprop", "general|statistics")]);
    let site = &site["query"];
    assert_eq!((&site["general"]["sitename"], &site["general"]["lang"]), (&"Νησί".into(), &"el".into()));
    assert_eq!((&site["general"]["mainpage"], &site["statistics"]["pages"]), (&"Νησί".into(), &4.into()));
    let members = ask(base, &[("list", "categorymembers"), ("cmtitle", "Category:Τόποι")]);
    assert_eq!(titles(&members, "categorymembers"), ["Λιμάνι", "Νησί"]);
    let links = ask(base, &[("list", "backlinks"), ("bltitle", "Νησί"), ("blfilterredir", "all")]);
    assert_eq!(titles(&links, "backlinks"), ["Λιμάνι", "Παλιό"]);
    for (word, page) in [("Καΐκια", "Λιμάνι"), ("Βράχος", "Νησί")] {
        let found = ask(base, &[("list", "search"), ("srwhat", "text"), ("srsearch", word)]);
        assert_eq!(titles(&found, "search"), [page], "{word}");
    }
    let (status, page) = http(&format!("{base}/index.php/{}", encoded("Κατηγορία:Τόποι")), None);
    assert!(
        status == 200 && page.contains(">Λιμάνι<"),
        "a category lists its members, with or without a page of its own: {status}"
    );
    let (status, page) = http(&format!("{base}/index.php/Special:Random"), None);
    assert!(status == 200 && (page.contains("Βράχος") || page.contains("Καΐκια")), "{status}");
}

fn titles_are_as_they_are(base: &str) {
    for title in TITLES {
        edit(base, title, &format!("The page {title} is here"));
        let url = format!("{base}/index.php/{}", encoded(title));
        for (url, expected) in
            [(format!("{url}?action=raw"), "is here"), (url.clone(), "is here"), (format!("{url}?action=edit"), "wpTextbox1")]
        {
            let (status, page) = http(&url, None);
            assert!(status == 200 && page.contains(expected), "{url}: {status}");
        }
    }
}

/// A file of the farm's Commons is shown on another wiki, in a size of its own.
fn a_shared_file_is_seen(base: &str, file: &str) {
    edit(base, "Picture", &format!("[[File:{file}|thumb|40px|x]]"));
    let (_, page) = http(&format!("{base}/index.php/Picture"), None);
    let source =
        page.split("src=\"").find_map(|rest| rest.split('"').next().filter(|source| source.contains("/commons/images/thumb/")));
    let source = source.unwrap_or_else(|| panic!("{file} is not shown on {base}"));
    let host = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let limit = Some(std::time::Duration::from_secs(30));
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(limit).proxy(None).build().into();
    let mut answer = agent.get(format!("{host}{source}")).call().unwrap_or_else(|error| panic!("{source}: {error}"));
    let bytes = answer.body_mut().read_to_vec().expect("a picture");
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n", "{source}");
    let (status, page) = http(&format!("{base}/index.php/File:{}", encoded(file)), None);
    assert!(
        status == 200 && page.contains(&format!("/commons/mw/index.php/File:{}", encoded(file))),
        "{file} on {base}: {status}"
    );
    assert!(!page.contains("[/commons") && !page.contains("[http"), "a link that is none for {file} on {base}");
}

/// By a maintenance script, then through the web server into what the script has left.
fn files_are_uploaded(sandbox: &Sandbox, set: &str, base: &str) {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/seed/content/lighthouse.png").display().to_string();
    sandbox.run(&["exec", set, "snapshot1", "mkdir", "/tmp/files"]).ok();
    sandbox.run(&["cp", set, &picture, "snapshot1:/tmp/files/From_a_shell.png"]).ok();
    let script = |name: &str, arguments: &[&str]| {
        let script = format!("/srv/farm/htdocs/commons/mw/maintenance/{name}");
        sandbox.run(&[&["exec", set, "snapshot1", "php", &script, "--wiki=commons"], arguments].concat()).ok()
    };
    script("importImages.php", &["/tmp/files"]);
    script("createAndPromote.php", &["Eve", "a long password"]);
    // Each folder that the script has made, root's, must take what comes from the web.
    let folders = "find /srv/images/commons -type d ! -perm -o+w ! -user www-data";
    assert_eq!(sandbox.run(&["exec", set, "snapshot1", "sh", "-c", folders]).ok().stdout, "");
    let upload = r#"
        set -e
        api="$1/commons/mw/api.php"; ask() { curl --silent --fail --cookie /tmp/jar --cookie-jar /tmp/jar "$@"; }
        token() { ask "$api?action=query&meta=tokens&type=$1&format=json" | sed 's/.*token":"\([^"]*\)\\\\".*/\1\\/'; }
        login=$(token login)
        ask --data-urlencode "logintoken=$login" --data-urlencode 'password=a long password' \
            --data 'action=clientlogin&format=json&username=Eve&loginreturnurl=http://localhost/' "$api"
        ask --form "token=$(token csrf)" --form action=upload --form format=json --form ignorewarnings=1 \
            --form 'filename=From the web.png' --form 'file=@/tmp/files/From_a_shell.png' "$api"
    "#;
    let inside = format!("http://{set}-mw");
    let uploaded = sandbox.run(&["exec", set, "snapshot1", "sh", "-c", upload, "upload", &inside]).ok();
    uploaded.stdout_has("\"status\":\"PASS\"").stdout_has("\"result\":\"Success\"");
    assert_eq!(http(&format!("{base}/index.php/File:From_the_web.png"), None).0, 200);
}

fn mediawiki_logs_are_in_reach(sandbox: &Sandbox, set: &str) {
    // A login is in a channel of its own.
    sandbox.run(&["logs", set, "php", "mediawiki"]).ok().stdout_has(&format!("{set}-php mediawiki/authentication: "));
    sandbox.run(&["logs", set, "php", "mediawiki/authentication"]).ok().stdout_has("Eve");
    let exceptions = sandbox.run(&["logs", set, "php", "mediawiki/exception"]);
    assert!(exceptions.status == 2, "nothing went wrong: {exceptions}");
    // Members speak on their stderr.
    sandbox.run(&["logs", set, "mw", "console"]).ok().stdout_has("console: Server listening on");
}

fn only_what_changed_is_imported(sandbox: &Sandbox, set: &str, pages: &[(&str, u32, &str)]) {
    sandbox.run(&["destroy", set]).ok();
    sandbox.run(&["create", set]).ok().stderr_has_not("seed wiki");
    sandbox.run(&["destroy", set]).ok();
    let more = [pages, &[("Φάρος", 0, "Νέος φάρος")]].concat();
    sandbox.write("sets/el.xml", export(&more));
    let created = sandbox.run(&["create", set]).ok().stderr_has("seed wiki el (import file el.xml changed)");
    created.stderr_has("seed wiki newer (it is there, and the farm is new)").stderr_has_not("never made");
}

/// A tree in the user's own folder: what is edited there shows on reload.
#[test]
fn code_that_is_being_worked_on() {
    let sandbox = Sandbox::new();
    let cache = sandbox.private_seeds();
    let package = sandbox.set("package", "wikis:\n  wiki: {}\n");
    sandbox.run(&["build", &package]).ok();
    let trees = std::fs::read_dir(cache.join("sources")).expect("sources").flatten().map(|entry| entry.path());
    let is_139 = |tree: &std::path::PathBuf| {
        std::fs::read_to_string(tree.join("includes/Defines.php")).is_ok_and(|text| text.contains("'1.39"))
    };
    let tree = trees.into_iter().find(is_139).expect("the package's tree").display().to_string();
    let mine = sandbox.at("mediawiki:1.39"); // podman's usual form of a mount has no colon in a path
    run("cp", &["--recursive", &tree, &mine.display().to_string()]).ok();
    let set =
        sandbox.set("path", &format!("sources:\n  mine: {{path: {}}}\nwikis:\n  wiki: {{mediawiki: mine}}\n", mine.display()));
    let up = sandbox.run(&["up", &set]).ok();
    let special = format!("{}index.php/Special:Version", up.stdout.trim());
    assert!(!http(&special, None).1.contains("Edited"));

    let replace = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(mine.join(file)).expect("a file");
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(mine.join(file), text.replacen(from, to, 1)).expect("a file");
    };
    replace("languages/i18n/en.json", "\"recentchanges\": \"Recent changes\"", "\"recentchanges\": \"Edited message\"");
    replace(
        "includes/specials/SpecialVersion.php",
        "$this->setHeaders();",
        "$this->setHeaders(); $out = $this->getOutput(); $out->addHTML( 'Edited code' );",
    );
    let (status, page) = http(&special, None);
    assert!(status == 200 && page.contains("Edited code") && page.contains("Edited message"), "{status}");
    // The tree is the user's: nothing in a member can write to it.
    sandbox.run(&["exec", &set, "php", "touch", "/srv/mediawiki/mine/new"]).status(1).stderr_has("Read-only");
    run("chmod", &["go-rwx", &mine.join("includes").display().to_string()]).ok();
    let refused =
        sandbox.run(&["up", &set]).status(3).stderr_has(&format!("sets/{set}.yaml:2: sources.mine: members cannot read"));
    refused.stderr_has("hint: chmod -R o+rX");
}

#[test]
fn every_wiki_that_does_not_answer_is_told_of() {
    let sandbox = Sandbox::new();
    let set = sandbox.set("broken", "wikis:\n  second: {}\n  wiki: {}\n");
    sandbox.run(&["up", &set]).ok();
    let drop = "DROP DATABASE second; DROP DATABASE wiki";
    sandbox.run(&["exec", &set, "dbprimary", "mariadb", "-e", drop]).ok();
    let failed = sandbox.run(&["up", &set, "--timeout", "5"]).status(1);
    let status = sandbox.status(&set);
    let health = member(&status, "mw")["health"].as_str().expect("text");
    for wiki in ["/second/mw/", "/wiki/mw/"] {
        assert!(health.contains(wiki), "{wiki} is not in {health}");
        assert!(failed.stderr.contains(wiki), "{wiki} is not in {failed}");
    }
    sandbox.run(&["destroy", &set]).ok();
    sandbox.nothing_left();
}
