import type { Migration } from '../migrate.ts'

/** Slots of a series in the keys of its instances, as in tree.ts. */
const SLOTS = 16_777_216

/**
 * What stands in an object goes with it: its faces in the document panel, its words. Words are found by whose they are,
 * so the token of the owner follows the owner.
 */
export const documentFollows: Migration = {
  number: 11,
  name: 'document-follows',
  sqlite: [
    `create trigger document_goes_with_host after update of state on object when new.state = 1 and old.state = 0 begin
      update object set state = 1 where key in (select key from document where host = new.key);
      delete from words where rowid in (select key from document where host = new.key);
      delete from words_read where object in (select key from document where host = new.key);
      update document set hidden = 1 where host = new.key;
      delete from words where rowid = new.key;
      delete from words_read where object = new.key; end`,
    `create trigger words_follow_document after update of patient on document when new.patient is not old.patient begin
      update words set scope = 'p' || ifnull(new.patient, 0) where rowid = new.key; end`,
    `create trigger words_follow_study after update of owner on study when new.owner <> old.owner begin
      update words set scope = 'p' || new.owner where rowid in (
        select i.object from series r join instance i on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}
        where r.study = new.key and r.modality in ('SR', 'DOC', 'KO', 'OT')); end`,
  ],
}
