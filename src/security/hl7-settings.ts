import { z } from 'zod'

const name = z.string().trim().min(1).max(200)
const optional = name.nullable().default(null)

const issuer = z.strictObject({
  name: z.string().trim().min(1).max(64),
  oid: z
    .string()
    .regex(/^[0-9.]{1,64}$/, 'expected an OID')
    .nullable()
    .default(null),
  namespaceId: optional,
  fhirSystem: optional,
  aliases: z.array(name).max(100).default([]),
})

/** Site settings of HL7 v2 and of the register of issuers; part of SETTINGS in site-settings.ts. */
export const HL7_SETTINGS = {
  'identity.issuers': {
    schema: z.array(issuer).max(1000),
    fallback: [],
    what: 'Assigning authorities by all their names: HL7 v2, DICOM and FHIR then mean the same issuer.',
  },
  'hl7.senders': {
    schema: z.enum(['loopback', 'refuse', 'any']),
    fallback: 'loopback',
    what: 'HL7 v2 senders that are no registered originator: taken on loopback only, refused everywhere, or taken everywhere.',
  },
  'hl7.unknownIssuers': {
    schema: z.enum(['accept', 'refuse']),
    fallback: 'accept',
    what: 'Patient identifiers of an assigning authority that is not registered: kept under its own name, or AE 204.',
  },
  'hl7.messages': {
    schema: z.record(
      z.string().regex(/^(\*|[A-Z0-9]{3}(\^[A-Z0-9]{3})?)$/, 'expected a type such as ADT^A08 or ORU, or *'),
      z.enum(['act', 'keep', 'refuse']),
    ),
    fallback: {},
    what: 'Message types that are treated otherwise than the table says: acted on, only kept, or refused.',
  },
  'hl7.orderStatus': {
    schema: z.record(
      z.string().regex(/^[A-Z]{2}(_[A-Z]{1,2})?$/, 'expected order control and status such as NW_SC'),
      z.enum(['scheduled', 'in-progress', 'completed', 'cancelled', 'discontinued']),
    ),
    fallback: {},
    what: 'Status of an order by ORC-1_ORC-5, beside the table.',
  },
  'hl7.studyUid': {
    schema: z.enum(['generate', 'require']),
    fallback: 'generate',
    what: 'An order without Study Instance UID: one is generated from its number, or AE 101.',
  },
  'hl7.undeclaredCharset': {
    schema: z.enum(['windows-1252', 'latin-1', 'latin-9', 'windows-1250', 'windows-1251']),
    fallback: 'windows-1252',
    what: 'What 8-bit text of a message is that declares no character set and is not UTF-8.',
  },
} as const
