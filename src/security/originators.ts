import type { Door } from '#model/arrival.ts'
import type { Originator, ScreeningPolicy } from '#model/settings.ts'
import { settingIn } from './site-settings.ts'

/** What is known of a sender before its bytes are looked at. */
export interface Sender {
  /** Named by a person at the door (`--originator`, upload form). */
  readonly named?: string | null
  readonly address?: string | null
  readonly aeTitle?: string | null
  readonly account?: string | null
  /** SHA-256 of the client certificate, lower-case hexadecimal. */
  readonly certificate?: string | null
}

/**
 * Which registered originator a sender is. Strongest proof first: certificate, account, then the name given by a
 * person, then AE title together with its address; an AE title alone proves nothing unless no address is registered.
 *
 * @returns undefined for an unknown originator: a known state, with its own trust level
 */
export function originatorOf(register: readonly Originator[], sender: Sender): Originator | undefined {
  const { certificate, account, named, aeTitle, address } = sender
  const find = (matches: (originator: Originator) => boolean) => register.find(matches)
  return (
    (certificate ? find(({ certificates }) => certificates.includes(certificate)) : undefined) ??
    (account ? find(({ accounts }) => accounts.includes(account)) : undefined) ??
    (named ? find(({ name }) => name === named) : undefined) ??
    (aeTitle
      ? find(
          ({ aeTitles, addresses }) =>
            aeTitles.includes(aeTitle) && (addresses.length === 0 || (address != null && addresses.includes(address))),
        )
      : undefined) ??
    (address && !aeTitle ? find(({ addresses }) => addresses.includes(address)) : undefined)
  )
}

/** Trust now: an attestation that has run out takes one level away. design.md section 2. */
export function trustOf(originator: Originator | undefined, today: string): ScreeningPolicy['trust'] {
  if (originator === undefined) return 'unknown'
  const expired = originator.attestation !== null && originator.attestation.validUntil < today
  if (!expired) return originator.trust
  return originator.trust === 'trusted' ? 'known' : 'untrusted'
}

/**
 * The policy for one arrival: catalogue defaults, then site, then door, then originator; the later wins.
 *
 * @param settings kept values of the site settings
 * @param today date as `2026-11-24`
 */
export function screeningPolicyFor(
  settings: { readonly [key: string]: unknown },
  door: Door,
  originator: Originator | undefined,
  today: string,
): ScreeningPolicy {
  const strip = originator?.privateElements === 'strip' || settingIn(settings, 'screening.privateElements') === 'strip'
  return {
    rules: {
      ...settingIn(settings, 'screening.rules'),
      ...(settingIn(settings, 'screening.doors')[door] ?? {}),
      ...(originator?.rules ?? {}),
    },
    privateElements: strip ? 'strip' : 'keep',
    tiffSopClasses: [
      ...new Set([...settingIn(settings, 'screening.tiffSopClasses'), ...(originator?.tiffSopClasses ?? [])]),
    ],
    unknownSopClasses: settingIn(settings, 'screening.unknownSopClasses'),
    unknownTransferSyntaxes: settingIn(settings, 'screening.unknownTransferSyntaxes'),
    trust: trustOf(originator, today),
  }
}
