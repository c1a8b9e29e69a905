/** The placement policy as versioned setting: what it was, and taking the last change back with all it did. */
import { ArchiveError } from '#errors.ts'
import type { PlacementDesk, PlacementPolicy } from '#model/placement.ts'
import type { SettingVersion } from '#security/ports.ts'
import type { SiteSettings } from '#security/site-settings.ts'

const KEY = 'placement.policy'

/** Newest first; `value` null is the default policy. */
export function policyVersions(settings: Pick<SiteSettings, 'history'>): readonly SettingVersion[] {
  return settings.history(KEY)
}

/**
 * Puts the policy before the last change in force again and looks anew at everything that was decided since: what only
 * the policy that is taken back wanted is undone by jobs.
 * @returns the policy in force, and how many studies and documents are looked at
 * @throws ArchiveError 'placement.state' when it was never changed
 */
export async function undoPolicy(
  settings: SiteSettings,
  placement: Pick<PlacementDesk, 'lookAgain'>,
  by: string,
  address: string | null,
): Promise<{ readonly policy: PlacementPolicy; readonly looked: number }> {
  const [last, before] = settings.history(KEY)
  if (last === undefined) throw new ArchiveError('placement.state', 'the policy was never changed')
  await settings.change({ [KEY]: before?.value ?? null }, by, address)
  return { policy: settings.get(KEY), looked: await placement.lookAgain(last.time) }
}
