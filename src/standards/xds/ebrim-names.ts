import type { XdsAssociationType } from './types.ts'

/** The names ebRIM gives what XDS speaks of. ITI TF-3 sections 4.2.3 and 4.2.5. */
export const NAMESPACE = {
  rim: 'urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0',
  lcm: 'urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0',
} as const

export const OBJECT = {
  stable: 'urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1',
  onDemand: 'urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248',
  submissionSet: 'urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd',
  folder: 'urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2',
  registryPackage: 'urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage',
} as const

export const DOCUMENT = {
  patientId: 'urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427',
  uniqueId: 'urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab',
  author: 'urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d',
  classCode: 'urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a',
  typeCode: 'urn:uuid:f0306f51-975f-434e-a61c-c59651d33983',
  formatCode: 'urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d',
  confidentialityCode: 'urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f',
  eventCodeList: 'urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4',
  healthcareFacilityTypeCode: 'urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1',
  practiceSettingCode: 'urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead',
} as const

export const SUBMISSION_SET = {
  patientId: 'urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446',
  uniqueId: 'urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8',
  author: 'urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d',
  contentTypeCode: 'urn:uuid:aa543740-bdda-424e-8c96-df4873be8500',
  sourceId: 'urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832',
} as const

export const FOLDER = {
  patientId: 'urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a',
  uniqueId: 'urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a',
  codeList: 'urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5',
} as const

export const REFERENCE_ID_LIST = 'urn:ihe:iti:xds:2013:referenceIdList'

const OASIS = 'urn:oasis:names:tc:ebxml-regrep:AssociationType:'
const IHE_2007 = 'urn:ihe:iti:2007:AssociationType:'
export const ASSOCIATION: Readonly<Record<XdsAssociationType, string>> = {
  HasMember: `${OASIS}HasMember`,
  RPLC: `${IHE_2007}RPLC`,
  APND: `${IHE_2007}APND`,
  XFRM: `${IHE_2007}XFRM`,
  XFRM_RPLC: `${IHE_2007}XFRM_RPLC`,
  signs: `${IHE_2007}signs`,
  IsSnapshotOf: 'urn:ihe:iti:2010:AssociationType:IsSnapshotOf',
}

export const STATUS = 'urn:oasis:names:tc:ebxml-regrep:StatusType:'
