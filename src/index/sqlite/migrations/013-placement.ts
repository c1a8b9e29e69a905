import type { Migration } from '../migrate.ts'

/** Placement decisions and what a site labelled. What stays as it came has no row: its record says so. */
export const placement: Migration = {
  number: 13,
  name: 'placement',
  sqlite: [
    // key = journal sequence * 2^20 + position.
    `create table placement_decision (
      key integer primary key, id text not null unique, object text not null, study text, state text not null,
      rule text not null, effect text not null, made text not null, body text not null)`,
    'create index placement_object on placement_decision(object, key desc)',
    'create index placement_study on placement_decision(study) where study is not null',
    'create index placement_state on placement_decision(state, key desc)',
    'create index placement_rule on placement_decision(rule, key desc)',
    'create table placement_label (rule text not null, object text not null, is_one integer not null, scored real, by text not null, time text not null, primary key (rule, object)) without rowid',
  ],
}
