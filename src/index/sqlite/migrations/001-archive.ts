import type { Migration } from '../migrate.ts'

/**
 * What the archive keeps and how it is found. Instances are keyed by `series * 2^24 + slot`, so that the rows of one
 * series lie together. The wide indexes on study answer a page of a study list without touching the table.
 */
export const archive: Migration = {
  number: 1,
  name: 'archive',
  sqlite: [
    'create table segment (key integer primary key, name text not null unique, bytes integer not null default 0, objects integer not null default 0, flushed integer)',
    'create table text (key integer primary key, value text not null unique)',
    'create table total (one integer primary key check (one = 1), patients integer not null, studies integer not null, series integer not null, instances integer not null, bytes integer not null)',
    'insert into total values (1, 0, 0, 0, 0, 0)',

    `create table patient (
      key integer primary key, id text not null unique, issuer text not null, identifier text not null,
      issuer_assumed integer not null, name text not null, name_key text not null, birth_date text not null,
      sex text not null, studies integer not null default 0)`,
    'create unique index patient_identity on patient(identifier, issuer)',
    'create index patient_by_name on patient(name_key, key)',
    // Every script and every later spelling of a name, so that a patient is found by any of them.
    'create table patient_name (name_key text not null, patient integer not null references patient(key), primary key (name_key, patient)) without rowid',

    `create table study (
      key integer primary key autoincrement, uid text not null, patient integer not null references patient(key),
      date text not null, time text not null, mods integer not null, name_key text not null, modalities text not null,
      pid text not null, accession text not null, study_id text not null, description text not null,
      referring text not null, name text not null, birth_date text not null, sex text not null, zone text not null,
      instant text, zone_assumed integer not null, series integer not null, instances integer not null,
      bytes integer not null, extra text)`,
    'create unique index study_uid on study(uid)',
    'create index study_date on study(date desc, time desc, key desc, mods, name_key)',
    'create index study_name on study(name_key, date desc, time desc, key desc, mods)',
    'create index study_pid on study(pid, date desc, time desc, key desc, mods)',
    "create index study_accession on study(accession, date desc, time desc, key desc, mods) where accession <> ''",
    'create index study_patient on study(patient, date desc, time desc, key desc, mods, name_key)',
    'create table day_count (date text primary key, n integer not null) without rowid',
    "create virtual table study_text using fts5(name, pid, accession, description, tokenize = 'trigram', content = '', contentless_delete = 1, detail = column)",
    // Words of a patient's name in every script, for fuzzy matching.
    'create table study_word (word text not null, study integer not null, primary key (word, study)) without rowid',
    // Values of declared attributes (index/searchable.ts); ref is a study, series or instance by the attribute's level.
    'create table lookup (attribute integer not null, value text not null, ref integer not null, primary key (attribute, value, ref)) without rowid',

    `create table series (
      key integer primary key autoincrement, study integer not null references study(key), uid text not null,
      number integer, modality text not null, description text not null, date text not null, time text not null,
      body_part text not null, zone text not null, instances integer not null, slots integer not null,
      bytes integer not null, extra text)`,
    'create unique index series_uid on series(uid, study)',
    'create index series_study on series(study, number, uid)',
    'create index series_modality on series(modality, key desc)',

    `create table instance (
      key integer primary key, object integer not null, uid text not null, number integer, sop_class integer not null,
      rows integer, columns integer, bits integer, frames integer, extra text,
      crc32 integer not null, raw_length integer not null, chunk blob not null)`,
    'create index instance_class on instance(sop_class)',

    `create table object (
      key integer primary key, id text not null unique, uid text not null, version integer not null,
      state integer not null, patient integer not null, instance integer, segment integer, offset integer, length integer,
      data_set_offset integer not null, transfer_syntax integer not null, sop_class integer not null,
      sha_arrived blob not null, sha_data_set blob not null, sha_kept blob not null, overlay_version integer not null,
      time, verdict text not null, scan integer not null, placement integer not null, findings text,
      family text, deletion integer references deletion(key), head blob, tail text, frames blob)`,
    'create unique index object_uid on object(uid, version)',
    'create index object_deleted on object(deletion) where state = 1',
    'create index object_segment on object(segment) where state = 1',
    // First eight bytes of the data-set and kept digests; arrived digests are found by the arrivals.
    'create table digest (prefix blob not null, object integer not null, primary key (prefix, object)) without rowid',
    'create table fact (object integer not null, position integer not null, family text not null, name text not null, value not null, detail text, primary key (object, position)) without rowid',
    'create index fact_name on fact(family, name, value)',

    `create table arrival (
      key integer primary key, id text not null, sha256 blob not null, size integer not null,
      source integer not null, path text, time, verdict text not null, reason text not null, findings text,
      scan integer not null, uid text, object integer, quarantine text)`,
    'create index arrival_sha on arrival(substr(sha256, 1, 8))',
    'create index arrival_time on arrival(time)',
    "create index arrival_verdict on arrival(verdict) where verdict <> 'accept'",
    'create index arrival_object on arrival(object) where object is not null',
    'create index arrival_uid on arrival(uid) where uid is not null',

    'create table change (key integer primary key autoincrement, object integer not null references object(key), tag text not null, before text, after text, rule text not null, by text not null, time text not null, undone integer not null default 0)',
    'create index change_object on change(object)',
    'create table deletion (key integer primary key autoincrement, study text not null, series text, uid text, by text not null, reason text not null, time text not null, purge_after text not null)',
    'create index deletion_purge on deletion(purge_after)',
    'create table feed (sequence integer primary key, kind text not null, object text not null, study text not null, time)',

    `create table job (
      key integer primary key autoincrement, kind text not null, subject text not null, payload text not null,
      state text not null, attempts integer not null, attempts_max integer not null, run_after integer not null,
      fence integer not null, worker text, leased_until integer, error text, created text not null, finished text)`,
    "create unique index job_open on job(kind, subject) where state in ('waiting', 'leased')",
    "create index job_due on job(run_after, key) where state = 'waiting'",
    "create index job_lease on job(leased_until) where state = 'leased'",
    'create index job_state on job(state, key)',
    'create table job_effect (effect text primary key, time text not null) without rowid',
  ],
}
