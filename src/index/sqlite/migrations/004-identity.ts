import type { Migration } from '../migrate.ts'

/**
 * The identity ledger: who somebody is, whose a study is, and what is served otherwise than stored. `study.patient` is
 * the owner as it arrived and never changes; `study.owner` is the owner now, always a surviving patient. The columns of
 * a study hold current values; where they differ from what arrived, `arrived` holds that, as JSON.
 */
export const identity: Migration = {
  number: 4,
  name: 'identity',
  sqlite: [
    "alter table patient add column authority text not null default 'object'",
    // What registers said (JSON, with the entry that said it); null while only objects spoke.
    'alter table patient add column demographics text',
    // What the first object said (JSON); null while none came.
    'alter table patient add column stated text',
    'alter table patient add column merged_into integer',
    'alter table patient add column merged_how text',
    'alter table patient add column merge_entry integer',
    // Null: itself.
    'alter table patient add column survivor integer',
    "update patient set stated = json_object('name', name, 'birthDate', birth_date, 'sex', sex)",
    'create index patient_merged on patient(merged_into) where merged_into is not null',
    'create index patient_survivor on patient(survivor) where survivor is not null',
    "create index patient_birth on patient(birth_date) where birth_date <> ''",
    // 1: objects said this name; 2: the ledger did.
    'alter table patient_name add column said integer not null default 1',
    'create table patient_identifier (identifier text not null, issuer text not null, patient integer not null, primary key (identifier, issuer, patient)) without rowid',
    'create index patient_identifier_of on patient_identifier(patient)',
    'create table visit (patient integer not null, admission text not null, issuer text not null, body text not null, primary key (patient, admission, issuer)) without rowid',
    'create index visit_admission on visit(admission)',

    'alter table study add column owner integer not null default 0',
    // JSON of the events in force, oldest first; null for nearly every study.
    'alter table study add column overlay text',
    'alter table study add column overlay_version integer not null default 0',
    'alter table study add column arrived text',
    'update study set owner = patient',
    'drop index study_patient',
    'create index study_owner on study(owner, date desc, time desc, key desc, mods, name_key)',
    'create index study_arrived on study(patient) where owner <> patient',
    'alter table series add column arrived text',
    'alter table instance add column arrived text',

    // key = sequence * 2^20 + position: the order of decisions, the same after a rebuild.
    `create table ledger_entry (
      key integer primary key, id text not null unique, time text not null, kind text not null, cause text not null,
      decision text not null, undone_by text, inert integer not null default 0)`,
    // What an entry is about: p<patient id>, c<patient id> for corrections of it, s<Study Instance UID>, o<order id>, m<SOP Instance UID of a performed step>.
    'create table ledger_subject (subject text not null, entry integer not null, primary key (subject, entry)) without rowid',

    `create table imaging_order (
      key integer primary key autoincrement, id text not null unique, patient integer not null, accession text not null,
      study text not null, status text not null, start text not null, body text not null)`,
    'create index imaging_order_patient on imaging_order(patient)',
    "create index imaging_order_accession on imaging_order(accession) where accession <> ''",
    'create index imaging_order_study on imaging_order(study)',
    'create index imaging_order_start on imaging_order(start, key)',
    `create table order_step (
      imaging_order integer not null, position integer not null, id text not null, date text not null, time text not null,
      modality text not null, station text not null, primary key (imaging_order, position)) without rowid`,
    'create index order_step_date on order_step(date, time)',
    'create index order_step_modality on order_step(modality, date, time)',
    'create index order_step_station on order_step(station, date, time)',
    'create index order_step_id on order_step(id)',
    'create table performed_step (uid text primary key, imaging_order text, status text not null, body text not null) without rowid',
    'create index performed_step_order on performed_step(imaging_order) where imaging_order is not null',
    `create table import_item (
      key integer primary key autoincrement, id text not null unique, study text not null, state text not null,
      reconciliation text not null, body text not null)`,
    'create index import_item_study on import_item(study)',
    'create index import_item_state on import_item(state, key)',
    'create table rendered (instance integer primary key, version integer not null, crc32 integer not null, raw_length integer not null, chunk blob not null)',
  ],
}
