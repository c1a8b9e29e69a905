import type { Migration } from '../migrate.ts'

/** Held objects, the numbers of the journal, and which objects lie where in a segment. */
export const quarantine: Migration = {
  number: 3,
  name: 'quarantine',
  sqlite: [
    `create table quarantine (
      key integer primary key autoincrement,
      id text not null unique,
      state text not null check (state in ('held', 'released', 'discarded')),
      sha256 text not null,
      size integer not null,
      uid text,
      arrived_at text not null,
      arrivals integer not null default 1,
      door text not null,
      peer text,
      preamble text not null,
      findings text not null,
      scan text not null,
      patient text,
      provenance text not null,
      decision text,
      decided_at text
    ) strict`,
    'create index quarantine_digest on quarantine(sha256)',
    'create index quarantine_state on quarantine(state, key desc)',
    'create index quarantine_uid on quarantine(uid) where uid is not null',
    'create table journal (one integer primary key check (one = 1), sequence integer not null) strict',
    'insert into journal values (1, 0)',
    'create index object_place on object(segment, offset) where segment is not null',
  ],
}
