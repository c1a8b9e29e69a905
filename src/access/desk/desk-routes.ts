import type { Route } from '#model/route.ts'
import { accountRoutes } from './account-routes.ts'
import { archiveRoutes } from './archive-routes.ts'
import { auditRoutes } from './audit-routes.ts'
import { importWorklistRoutes } from './import-worklist-routes.ts'
import { peerRoutes } from './peer-routes.ts'
import { quarantineRoutes } from './quarantine-routes.ts'
import type { DeskServices } from './services.ts'
import { sessionRoutes } from './session-routes.ts'
import { settingsRoutes } from './settings-routes.ts'
import { statusRoutes } from './status-routes.ts'

/** Every route of `/api/v1` but uploads and the OpenAPI document. contract.md. */
export function deskRoutes(services: DeskServices): readonly Route[] {
  return [
    ...sessionRoutes(services),
    ...accountRoutes(services),
    ...settingsRoutes(services),
    ...peerRoutes(services),
    ...auditRoutes(services),
    ...quarantineRoutes(services),
    ...archiveRoutes(services),
    ...importWorklistRoutes(services),
    ...statusRoutes(services),
  ]
}
