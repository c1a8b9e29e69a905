import type { Migration } from '../migrate.ts'

/**
 * Which segments were removed on purpose, so that any other that is not there is a loss. Before this, a removed one was
 * left with its position and without objects; the newest may be one that has none yet.
 */
export const removedSegments: Migration = {
  number: 10,
  name: 'removed-segments',
  sqlite: [
    'alter table segment add column removed integer not null default 0',
    'update segment set removed = 1 where objects = 0 and key < (select max(key) from segment)',
  ],
}
