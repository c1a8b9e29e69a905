import type { Migration } from '../migrate.ts'

/** The message archive and, with it, the ledger of control ids. Bytes are in the journal; here is where. */
export const messages: Migration = {
  number: 6,
  name: 'messages',
  sqlite: [
    `create table message (
      sequence integer primary key, time text not null, application text not null, facility text not null,
      address text, originator text, control_id text not null, type text not null, sha256 blob not null,
      size integer not null, acknowledgement text not null, error text, identifiers text not null,
      z_segments text not null, notes text not null, entries text not null, arrivals integer not null default 1,
      answers text not null, segment text not null, offset integer not null, length integer not null) strict`,
    // The ledger of control ids: one look-up per message that arrives.
    'create index message_control on message(control_id, application, facility)',
    'create index message_type on message(type, sequence)',
    'create index message_sender on message(application, sequence)',
    'create index message_answer on message(acknowledgement, sequence)',
    'create table message_identifier (identifier text not null, sequence integer not null, primary key (identifier, sequence)) without rowid, strict',
  ],
}
