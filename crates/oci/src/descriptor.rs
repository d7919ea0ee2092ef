//! Descriptors (image-spec, descriptor.md): what points from one document to other content.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{Digest, media_type};

/// Points to content by digest, with its type and size.
///
/// Reading ignores unknown fields, and takes `null` for an absent list or map, which Go programs write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Length of the content in bytes; at most `i64::MAX`.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// Type of an artifact, when the content is its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Where else the content may be downloaded; never fetched by a registry.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Arbitrary metadata.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What the image runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The content itself in base64, when it is embedded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Descriptor {
    /// Makes a descriptor with the three required fields.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            artifact_type: None,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            data: None,
        }
    }

    /// Tells whether the content is a layer that clients fetch from elsewhere.
    pub fn is_non_distributable(&self) -> bool {
        media_type::is_non_distributable(&self.media_type)
    }

    /// Tells whether embedded content, if there is any, is what size and digest say.
    ///
    /// Readers may use it in place of the content itself (descriptor.md, "Embedded Content").
    pub fn data_matches(&self) -> bool {
        match self.data.as_deref() {
            // Go programs can't tell an empty field from an absent one.
            None | Some("") => true,
            Some(data) => STANDARD.decode(data).is_ok_and(|content| {
                content.len() as u64 == self.size
                    && Digest::of(self.digest.algorithm(), &content) == self.digest
            }),
        }
    }
}

/// What an image runs on (image-spec, image-index.md). Every field may be empty: build tools write such
/// platforms for attestations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// CPU architecture, as Go names it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// Operating system, as Go names it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// Version of the operating system.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Features that the operating system must have.
    #[serde(
        default,
        rename = "os.features",
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// Variant of the CPU, such as `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a size; the specification's type is a non-negative `int64`, which is also what a database column
/// holds.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = u64::deserialize(deserializer)?;
    if i64::try_from(size).is_err() {
        return Err(D::Error::custom(format_args!("size {size} is larger than {}", i64::MAX)));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Algorithm;

    fn read(json: &str) -> serde_json::Result<Descriptor> {
        let digest = Digest::of(Algorithm::Sha256, b"{}").to_string();
        serde_json::from_str(&json.replace("DIGEST", &digest))
    }

    #[test]
    fn ignores_unknown_fields_and_nulls() {
        let descriptor = read(
            r#"{"mediaType":"a/b","digest":"DIGEST","size":2,"org.example":{"size":3},"urls":null,"annotations":null,
                "platform":{"architecture":"arm","os":"linux","os.features":null,"variant":"v7","features":["x"]}}"#,
        )
        .unwrap();
        assert_eq!(descriptor.size, 2);
        assert_eq!(descriptor.platform.unwrap().variant.as_deref(), Some("v7"));
        assert!(read(r#"{"mediaType":"a/b","digest":"DIGEST","size":2,"platform":{"os":null}}"#).is_ok());
    }

    #[test]
    fn refuses_missing_and_absurd_fields() {
        for json in [
            r#"{"digest":"DIGEST","size":2}"#,
            r#"{"mediaType":"a/b","size":2}"#,
            r#"{"mediaType":"a/b","digest":"DIGEST"}"#,
            r#"{"mediaType":"a/b","digest":"sha256:00","size":2}"#,
            r#"{"mediaType":"a/b","digest":"DIGEST","size":-1}"#,
            r#"{"mediaType":"a/b","digest":"DIGEST","size":9223372036854775808}"#,
            r#"{"mediaType":"a/b","digest":"DIGEST","size":2,"size":3}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn checks_embedded_data() {
        let mut descriptor = Descriptor::new(media_type::EMPTY_JSON, Digest::of(Algorithm::Sha512, b"{}"), 2);
        for (data, matches) in [
            (None, true),
            (Some("e30="), true),
            (Some(""), true),
            (Some("e30"), false),
            (Some("e31="), false),
        ] {
            descriptor.data = data.map(str::to_owned);
            assert_eq!(descriptor.data_matches(), matches, "{data:?}");
        }
        descriptor.data = Some("e30=".to_owned());
        descriptor.size = 3;
        assert!(!descriptor.data_matches());
    }

    #[test]
    fn writes_only_what_is_there() {
        let descriptor = Descriptor::new("a/b", Digest::of(Algorithm::Sha256, b"{}"), 2);
        assert_eq!(
            serde_json::to_string(&descriptor).unwrap(),
            format!(r#"{{"mediaType":"a/b","digest":"{}","size":2}}"#, descriptor.digest)
        );
    }

    proptest! {
        #[test]
        fn json_round_trips(
            (media_type, content, size) in (".*", any::<Vec<u8>>(), 0..=i64::MAX.cast_unsigned()),
            (artifact_type, data) in (any::<Option<String>>(), any::<Option<String>>()),
            urls in any::<Vec<String>>(),
            annotations in proptest::collection::btree_map(".*", ".*", 0..4),
            platform in proptest::option::of((any::<String>(), any::<Option<String>>(), any::<Vec<String>>())),
        ) {
            let platform = platform.map(|(os, variant, os_features)| Platform {
                architecture: os.clone(), os, os_version: variant.clone(), os_features, variant,
            });
            let digest = Digest::of(Algorithm::Sha512, &content);
            let descriptor = Descriptor { media_type, digest, size, artifact_type, urls, annotations, platform, data };
            descriptor.data_matches();
            let json = serde_json::to_string(&descriptor).unwrap();
            prop_assert_eq!(serde_json::from_str::<Descriptor>(&json).unwrap(), descriptor);
        }
    }
}
