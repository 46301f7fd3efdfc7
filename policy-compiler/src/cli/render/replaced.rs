//! The file that Envoy watches, before it is replaced: gateways that run refuse an older bundle, and one that starts anew
//! would serve it.

use super::{BOOTSTRAP_FILE, RenderEnvoy, RenderError, Rendered};
use data_encoding::BASE64;
use portcullis_bundle::{Bundle, Trust};
use portcullis_ecds::Configuration;

/// How a bundle in base64 begins.
const BASE64_MAGIC: &str = "UE9SVENMSV";

/// Looks at what the files would replace, and notes what a gateway that runs would refuse.
///
/// # Errors
/// A bundle of a higher epoch, unless the options let it go.
pub(super) fn check(
    options: &RenderEnvoy,
    mut rendered: Rendered,
) -> Result<Rendered, RenderError> {
    // Whatever stands in the bootstrap needs a restart.
    for (name, content) in rendered.files.iter().filter(|(name, _)| *name != BOOTSTRAP_FILE) {
        let path = options.out.join(name);
        let there = std::fs::read(&path).ok().and_then(|there| bundle(&there));
        let (Some(there), Some(new)) = (there, bundle(content)) else { continue };
        let (newer, epoch) = (there.header().epoch.get(), new.header().epoch.get());
        if epoch < newer && !options.allow_older {
            return Err(RenderError::Older { path, newer, epoch });
        }
        if epoch == newer && there.content_hash() != new.content_hash() {
            rendered.notes.push(format!(
                "`{name}` had epoch {epoch} with other content: a gateway that runs it refuses this one (`epoch-reused`); \
                 compile with a higher `--epoch`"
            ));
        }
    }
    Ok(rendered)
}

/// The bundle in a file for Envoy, in binary or as text, if there is one.
fn bundle(file: &[u8]) -> Option<Bundle> {
    let bytes = match portcullis_ecds::read(file).map(|read| read.configuration) {
        Some(Configuration::Bundle(bundle)) => bundle.to_vec(),
        Some(Configuration::Json(json)) => encoded(json)?,
        None => encoded(std::str::from_utf8(file).ok()?)?,
    };
    // What is older is older, whoever signed it.
    Bundle::open(bytes, &Trust { keys: Vec::new(), allow_unsigned: true }).ok()
}

fn encoded(text: &str) -> Option<Vec<u8>> {
    let text = text.get(text.find(BASE64_MAGIC)?..)?;
    let end = text.find(|it: char| !it.is_ascii_alphanumeric() && !"+/=".contains(it));
    BASE64.decode(text.get(..end.unwrap_or(text.len()))?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bundle_of_epoch, options};
    use super::super::{RenderEnvoy, RenderError, Rendered, run};
    use std::path::Path;

    fn rendered(
        folder: &Path,
        epoch: u64,
        change: impl Fn(&mut RenderEnvoy),
    ) -> Result<Rendered, RenderError> {
        let (bundle, out) = (folder.join("policy.bundle"), folder.join("gateway"));
        std::fs::write(&bundle, bundle_of_epoch(epoch, epoch.to_string().as_str())).unwrap();
        let mut options = RenderEnvoy { bundle, out, ..options() };
        change(&mut options);
        run(&options)
    }

    #[test]
    fn a_newer_file_is_not_replaced_by_an_older_one() {
        let folder = std::env::temp_dir().join(format!("portcullis-older-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let monitored = Some("2027-01-01T00:00:00Z".to_owned());
        for (is_text, force_monitor_until) in
            [(false, None), (true, None), (false, monitored.clone()), (true, monitored)]
        {
            let form = |it: &mut RenderEnvoy| {
                (it.is_text, it.force_monitor_until) = (is_text, force_monitor_until.clone());
            };
            let name = if is_text { "portcullis.yaml" } else { "portcullis.pb" };
            let file = folder.join("gateway/filter").join(name);
            rendered(&folder, 6, form).unwrap();
            rendered(&folder, 7, form).unwrap();
            let newer = std::fs::read(&file).unwrap();
            let refused = rendered(&folder, 6, form).unwrap_err().to_string();
            assert!(refused.contains("has epoch 7, above 6"), "{refused}");
            assert_eq!(std::fs::read(&file).unwrap(), newer);
            // The same again is no matter; whoever wants it has it.
            rendered(&folder, 7, form).unwrap();
            rendered(&folder, 6, |it| {
                form(it);
                it.allow_older = true;
            })
            .unwrap();
            assert_ne!(std::fs::read(&file).unwrap(), newer);
            std::fs::write(&file, "rubbish").unwrap();
            rendered(&folder, 1, form).unwrap();
            std::fs::remove_file(&file).unwrap();
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn other_content_of_one_epoch_is_told() {
        let folder = std::env::temp_dir().join(format!("portcullis-equal-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let told = |content: &str| {
            let bundle = folder.join("policy.bundle");
            std::fs::write(&bundle, bundle_of_epoch(7, content)).unwrap();
            let rendered = run(&RenderEnvoy { bundle, out: folder.join("gateway"), ..options() });
            rendered.unwrap().notes.iter().any(|note| note.contains("`epoch-reused`"))
        };
        assert_eq!([told("one"), told("one"), told("two")], [false, false, true]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
