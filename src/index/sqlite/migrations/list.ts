import type { Migration } from '../migrate.ts'
import { archive } from './001-archive.ts'
import { security } from './002-security.ts'
import { quarantine } from './003-quarantine.ts'
import { identity } from './004-identity.ts'
import { peers } from './005-peers.ts'
import { messages } from './006-messages.ts'
import { reconciliation } from './007-reconciliation.ts'
import { documents } from './008-documents.ts'
import { leanFacts } from './009-lean-facts.ts'
import { removedSegments } from './010-removed-segments.ts'
import { documentFollows } from './011-document-follows.ts'
import { fhirResources } from './012-fhir-resources.ts'
import { placement } from './013-placement.ts'
import { factLists } from './014-fact-lists.ts'
import { reports } from './015-reports.ts'
import { fhirLists } from './017-fhir-lists.ts'
import { surveys } from './018-surveys.ts'
import { leaving } from './019-leaving.ts'
import { auditSent } from './020-audit-sent.ts'
import { notices } from './021-notices.ts'
import { restrictions } from './022-restrictions.ts'

/** Every migration, oldest first. A released one never changes. */
export const MIGRATIONS: readonly Migration[] = [
  archive,
  security,
  quarantine,
  identity,
  peers,
  messages,
  reconciliation,
  documents,
  leanFacts,
  removedSegments,
  documentFollows,
  fhirResources,
  placement,
  factLists,
  reports,
  fhirLists,
  surveys,
  leaving,
  auditSent,
  restrictions,
  notices,
]
