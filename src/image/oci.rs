//! A tar file as an image of one layer, in the OCI image layout. podman's own `import` writes the present time into the image,
//! so that its id would never be the same twice.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::hex;

/// What an image is said to be.
pub(super) struct Description<'a> {
    pub tag: &'a str,
    pub architecture: &'a str,
    /// When it is said to have been made, as in `2026-01-01T00:00:00Z`.
    pub created: &'a str,
    pub labels: &'a [(String, String)],
}

/// Writes the layout of an image whose one layer is the file `layer` into an empty folder, which has to be on the same file system.
///
/// # Errors
/// Where the files cannot be read or written.
pub(super) fn write(folder: &Path, layer: &Path, description: &Description<'_>) -> Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).with_context(|| format!("{}: cannot be made", blobs.display()))?;
    let (size, hash) = hash_file(layer).with_context(|| format!("{}: cannot be read", layer.display()))?;
    fs::hard_link(layer, blobs.join(&hash)).with_context(|| format!("{}: cannot be linked", layer.display()))?;
    let labels: serde_json::Map<_, _> =
        description.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let config = blob(
        &blobs,
        &json!({
            // podman sets no image's age by this, and what is always the same cannot differ.
            "created": "1970-01-01T00:00:00Z",
            "architecture": description.architecture,
            "os": "linux",
            "config": {"Labels": labels, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{hash}")]},
            "history": [{"created": description.created, "created_by": "mmdebstrap"}],
        }),
    )?;
    let manifest = blob(
        &blobs,
        &json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", (size, hash))],
        }),
    )?;
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", manifest);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": description.tag});
    save(&folder.join("index.json"), &json!({"schemaVersion": 2, "manifests": [entry]}))?;
    save(&folder.join("oci-layout"), &json!({"imageLayoutVersion": "1.0.0"}))
}

fn descriptor(media_type: &str, (size, hash): (u64, String)) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{hash}"), "size": size})
}

fn hash_file(path: &Path) -> io::Result<(u64, String)> {
    let mut sha = Sha256::new();
    let size = io::copy(&mut File::open(path)?, &mut BufWriter::with_capacity(1 << 20, &mut sha))?;
    Ok((size, hex(&sha.finalize())))
}

/// Writes a blob under its hash; returns its size and hash.
fn blob(blobs: &Path, value: &Value) -> Result<(u64, String)> {
    let bytes = value.to_string().into_bytes();
    let hash = hex(&Sha256::digest(&bytes));
    let path = blobs.join(&hash);
    fs::write(&path, &bytes).with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok((bytes.len() as u64, hash))
}

fn save(path: &Path, value: &Value) -> Result<()> {
    let write = || -> io::Result<()> { File::create(path)?.write_all(value.to_string().as_bytes()) };
    write().with_context(|| format!("{}: cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_layer_gives_the_same_image() {
        let layout = || {
            let folder = tempfile::tempdir().unwrap();
            let layer = folder.path().join("layer.tar");
            fs::write(&layer, "layer").unwrap();
            let labels = [("podfarm.image".to_owned(), "base".to_owned())];
            let created = "2026-01-01T00:00:00Z";
            let description = Description { tag: "localhost/podfarm/base:1", architecture: "amd64", created, labels: &labels };
            write(&folder.path().join("oci"), &layer, &description).unwrap();
            fs::read_to_string(folder.path().join("oci/index.json")).unwrap()
        };
        assert_eq!(layout(), layout());
        assert!(layout().contains("localhost/podfarm/base:1"));
    }
}
