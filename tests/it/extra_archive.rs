//! Archives beside Debian's: one that the test makes, with a package mwbzutils that has one of the tools.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use sha2::{Digest, Sha256};

use crate::ran::Ran;
use crate::sandbox::{Sandbox, command, listed, podman, run};

/// A role that is made of nothing but what brings the tools.
const CONTAINERFILE: &str = "ARG BASE
FROM ${BASE}
COPY base /usr/local/lib/podfarm/
COPY install-mwbzutils mwbzutils /usr/local/lib/podfarm/mwbzutils/
RUN /usr/local/lib/podfarm/install-packages python3-minimal \\
 && /usr/local/lib/podfarm/mwbzutils/install-mwbzutils \\
 && /usr/local/lib/podfarm/clean-image
";
const CONTROL: &str = "Package: mwbzutils
Version: 1.0
Architecture: all
Maintainer: Test <test@localhost>
Description: Tools for dumps
";

struct Archive<'a> {
    sandbox: &'a Sandbox,
    /// The role, and the kind of its only member.
    role: String,
}

impl<'a> Archive<'a> {
    /// An archive with a package, in the folder `archive`.
    fn new(sandbox: &'a Sandbox) -> Self {
        let archive = Self { sandbox, role: format!("tools-{}", sandbox.id()) };
        archive.make_role();
        sandbox.write("package/DEBIAN/control", CONTROL);
        sandbox.write("package/usr/bin/recompressxml", "#!/bin/sh\necho this is of the package\n");
        sandbox.write("archive/pool/.keep", "");
        let shown = |path: &str| sandbox.at(path).display().to_string();
        run("chmod", &["-R", "u=rwX,go=rX", &shown("package"), &shown("archive")]).ok();
        run("chmod", &["755", &shown("package/usr/bin/recompressxml")]).ok();
        let package = "pool/mwbzutils_1.0_all.deb";
        run("dpkg-deb", &["--root-owner-group", "--build", &shown("package"), &shown(&format!("archive/{package}"))]).ok();
        let bytes = std::fs::read(sandbox.at(&format!("archive/{package}"))).expect("a package");
        let list = format!("{CONTROL}Filename: {package}\nSize: {}\nSHA256: {:x}\n", bytes.len(), Sha256::digest(&bytes));
        let architecture = run("dpkg", &["--print-architecture"]).ok().stdout.trim().to_owned();
        let place = format!("main/binary-{architecture}/Packages");
        sandbox.write(&format!("archive/dists/test/{place}"), &list);
        let date = run("date", &["--utc", "--rfc-email"]).ok().stdout;
        let sum = format!("{:x} {} {place}", Sha256::digest(&list), list.len());
        let about = format!("Suite: test\nComponents: main\nArchitectures: {architecture}\nDate: {date}SHA256:\n {sum}\n");
        sandbox.write("archive/dists/test/Release", about);
        archive
    }

    fn make_role(&self) {
        let folder = format!("containerfiles/{}", self.role);
        let kinds = format!("description: Tools\nkinds:\n  {}: {{}}\n", self.role);
        self.sandbox.write(&format!("{folder}/role.yaml"), kinds);
        self.sandbox.write(&format!("{folder}/Containerfile"), CONTAINERFILE);
        let snapshot = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("containerfiles/snapshot");
        for part in ["install-mwbzutils", "mwbzutils"] {
            let from = snapshot.join(part).display().to_string();
            run("cp", &["--recursive", "--", &from, &self.sandbox.at(&folder).display().to_string()]).ok();
        }
    }

    /// Makes a key, and signs the archive with it; the file of its public part.
    fn sign(&self) -> PathBuf {
        let home = self.sandbox.at("gnupg");
        std::fs::create_dir(&home).expect("a folder");
        run("chmod", &["700", &home.display().to_string()]).ok();
        let home = home.display().to_string();
        let gpg = |arguments: &[&str]| run("gpg", &[&["--homedir", &home, "--batch", "--quiet"], arguments].concat());
        gpg(&["--passphrase", "", "--quick-generate-key", "test@localhost", "ed25519", "sign", "never"]).ok();
        let shown = |path: &str| self.sandbox.at(path).display().to_string();
        let (release, signed) = (shown("archive/dists/test/Release"), shown("archive/dists/test/InRelease"));
        gpg(&["--output", &signed, "--clearsign", &release]).ok();
        std::fs::remove_file(self.sandbox.at("archive/dists/test/Release")).expect("a file");
        let key = gpg(&["--armor", "--export"]).ok().stdout;
        run("gpgconf", &["--homedir", &home, "--kill", "all"]).ok();
        self.sandbox.write("archive.asc", key)
    }

    fn build(&self, uri: &str, key: &str) -> Ran {
        let extra = format!("archive:\n  extra:\n    - {{uri: '{uri}', suite: test, key: {key}}}\n");
        let none = ["dbprimary", "php", "mw", "snapshot"].map(|name| format!("  {name}: {{count: 0}}\n")).concat();
        let set = self.sandbox.set("extra", &format!("{extra}members:\n{none}  {}: {{}}\n", self.role));
        self.sandbox.run(&["build", &set])
    }

    /// What a tool of the image that was built says; the image is gone then.
    fn tool(&self, arguments: &[&str]) -> Ran {
        let images =
            listed(&["images", "--quiet", "--filter", &format!("reference=localhost/podfarm/{}", self.role)]).ok().stdout;
        let image = images.trim();
        let said = self.sandbox.said_in(image, arguments);
        podman(&["rmi", image]).ok();
        said
    }
}

/// A web server for a folder, and its port.
fn serve(folder: &str) -> (Child, u16) {
    let mut command = command("python3");
    command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, "0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python3 starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
    let port = line.split_whitespace().skip_while(|word| *word != "port").nth(1).and_then(|port| port.parse().ok());
    (child, port.unwrap_or_else(|| panic!("{line:?}")))
}

#[test]
fn tools_come_from_a_signed_archive_and_the_others_from_podfarm() {
    let sandbox = Sandbox::new();
    let archive = Archive::new(&sandbox);
    let key = archive.sign();
    let (mut server, port) = serve(&sandbox.at("archive").display().to_string());
    let uri = format!("http://127.0.0.1:{port}");
    let built = archive.build(&uri, &key.display().to_string());
    let _ = server.kill();
    let _ = server.wait();
    built.ok();
    let tools = "recompressxml; readlink -f /usr/local/bin/*";
    let ran = archive.tool(&["sh", "-c", tools]).stdout_has("this is of the package\n").stdout_has("/usr/bin/recompressxml\n");
    ran.stdout_has("/usr/local/lib/podfarm/mwbzutils/writeuptopageid\n");
    sandbox.nothing_left();
}

#[test]
fn an_archive_that_is_not_signed_is_trusted_only_where_the_set_says_so() {
    let sandbox = Sandbox::new();
    let archive = Archive::new(&sandbox);
    let uri = format!("file://{}", sandbox.at("archive").display());
    sandbox.write("other.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n");
    archive.build(&uri, &sandbox.at("other.asc").display().to_string()).status(1).stderr_has("is not signed");
    run("chmod", &["a+rx", &sandbox.path().display().to_string()]).ok();
    archive.build(&uri, "none").ok();
    archive.tool(&["recompressxml"]).stdout_has("this is of the package");
    sandbox.nothing_left();
}
