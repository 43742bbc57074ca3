//! The stand-ins for the tools of the package mwbzutils: bytes in, bytes out, and what is no good. What they are expected to
//! write is what the package's own wrote.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::sandbox::command;

const HEADER: &str = "<mediawiki>\n  <siteinfo>\n    <sitename>W</sitename>\n  </siteinfo>\n";
const FOOTER: &str = "</mediawiki>\n";

fn page(id: u32, title: &str) -> String {
    format!(
        "  <page>\n    <title>{title}</title>\n    <ns>0</ns>\n    <id>{id}</id>\n    <revision>\n      <id>{id}0</id>\n      \
         <text>text {id}\n&lt;page&gt;</text>\n    </revision>\n  </page>\n"
    )
}

/// A wiki with the pages 2, 5 and 9.
fn wiki() -> String {
    [HEADER, &page(2, "A &amp; B"), &page(5, "Αθήνα"), &page(9, "C"), FOOTER].concat()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// Runs a tool in the folder.
    fn run(&self, tool: &str, arguments: &[&str], input: &[u8]) -> Output {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("containerfiles/snapshot/mwbzutils").join(tool);
        let mut command = command("python3");
        command.arg("-B").arg(program).args(arguments).current_dir(self.0.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python3 starts");
        // A tool that refuses its arguments does not read.
        let _ = child.stdin.take().expect("it is piped").write_all(input);
        child.wait_with_output().expect("it is ours")
    }

    #[track_caller]
    fn ok(&self, tool: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.run(tool, arguments, input);
        assert!(output.status.success() && output.stderr.is_empty(), "{tool} {arguments:?}: {output:?}");
        output.stdout
    }

    /// It must end with 255, and say why.
    #[track_caller]
    fn refused(&self, tool: &str, arguments: &[&str], why: &str) {
        let output = self.run(tool, arguments, b"");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(255) && said.contains(why) && !said.contains("Traceback"), "{arguments:?}: {said}");
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).expect("a file")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.at(name), bytes).expect("a file");
    }

    /// What Python's own decompressor makes of a file.
    fn unpacked(&self, module: &str, name: &str) -> String {
        let script = format!("import sys, {module}; sys.stdout.buffer.write({module}.open(sys.argv[1]).read())");
        let output = command("python3").args(["-c", &script]).arg(self.at(name)).output().expect("python3 starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Writes a bzip2 file with these streams.
    fn bzip2(&self, name: &str, streams: &[&[u8]]) {
        let script = "import sys, bz2; sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read()))";
        let mut all = Vec::new();
        for stream in streams {
            self.write("plain", stream);
            let input = std::fs::File::open(self.at("plain")).expect("a file");
            all.extend(command("python3").args(["-c", script]).stdin(input).output().expect("python3 starts").stdout);
        }
        self.write(name, &all);
    }
}

#[test]
fn recompressxml_writes_streams_and_their_index() {
    let folder = Folder::new();
    let options = ["--pagesperstream", "2", "--buildindex", "index.txt", "-o", "out.xml.bz2.inprog"];
    folder.ok("recompressxml", &options, wiki().as_bytes());
    assert_eq!(String::from_utf8_lossy(&folder.read("index.txt")), "84:2:A &amp; B\n84:5:Αθήνα\n263:9:C\n");
    let written = folder.read("out.xml.bz2.inprog");
    assert_eq!(written.len(), 452);
    let sum = format!("{:x}", Sha256::digest(&written));
    assert_eq!(sum, "3452654c0275937a7d8d81d2b3b1190fb6be83d56ae757978cd0f90a9292230e");

    // A stream can be had on its own.
    folder.write("one.bz2", &written[263..]);
    assert_eq!(folder.unpacked("bz2", "one.bz2"), page(9, "C") + FOOTER);

    // The names say how files are compressed; without one, it is not.
    folder.ok("recompressxml", &["-p", "100", "-b", "index.txt.bz2", "-o", "out.xml.gz"], wiki().as_bytes());
    assert_eq!(folder.unpacked("gzip", "out.xml.gz"), wiki());
    assert_eq!(folder.unpacked("bz2", "index.txt.bz2").lines().count(), 3);
    let body = folder.ok("recompressxml", &["-p", "1", "-H", "-F", "-i", "out.xml.gz"], b"");
    assert_eq!(String::from_utf8_lossy(&body), page(2, "A &amp; B") + &page(5, "Αθήνα") + &page(9, "C"));
}

#[test]
fn recompressxml_takes_what_there_is() {
    let folder = Folder::new();
    for (input, lines) in [(HEADER.to_owned() + FOOTER, 0), ("no xml\n".to_owned(), 0), (HEADER.to_owned() + &page(2, "A"), 1)] {
        folder.ok("recompressxml", &["-p", "1", "-b", "index.txt.bz2", "-o", "out.bz2"], input.as_bytes());
        assert_eq!(folder.unpacked("bz2", "out.bz2"), input);
        assert_eq!(folder.unpacked("bz2", "index.txt.bz2").lines().count(), lines);
    }
    folder.refused("recompressxml", &[], "--pagesperstream");
    folder.refused("recompressxml", &["-p", "0"], "more than 0");
    folder.refused("recompressxml", &["-p", "1", "-o", "nowhere/out.bz2"], "No such file");
    folder.write("bad.bz2", b"BZh9 is not enough");
    folder.refused("recompressxml", &["-p", "1", "-i", "bad.bz2"], "Invalid data stream");
}

#[test]
fn writeuptopageid_copies_ranges() {
    let folder = Folder::new();
    let pages = |ids: &[u32]| {
        let titles = [(2, "A &amp; B"), (5, "Αθήνα"), (9, "C")];
        let chosen = titles.iter().filter(|(id, _)| ids.contains(id)).map(|(id, title)| page(*id, title));
        [HEADER, &chosen.collect::<String>(), FOOTER].concat()
    };
    let copied = |arguments: &[&str]| String::from_utf8(folder.ok("writeuptopageid", arguments, wiki().as_bytes())).unwrap();
    assert_eq!(copied(&["1"]), wiki());
    assert_eq!(copied(&["5"]), pages(&[5, 9]));
    assert_eq!(copied(&["2", "9"]), pages(&[2, 5]));
    assert_eq!(copied(&["3", "5"]), pages(&[]));
    assert_eq!(copied(&["--noheader", "--nofooter", "6"]), page(9, "C"));

    let specs = "a.xml.gz:1:3;b.xml:3:6;c.xml.bz2.inprog:6:10;d.xml:10:";
    copied(&["--odir", ".", "--fspecs", specs]);
    assert_eq!(folder.unpacked("gzip", "a.xml.gz"), pages(&[2]));
    assert_eq!(String::from_utf8_lossy(&folder.read("b.xml")), pages(&[5]));
    assert_eq!(folder.unpacked("bz2", "c.xml.bz2.inprog"), pages(&[9]));
    assert_eq!(String::from_utf8_lossy(&folder.read("d.xml")), FOOTER);
    assert_eq!(copied(&["--inpath", "a.xml.gz", "1"]), pages(&[2]));

    // The page that ends a range is in the next one, though that may have ended before it.
    copied(&["--odir", ".", "--fspecs", "a.xml:2:3;b.xml:3:4;c.xml:4:9;d.xml:9:10"]);
    let part = |name: &str| String::from_utf8(folder.read(name)).expect("text");
    assert_eq!([part("a.xml"), part("b.xml"), part("c.xml")], [pages(&[2]), pages(&[5]), pages(&[9])]);
    assert_eq!(part("d.xml"), FOOTER);
}

#[test]
fn writeuptopageid_refuses_what_is_no_range() {
    let folder = Folder::new();
    for (arguments, why) in [
        (&[][..], "first page"),
        (&["none"], "none"),
        (&["0"], "0"),
        (&["1", "2", "3"], "first page"),
        (&["--odir", "."], "come together"),
        (&["--odir", ".", "--fspecs", "a.xml"], "FILE:FIRST:END"),
        (&["--odir", ".", "--fspecs", "a.xml:1:b"], "FILE:FIRST:END"),
        (&["--odir", "nowhere", "--fspecs", "a.xml:1:2"], "No such file"),
        (&["--inpath", "nowhere.gz", "1"], "No such file"),
    ] {
        folder.refused("writeuptopageid", arguments, why);
    }
}

#[test]
fn whole_and_cut_bzip2_files_are_told_apart() {
    let folder = Folder::new();
    // Each ends at another bit.
    for length in 0..40 {
        let text = vec![b'a'; length];
        folder.bzip2("whole.bz2", &[&text, &text[..length / 2]]);
        folder.ok("checkforbz2footer", &["whole.bz2"], b"");
        let whole = folder.read("whole.bz2");
        folder.write("cut.bz2", &whole[..whole.len() - 1 - length % 9]);
        assert_eq!(folder.run("checkforbz2footer", &["cut.bz2"], b"").status.code(), Some(255), "{length}");
    }
    for content in [&b""[..], b"short", b"a long text that is not compressed at all"] {
        folder.write("no.bz2", content);
        assert_eq!(folder.run("checkforbz2footer", &["no.bz2"], b"").status.code(), Some(255));
    }
    folder.refused("checkforbz2footer", &["nowhere.bz2"], "No such file");
    folder.refused("checkforbz2footer", &[], "file");
}

#[test]
fn dumplastbz2block_writes_the_end_of_a_file() {
    let folder = Folder::new();
    let long: Vec<u8> =
        (0..400_000_u32).flat_map(|number| format!("{}\n", number.wrapping_mul(2_654_435_761)).into_bytes()).collect();
    for streams in [&[&long[..]][..], &[b"first\n", b"last\n"], &[&long, b"last\n"], &[b"last\n", b""]] {
        folder.bzip2("file.bz2", streams);
        let block = folder.ok("dumplastbz2block", &["file.bz2"], b"");
        let all = folder.unpacked("bz2", "file.bz2").into_bytes();
        assert!(!block.is_empty() && block.len() < 1_000_000 && all.ends_with(&block), "{} bytes", block.len());
    }
    let whole = folder.read("file.bz2");
    folder.write("cut.bz2", &whole[..whole.len() - 3]);
    folder.refused("dumplastbz2block", &["cut.bz2"], "does not end as bzip2 does");
    folder.bzip2("empty.bz2", &[b""]);
    folder.refused("dumplastbz2block", &["empty.bz2"], "no block");
    folder.refused("dumplastbz2block", &["nowhere.bz2"], "No such file");
}
