import { auditEventKind } from './audit-event.ts'
import { binaryKind } from './binary.ts'
import { deviceKind } from './device.ts'
import { diagnosticReportKind } from './diagnostic-report.ts'
import { documentReferenceKind } from './document-reference.ts'
import { encounterKind } from './encounter.ts'
import { endpointKind } from './endpoint.ts'
import { imagingStudyKind } from './imaging-study.ts'
import type { ResourceKind } from './kind.ts'
import { listKind } from './list.ts'
import { observationKind } from './observation.ts'
import { organizationKind, practitionerKind, practitionerRoleKind } from './own-resource.ts'
import { patientKind } from './patient.ts'
import { provenanceKind } from './provenance.ts'
import { serviceRequestKind } from './service-request.ts'

/** Every resource type we serve. */
export const KINDS: readonly ResourceKind[] = [
  patientKind,
  encounterKind,
  serviceRequestKind,
  imagingStudyKind,
  diagnosticReportKind,
  observationKind,
  deviceKind,
  endpointKind,
  documentReferenceKind,
  listKind,
  binaryKind,
  organizationKind,
  practitionerKind,
  practitionerRoleKind,
  provenanceKind,
  auditEventKind,
]
