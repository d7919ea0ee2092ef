-- To check a reference is to read the end of the other table's key, where every push of the moment inserts: two pushes anywhere
-- then met, and one ran again. Units of work are serializable, so what they looked up stays there until they commit, and SQLite,
-- which runs the same statements, goes on checking. `pull` keeps its reference: it goes with its repository.
ALTER TABLE link DROP CONSTRAINT link_repository_id_fkey, DROP CONSTRAINT link_blob_id_fkey;
ALTER TABLE manifest DROP CONSTRAINT manifest_repository_id_fkey;
ALTER TABLE manifest_blob DROP CONSTRAINT manifest_blob_blob_id_fkey, DROP CONSTRAINT manifest_blob_manifest_id_fkey;
ALTER TABLE manifest_missing
    DROP CONSTRAINT manifest_missing_repository_id_fkey, DROP CONSTRAINT manifest_missing_manifest_id_fkey;
ALTER TABLE manifest_child
    DROP CONSTRAINT manifest_child_repository_id_fkey, DROP CONSTRAINT manifest_child_manifest_id_fkey;
ALTER TABLE tag DROP CONSTRAINT tag_repository_id_fkey, DROP CONSTRAINT tag_manifest_id_fkey;
ALTER TABLE upload DROP CONSTRAINT upload_repository_id_fkey;
