//! A catalog full of images that nobody pushed, written straight into the tables.

use anyhow::{Context as _, Result, ensure};

use crate::bench::clients;
use crate::content::MANIFEST_TYPE;
use crate::engine::query;

/// Tags that one manifest carries.
const TAGS_PER_MANIFEST: u64 = 10;
/// Manifests in every repository but the big one.
const MANIFESTS: u64 = 10;
/// Layers that all images share.
const LAYERS: u64 = 3;
/// The repository that has many tags.
pub(crate) const BIG: &str = "bench/big";

/// How much there is, and where: manifests are numbered, those of the big repository first, those without a tag last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MadeUp {
    big: u64,
    tagged: u64,
    untagged: u64,
}

impl MadeUp {
    /// So many tags: a tenth in one repository, the others a hundred to a repository, ten to a manifest. And manifests in one
    /// more repository that nothing needs.
    pub(crate) fn new(tags: u64, untagged: u64) -> Result<Self> {
        let tagged = tags / TAGS_PER_MANIFEST;
        ensure!(tagged >= 10 * MANIFESTS, "{tags} tags are too few");
        let rest = (tagged - tagged / 10) / MANIFESTS * MANIFESTS;
        Ok(Self { big: tagged - rest, tagged, untagged })
    }

    /// Repositories of a hundred tags.
    fn repositories(self) -> u64 {
        (self.tagged - self.big) / MANIFESTS
    }

    fn manifests(self) -> u64 {
        self.tagged + self.untagged
    }

    /// Path of some tag's manifest.
    pub(crate) fn some_manifest(self, random: u64) -> String {
        let repository = random / 8 % self.repositories() + 1;
        let tag = random / 8 / self.repositories() % (MANIFESTS * TAGS_PER_MANIFEST);
        format!("/v2/{}/manifests/t{tag:07}", name(repository))
    }

    /// Path of some page of the big repository's tags.
    pub(crate) fn some_page(self, random: u64) -> String {
        format!("/v2/{BIG}/tags/list?n=100&last=t{:07}", random / 8 % (self.big * TAGS_PER_MANIFEST))
    }

    /// Fills the tables of a catalog that a node has made. References aren't checked on the way: they hold by construction, as
    /// every digest does. The event log knows nothing of it.
    pub(crate) fn load(self, url: &str) -> Result<()> {
        let url =
            format!("{url}?options=-c%20session_replication_role%3Dreplica%20-c%20synchronous_commit%3Doff");
        // An index is built at once in a tenth of the time that it takes row by row.
        let indexes = query(&url, INDEXES)?;
        let (names, definitions): (Vec<&str>, Vec<&str>) =
            indexes.lines().filter_map(|line| line.split_once('|')).unzip();
        query(&url, &format!("DROP INDEX {}", names.join(", ")))?;
        clients(2, |side| {
            for sql in if side == 0 { self.names() } else { self.bytes() } {
                query(&url, &sql)?;
            }
            Ok(())
        })?;
        for definition in definitions {
            query(&url, definition)?;
        }
        query(&url, &self.counters())?;
        query(&url, "VACUUM ANALYZE")?;
        // What was loaded must not be written out while it is measured.
        query(&url, "CHECKPOINT")?;
        Ok(())
    }

    /// Repositories, links and tags.
    fn names(self) -> Vec<String> {
        let (repositories, manifests) = (self.repositories(), self.manifests());
        let all = repositories + 2;
        let owner = self.owner("n");
        let (manifest, big) = (format!("n / {TAGS_PER_MANIFEST} + 1"), self.big * TAGS_PER_MANIFEST);
        let tag_owner = self.owner(&manifest);
        let tag =
            format!("CASE WHEN n < {big} THEN n ELSE (n - {big}) % {} END", MANIFESTS * TAGS_PER_MANIFEST);
        vec![
            format!(
                "INSERT INTO repository (id, name, created_at) OVERRIDING SYSTEM VALUE
                 SELECT n, CASE n WHEN {all} THEN 'bench/untagged' WHEN {all} - 1 THEN '{BIG}' ELSE {} END, {NOW}
                   FROM generate_series(1, {all}) AS n",
                NAME_SQL
            ),
            format!(
                "INSERT INTO link (repository_id, blob_id) SELECT {owner}, n + {LAYERS} FROM generate_series(1, {manifests}) AS n;
                 INSERT INTO link (repository_id, blob_id)
                 SELECT n, layer FROM generate_series(1, {all}) AS n, generate_series(1, {LAYERS}) AS layer"
            ),
            format!(
                "INSERT INTO tag (repository_id, name, manifest_id, moved_at)
                 SELECT {tag_owner}, 't' || lpad(CAST({tag} AS TEXT), 7, '0'), {manifest}, {NOW}
                   FROM generate_series(0, {} - 1) AS n",
                self.tagged * TAGS_PER_MANIFEST
            ),
        ]
    }

