import type { Migration } from '../migrate.ts'
import { archive } from './001-archive.ts'

/** Every migration, oldest first. A released one never changes. */
export const MIGRATIONS: readonly Migration[] = [archive]
