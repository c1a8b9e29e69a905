import { binaryKind } from './binary.ts'
import { documentReferenceKind } from './document-reference.ts'
import { endpointKind } from './endpoint.ts'
import { imagingStudyKind } from './imaging-study.ts'
import type { ResourceKind } from './kind.ts'
import { listKind } from './list.ts'
import { organizationKind, practitionerKind, practitionerRoleKind } from './own-resource.ts'
import { patientKind } from './patient.ts'

/** Every resource type we serve. */
export const KINDS: readonly ResourceKind[] = [
  patientKind,
  imagingStudyKind,
  endpointKind,
  documentReferenceKind,
  listKind,
  binaryKind,
  organizationKind,
  practitionerKind,
  practitionerRoleKind,
]
