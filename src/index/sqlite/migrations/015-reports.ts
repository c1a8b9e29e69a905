import type { Migration } from '../migrate.ts'

/**
 * Which documents are versions of one report, and reports that were taken back (`object` is empty). Notices to other
 * systems, waiting and settled: the queue and the delivery ledger are one table.
 */
export const reports: Migration = {
  number: 15,
  name: 'reports',
  sqlite: [
    'create table report (key text not null, object text not null, stamp text not null, primary key (key, object, stamp)) without rowid',
    "create index report_object on report(object) where object <> ''",
    // key = journal sequence * 2^20 + position: the order in which a destination is told.
    `create table delivery (
      key integer primary key, destination text not null, object text not null, version integer not null,
      event text not null, control_id text not null, state text not null, attempts integer not null default 0,
      made text not null, tried text, settled text, answer text, error text, rule text, body text not null)`,
    "create index delivery_waiting on delivery(destination, key) where state = 'waiting'",
    'create index delivery_object on delivery(object, key)',
    'create index delivery_state on delivery(state, key)',
    'create index delivery_control on delivery(control_id)',
  ],
}
