import type { Migration } from '../migrate.ts'

/**
 * The document panel. A document has a row in `object` like everything that is kept (`uid` is `document:` and its
 * uniqueId there, so that it never meets a SOP Instance UID); faces of DICOM objects have one without a place of their
 * own. `patient` is the owner as stated or as its study has it now; merges are followed when it is read.
 */
export const documents: Migration = {
  number: 8,
  name: 'documents',
  sqlite: [
    `create table document (
      key integer primary key references object(key), id text not null unique, unique_id text not null,
      entry_uuid text not null, kind text not null, media_type text not null, size integer not null,
      sha1 blob not null, status integer not null, phase text, hidden integer not null default 0, patient integer,
      study text, follows integer not null default 0, host integer, host_start integer, host_length integer,
      missing integer not null, restricted integer not null, department text not null, title text not null,
      time text not null, creation text, service_start text, service_stop text, version integer not null,
      created text not null, updated text not null, body text not null)`,
    'create unique index document_unique on document(unique_id) where hidden = 0',
    'create unique index document_entry on document(entry_uuid) where hidden = 0',
    'create index document_patient on document(patient, time desc, key desc) where patient is not null',
    'create index document_study on document(study) where study is not null',
    'create index document_host on document(host) where host is not null',
    'create index document_time on document(time desc, key desc)',
    'create index document_updated on document(updated, key)',
    'create index document_missing on document(key desc) where missing > 0 and hidden = 0',
    // field: number of the metadata field, see document-codes.ts.
    'create table document_code (field integer not null, code text not null, system text not null, document integer not null, primary key (field, code, system, document)) without rowid',
    'create index document_code_of on document_code(document)',
    // part: 0 family name, 1 given name; folded.
    'create table document_author (part integer not null, word text not null, document integer not null, primary key (part, word, document)) without rowid',
    'create index document_author_of on document_author(document)',
    'create table document_reference (id text not null, issuer text not null, type text not null, document integer not null, primary key (id, issuer, type, document)) without rowid',
    'create index document_reference_of on document_reference(document)',
    'create table document_version (document integer not null, version integer not null, time text not null, by text not null, reason text not null, body text not null, primary key (document, version)) without rowid',
    // Between objects of either panel, by object id.
    'create table relation (source text not null, kind text not null, target text not null, primary key (source, kind, target)) without rowid',
    'create index relation_target on relation(target)',
    `create table document_list (
      key integer primary key autoincrement, id text not null unique, unique_id text not null, kind text not null,
      status text not null, patient integer, source_id text, time text not null, version integer not null,
      updated text not null, body text not null)`,
    'create unique index document_list_unique on document_list(unique_id)',
    'create index document_list_patient on document_list(patient, time desc, key desc) where patient is not null',
    'create table list_item (list integer not null, position integer not null, item text not null, is_list integer not null, primary key (list, position)) without rowid',
    'create index list_item_item on list_item(item)',
    'create table list_code (code text not null, system text not null, list integer not null, primary key (code, system, list)) without rowid',
    'create table list_author (part integer not null, word text not null, list integer not null, primary key (part, word, list)) without rowid',
    'create table list_version (list integer not null, version integer not null, body text not null, primary key (list, version)) without rowid',
    // Words inside: rowid is the key of the object. `scope` holds tokens of whose it is, so that words of one patient are an intersection.
    "create virtual table words using fts5(scope, title, body, tokenize = 'unicode61 remove_diacritics 2')",
    // What was read of an object and by which version of the reader; language null when nobody knows.
    'create table words_read (object integer primary key, reader integer not null, characters integer not null, cut integer not null, problem text)',

    // Documents that came with images belong to whoever owns the study, now and later.
    `create trigger document_follows_owner after update of owner on study begin
      update document set patient = new.owner where study = new.uid and follows = 1; end`,
    `create trigger document_follows_study after insert on study begin
      update document set patient = new.owner where study = new.uid and follows = 1; end`,
  ],
}
