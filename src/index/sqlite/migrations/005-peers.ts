import type { Migration } from '../migrate.ts'

/** Registered application entities, as versioned rows. */
export const peers: Migration = {
  number: 5,
  name: 'peers',
  sqlite: [
    `create table peer (
      version integer primary key autoincrement,
      ae_title text not null,
      value text,
      by text not null,
      time text not null
    ) strict`,
    'create index peer_ae_title on peer(ae_title, version)',
  ],
}
