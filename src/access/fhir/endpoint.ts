import type { Endpoint } from '@medplum/fhirtypes'
import { derived } from './compact.ts'
import type { ResourceKind } from './kind.ts'

const CONNECTION = 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type'
const REQUIRES_TOKEN = 'http://fhir.org/argonaut/smart-imaging/StructureDefinition/requires-access-token'

interface Door {
  readonly name: string
  readonly mediaTypes: readonly string[]
}

const DOORS: { readonly [id: string]: Door } = {
  'dicom-wado-rs': { name: 'WADO-RS', mediaTypes: ['application/dicom', 'application/dicom+json', 'image/jpeg'] },
  'dicom-qido-rs': { name: 'QIDO-RS', mediaTypes: ['application/dicom+json'] },
  'dicom-stow-rs': { name: 'STOW-RS', mediaTypes: ['application/dicom', 'application/dicom+json'] },
}

/** Where the images of every study are found. */
export const IMAGING_ENDPOINTS = ['dicom-wado-rs', 'dicom-qido-rs'] as const

/** One of our doors; its id is its connection type. SMART imaging access: a bearer token is needed. */
function endpointOf(id: string, origin: string): Endpoint | undefined {
  const door = Object.hasOwn(DOORS, id) ? DOORS[id] : undefined
  if (door === undefined) return undefined
  return derived<Endpoint>(
    {
      resourceType: 'Endpoint',
      id,
      extension: [{ url: REQUIRES_TOKEN, valueBoolean: true }],
      status: 'active',
      connectionType: { system: CONNECTION, code: id, display: door.name },
      name: door.name,
      payloadType: [{ text: 'DICOM' }],
      payloadMimeType: [...door.mediaTypes],
      address: `${origin}/dicom-web`,
    },
    null,
  )
}

export const endpointKind: ResourceKind = {
  type: 'Endpoint',
  made: 'derived',
  owner: 'the routes of DICOMweb (`access/dicomweb/`)',
  writable: 'nothing: 405',
  versions: 'digest of the content; no history',
  needs: { read: 'object.read' },
  parameters: ['connection-type', 'status', 'name'],
  includes: [],
  revIncludes: ['ImagingStudy:endpoint'],
  sorts: [],
  history: false,
  source() {
    return {
      async read(id, { origin }) {
        return endpointOf(id, origin)
      },
      async search(criteria, _paging, { origin }) {
        const ids = criteria.values('_id') ?? Object.keys(DOORS)
        const found = ids.map((id) => endpointOf(id, origin)).filter((endpoint) => endpoint !== undefined)
        return { resources: found, next: null }
      },
    }
  },
}
