import type { Migration } from '../migrate.ts'

/**
 * How documents leave, the UIDs of their DICOM faces (the 128 bits behind `2.25.`), and links by which patients send
 * photographs. The first two are worked out from the bytes again when they are lost; links are like tokens.
 */
export const leaving: Migration = {
  number: 19,
  name: 'leaving',
  sqlite: [
    // `document` 0: up to which key (`size`) a reader has seen all documents.
    `create table document_leaving (document integer primary key, reader integer not null, removed integer not null,
      doubt text, size integer, sha1 blob, sha256 blob, pieces text)`,
    'create table document_face (uid blob not null, document integer not null, primary key (uid, document)) without rowid',
    'create index document_face_of on document_face(document)',
    `create table capture_link (
      id text primary key, secret_hash blob not null, purpose text not null, body text not null, uses_max integer not null,
      uses integer not null, created_at text not null, created_by text not null, expires_at text not null,
      revoked_at text, revoked_by text, last_used_at text)`,
    'create index capture_link_created on capture_link(created_at desc, id)',
  ],
}
