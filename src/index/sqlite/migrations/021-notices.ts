import type { Migration } from '../migrate.ts'

/** Documents that changed and that rules of notices were not asked about yet. */
export const notices: Migration = {
  number: 21,
  name: 'notices',
  sqlite: ['create table notice_pending (object text primary key) without rowid'],
}
