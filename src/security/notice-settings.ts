import { z } from 'zod'
import { NOTICE_EVENTS, type NoticePolicy } from '#model/delivery.ts'

const name = z.string().trim().min(1).max(64)
const list = z.array(z.string().trim().min(1).max(200)).max(200).default([])

const destination = z.strictObject({
  name,
  host: z.string().trim().min(1).max(255),
  port: z.int().min(1).max(65_535),
  tls: z.boolean().default(false),
  application: z.string().trim().max(180).default(''),
  facility: z.string().trim().max(180).default(''),
  level: z.enum(['automatic', 'propose']).default('propose'),
  answerSeconds: z.number().min(0.1).max(600).default(30),
  retrySeconds: z.number().min(0.05).max(300).default(5),
  giveUpHours: z.number().min(0).max(8760).default(72),
  rejectionsMax: z.int().min(1).max(1000).default(5),
  embedMax: z
    .int()
    .min(0)
    .max(256 * 1024 * 1024)
    .default(16 * 1024 * 1024),
})

const rule = z.strictObject({
  name,
  destination: name,
  on: z.boolean().default(true),
  events: z.array(z.enum(NOTICE_EVENTS)).min(1).max(4),
  classCodes: list,
  typeCodes: list,
  departments: list,
  originators: list,
  finalOnly: z.boolean().default(false),
  message: z.enum(['MDM', 'ORU']).default('MDM'),
  content: z.enum(['embedded', 'pointer', 'none']).default('embedded'),
})

const policy = z
  .strictObject({
    destinations: z.array(destination).max(100),
    rules: z.array(rule).max(500),
    queueMax: z.int().min(1).max(10_000_000).default(100_000),
  })
  .superRefine(({ destinations, rules }, context) => {
    const names = new Set<string>()
    for (const [i, one] of destinations.entries()) {
      if (names.has(one.name))
        context.addIssue({ code: 'custom', path: ['destinations', i, 'name'], message: 'is used twice' })
      names.add(one.name)
    }
    const known = new Set<string>()
    for (const [i, one] of rules.entries()) {
      if (!names.has(one.destination)) {
        context.addIssue({
          code: 'custom',
          path: ['rules', i, 'destination'],
          message: 'is no destination of this policy',
        })
      }
      if (known.has(one.name))
        context.addIssue({ code: 'custom', path: ['rules', i, 'name'], message: 'is used twice' })
      known.add(one.name)
    }
  })

const NOTHING: NoticePolicy = { destinations: [], rules: [], queueMax: 100_000 }

/** Site setting of notices to other systems; part of SETTINGS in site-settings.ts. */
export const NOTICE_SETTINGS = {
  'notices.policy': {
    schema: policy,
    fallback: NOTHING as z.output<typeof policy>,
    what: 'HL7 v2 systems that are told of documents, and the rules by which: which events of which documents go to which destination, as MDM or ORU, with the document, a pointer, or neither.',
  },
} as const
