//! What a container sees of the host, as options of podman's (pure).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// A folder or file of the host, and where a container sees it.
pub struct Mounted {
    pub from: PathBuf,
    pub at: String,
    how: How,
}

enum How {
    Writable,
    ReadOnly,
    /// As it is, with what the container changes in a layer over it.
    Under {
        changes: PathBuf,
        work: PathBuf,
    },
}

impl Mounted {
    pub fn new(from: impl Into<PathBuf>, at: impl Into<String>) -> Self {
        Self { from: from.into(), at: at.into(), how: How::Writable }
    }

    pub fn read_only(from: impl Into<PathBuf>, at: impl Into<String>) -> Self {
        Self { how: How::ReadOnly, ..Self::new(from, at) }
    }

    /// A folder that stays as it is: what is written goes to `changes`; `work` is the kernel's.
    pub fn under(from: impl Into<PathBuf>, at: impl Into<String>, changes: &Path, work: &Path) -> Self {
        Self { how: How::Under { changes: changes.to_owned(), work: work.to_owned() }, ..Self::new(from, at) }
    }

    /// podman's option: one of its two forms cannot have a colon in a path, the other no comma, and layers have one form only.
    ///
    /// # Errors
    /// Where podman has no form for the path.
    pub fn option(&self) -> Result<[String; 2]> {
        let (from, at) = (text(&self.from)?, &self.at);
        let has = |character| from.contains(character) || at.contains(character);
        let (short, long) = match &self.how {
            How::Writable => ("", ""),
            How::ReadOnly => (":ro", ",readonly=true"),
            How::Under { changes, work } => {
                let (changes, work) = (text(changes)?, text(work)?);
                if has(':') || [changes, work].iter().any(|layer| layer.contains([':', ','])) {
                    return Err(anyhow!("{changes} over {from}: podman cannot mount layers with a colon or a comma in a path"));
                }
                return Ok(["--volume".to_owned(), format!("{from}:{at}:O,upperdir={changes},workdir={work}")]);
            }
        };
        match (has(':'), has(',')) {
            (false, _) => Ok(["--volume".to_owned(), format!("{from}:{at}{short}")]),
            (true, false) => Ok(["--mount".to_owned(), format!("type=bind,source={from},destination={at}{long}")]),
            (true, true) => Err(anyhow!("{from}: podman cannot mount a path with both a comma and a colon in it")),
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{}: podman takes only names in UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(mounted: &Mounted) -> String {
        mounted.option().unwrap().join(" ")
    }

    #[test]
    fn each_path_has_the_form_that_can_hold_it() {
        assert_eq!(option(&Mounted::new("/d/a", "/a")), "--volume /d/a:/a");
        assert_eq!(option(&Mounted::read_only("/d/a,b", "/a")), "--volume /d/a,b:/a:ro");
        assert_eq!(
            option(&Mounted::read_only("/src/mw:1.39", "/a")),
            "--mount type=bind,source=/src/mw:1.39,destination=/a,readonly=true"
        );
        assert!(Mounted::new("/d/a,b:c", "/a").option().is_err());
    }

    #[test]
    fn layers_have_one_form() {
        let over = |layer: &str| Mounted::under("/seed", "/a", Path::new(layer), Path::new("/work"));
        assert_eq!(option(&over("/new")), "--volume /seed:/a:O,upperdir=/new,workdir=/work");
        assert!(over("/a:b").option().is_err() && over("/a,b").option().is_err());
    }
}
