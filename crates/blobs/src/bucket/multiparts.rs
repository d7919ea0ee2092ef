//! Lists parts that were sent and not joined: the one request that the client library has no call for. It signs it.

use std::io;

use jiff::Timestamp;
use object_store::path::Path;
use serde::Deserialize;

use super::{Inner, error::map};
use crate::{Error, Result};

const DOING: &str = "list parts that were not joined";

/// Is an upload in parts that was neither joined nor given up.
#[derive(Debug)]
pub(super) struct Multipart {
    pub(super) key: Path,
    /// The service's name for it.
    pub(super) id: String,
    pub(super) initiated: Timestamp,
}

/// The service's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    is_truncated: bool,
    next_key_marker: String,
    next_upload_id_marker: String,
    upload: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    upload_id: String,
    initiated: Timestamp,
}

impl Inner {
    /// Lists parts below a prefix that were not joined; nothing where the service has no such list, or keeps it from us.
    pub(super) async fn multiparts(&self, prefix: &str) -> Result<Vec<Multipart>> {
        let (mut found, mut markers) = (Vec::new(), None);
        loop {
            let page = match self.multiparts_page(prefix, markers.as_ref()).await {
                Ok(page) => page,
                Err(Error::Io(error, _)) => {
                    tracing::warn!(%error, "the bucket doesn't list parts that were not joined: a lifecycle rule has to remove them");
                    return Ok(found);
                }
                Err(error) => return Err(error),
            };
            found.extend(page.upload.into_iter().filter_map(|listed| {
                Some(Multipart {
                    key: Path::parse(listed.key).ok()?,
                    id: listed.upload_id,
                    initiated: listed.initiated,
                })
            }));
            let next = Some((page.next_key_marker, page.next_upload_id_marker));
            if !page.is_truncated || next == markers {
                return Ok(found);
            }
            markers = next;
        }
    }

    async fn multiparts_page(&self, prefix: &str, markers: Option<&(String, String)>) -> Result<Page> {
        let mut url = self.client.address.clone();
        url.query_pairs_mut().append_pair("uploads", "").append_pair("prefix", prefix);
        if let Some((key, upload)) = markers {
            url.query_pairs_mut().append_pair("key-marker", key).append_pair("upload-id-marker", upload);
        }
        let body = self.client.get(&url).await.map_err(|error| match map(error, DOING) {
            // Of a service that doesn't know the request.
            Error::NotFound => Error::Io(io::ErrorKind::Unsupported.into(), DOING.into()),
            error => error,
        })?;
        quick_xml::de::from_reader(&body[..])
            .map_err(|error| Error::Io(io::Error::other(error), DOING.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_services_are_read() {
        let some = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Bucket>b</Bucket><KeyMarker></KeyMarker><NextKeyMarker>k2</NextKeyMarker><NextUploadIdMarker>i2</NextUploadIdMarker>\
            <MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>\
            <Upload><Key>k1</Key><UploadId>i1</UploadId><Initiated>2026-11-27T20:07:46.123Z</Initiated><Initiator><ID>x</ID></Initiator><StorageClass>STANDARD</StorageClass></Upload>\
            <Upload><Key>k2</Key><UploadId>i2</UploadId><Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload></ListMultipartUploadsResult>";
        let page: Page = quick_xml::de::from_reader(some.as_bytes()).unwrap();
        let found: Vec<_> =
            page.upload.iter().map(|one| (one.key.as_str(), one.upload_id.as_str())).collect();
        assert_eq!(found, [("k1", "i1"), ("k2", "i2")]);
        assert_eq!(page.upload[1].initiated.as_second(), 1_289_422_113);
        assert!(page.is_truncated && page.next_key_marker == "k2" && page.next_upload_id_marker == "i2");
        let none =
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        let page: Page = quick_xml::de::from_reader(none.as_bytes()).unwrap();
        assert!(page.upload.is_empty() && !page.is_truncated);
    }
}