    /// Blobs and manifests: a configuration to each, and the layers that all share.
    fn bytes(self) -> Vec<String> {
        let manifests = self.manifests();
        let (owner, tagged) = (self.owner("n"), self.tagged);
        vec![
            format!(
                "INSERT INTO blob (id, digest, size, created_at, content) OVERRIDING SYSTEM VALUE
                 SELECT n, {DIGEST_SQL}, length(content), {NOW}, content
                   FROM (SELECT n, convert_to('{{\"made\":\"up\",\"number\":' || n || '}}', 'UTF8') AS content
                           FROM generate_series(1, {manifests} + {LAYERS}) AS n) AS made"
            ),
            format!(
                "INSERT INTO manifest (id, repository_id, digest, media_type, depth, pushed_at, questioned_at, content)
                 OVERRIDING SYSTEM VALUE
                 SELECT n, {owner}, {DIGEST_SQL}, '{MANIFEST_TYPE}', 1, {NOW}, CASE WHEN n > {tagged} THEN {NOW} END, content
                   FROM (SELECT id - {LAYERS} AS n, convert_to(
                                '{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST_TYPE}\",\"config\":' || {} || ',\"layers\":[' ||
                                (SELECT string_agg({}, ',') FROM blob WHERE id <= {LAYERS}) || ']}}', 'UTF8') AS content
                           FROM blob WHERE id > {LAYERS} ORDER BY id) AS made",
                descriptor_sql("application/vnd.oci.image.config.v1+json"),
                descriptor_sql("application/vnd.oci.image.layer.v1.tar")
            ),
            format!(
                "INSERT INTO manifest_blob (repository_id, blob_id, manifest_id)
                 SELECT {owner}, CASE part WHEN 0 THEN n + {LAYERS} ELSE part END, n
                   FROM (SELECT number / ({LAYERS} + 1) + 1 AS n, number % ({LAYERS} + 1) AS part
                           FROM generate_series(0, {manifests} * ({LAYERS} + 1) - 1) AS number) AS made"
            ),
        ]
    }

    /// What the registry will give next, and what it believes to have.
    fn counters(self) -> String {
        let next = |table: &str, last: u64| {
            format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last});\n")
        };
        next("repository", self.repositories() + 2)
            + &next("blob", self.manifests() + LAYERS)
            + &next("manifest", self.manifests())
            + "INSERT INTO ledger_total (name, value)
               SELECT name, value FROM (SELECT COUNT(*), CAST(SUM(size) AS BIGINT) FROM blob) AS sums (blobs, bytes),
                      LATERAL (VALUES ('blobs', blobs), ('blob_bytes', bytes)) AS books (name, value)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    }

    /// The repository of a manifest, as SQL.
    fn owner(self, manifest: &str) -> String {
        let (big, tagged, repositories) = (self.big, self.tagged, self.repositories());
        format!(
            "CASE WHEN {manifest} <= {big} THEN {repositories} + 1 WHEN {manifest} <= {tagged} \
             THEN ({manifest} - {big} - 1) / {MANIFESTS} + 1 ELSE {repositories} + 2 END"
        )
    }
}

/// Names and definitions of the indexes that only make things fast.
const INDEXES: &str = "SELECT CAST(indexrelid AS REGCLASS), pg_get_indexdef(indexrelid) FROM pg_index
                        WHERE NOT indisunique AND indrelid IN (
                              CAST('tag' AS REGCLASS), CAST('link' AS REGCLASS), CAST('manifest_blob' AS REGCLASS))";

/// An hour ago, in microseconds.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM now()) AS BIGINT) * 1000000 - 3600000000";
const DIGEST_SQL: &str = "'sha256:' || encode(sha256(content), 'hex')";
/// [`name`] in SQL.
const NAME_SQL: &str =
    "'bench/group' || lpad(CAST(n / 100 AS TEXT), 5, '0') || '/repository' || lpad(CAST(n AS TEXT), 7, '0')";

fn name(repository: u64) -> String {
    format!("bench/group{:05}/repository{repository:07}", repository / 100)
}

fn descriptor_sql(media_type: &str) -> String {
    format!("'{{\"mediaType\":\"{media_type}\",\"digest\":\"' || digest || '\",\"size\":' || size || '}}'")
}

/// Counts the manifests that nothing needs.
pub(crate) fn count_untagged(url: &str) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM manifest WHERE questioned_at IS NOT NULL
                  AND repository_id = (SELECT id FROM repository WHERE name = 'bench/untagged')";
    query(url, sql)?.parse().context("a count is no number")
}
