import type { Migration } from '../migrate.ts'

/** How far each node's audit chain was sent to which syslog server. */
export const auditSent: Migration = {
  number: 20,
  name: 'audit-sent',
  sqlite: [
    'create table audit_sent (node text not null, target text not null, sequence integer not null, primary key (node, target)) strict, without rowid',
  ],
}
