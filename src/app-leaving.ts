/** How documents leave: what is found out and kept of it, put together inside the writer worker. */
import type { Database } from '#index/sqlite/database.ts'
import { createFaceFacts } from '#index/sqlite/face-facts.ts'
import { createLeavingStore } from '#index/sqlite/leaving-store.ts'
import type { Intake } from '#model/intake.ts'
import { createFaceKeeper, type FaceKeeper, KEEP_FACE, type KeepFaceTools } from '#operations/keep-face.ts'
import { createReadLeaving, type ReadLeaving, type ReadLeavingTools } from '#operations/read-leaving.ts'
import { auditEvent } from '#security/audit.ts'
import type { AuditEvent, SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'

export interface Leaving extends Pick<ReadLeaving, 'desk'> {
  readonly handlers: ReadLeaving['handlers'] & FaceKeeper['handlers']
  readonly faces: FaceKeeper['desk']
  /** Documents came or changed. Part of the caller's transaction. */
  documents(objectIds: readonly string[]): void
}

interface Around extends Omit<ReadLeavingTools, 'store'>, Pick<KeepFaceTools, 'documents' | 'jobs'> {
  readonly db: Database
  readonly intake: Intake
  readonly security: Pick<SecurityReader, 'settings' | 'settingsVersion'>
  audit(events: readonly AuditEvent[]): void
  wake(): void
}

/** Inside the writer worker. */
export function createLeaving(around: Around): Leaving {
  const { db } = around
  const store = createLeavingStore(db)
  const read = createReadLeaving({ ...around, store })
  const keeper = createFaceKeeper({
    ...around,
    store,
    policy: facePolicy(around.security),
    surroundings: createFaceFacts(db),
    receive: (arrival) => around.intake.receive(arrival),
    look: (objectId) => read.desk.look(objectId),
    audit: ({ by, address = null }, detail) => around.audit([auditEvent(by, { kind: 'decide', address, detail })]),
  })
  if (read.begin()) around.wake()
  return {
    desk: read.desk,
    faces: keeper.desk,
    handlers: { ...read.handlers, [KEEP_FACE]: keeper.handlers[KEEP_FACE] },
    documents(objectIds) {
      if (read.ask(objectIds) + keeper.ask(objectIds) > 0) around.wake()
    },
  }
}

/** Read again only when a setting changed. */
function facePolicy(security: Around['security']): KeepFaceTools['policy'] {
  let known: { readonly version: number; readonly policy: ReturnType<KeepFaceTools['policy']> } | null = null
  return () => {
    const version = security.settingsVersion()
    if (known?.version !== version) {
      const kept = security.settings()
      const policy = {
        location: settingIn(kept, 'documents.location'),
        faces: settingIn(kept, 'documents.faces'),
        modelUnit: settingIn(kept, 'documents.modelUnit'),
      }
      known = { version, policy }
    }
    return known.policy
  }
}
