import type { Migration } from '../migrate.ts'
import { archive } from './001-archive.ts'
import { security } from './002-security.ts'
import { quarantine } from './003-quarantine.ts'
import { peers } from './005-peers.ts'

/** Every migration, oldest first. A released one never changes. */
export const MIGRATIONS: readonly Migration[] = [archive, security, quarantine, peers]
