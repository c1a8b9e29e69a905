import { ArchiveError } from '#errors.ts'
import type { Intake } from '#model/intake.ts'
import { demoPatient } from './demo-patient.ts'
import { ImportCount, type ImportLine, type ImportSummary, lineOf } from './import-line.ts'

/** Originator that stands in the records of the sample patient. */
export const DEMO_ORIGINATOR = 'Demo'

/**
 * Takes in the sample patient as if it came through a door of its own. Twice stores nothing twice.
 * @param user account or token that asked for it; null for the local owner
 */
export async function* importDemo(
  intake: Intake,
  user: string | null,
): AsyncGenerator<{ readonly line: ImportLine }, ImportSummary> {
  const count = new ImportCount()
  for await (const { name, bytes } of demoPatient()) {
    const size = bytes.byteLength
    const receipt = await intake.receive({
      provenance: {
        door: 'demo',
        peer: null,
        originator: DEMO_ORIGINATOR,
        user,
        address: null,
        medium: null,
        path: name,
        time: new Date().toISOString(),
      },
      claims: {},
      bytes: { in: 'memory', bytes },
    })
    if (receipt.failure === 'storage.full' || receipt.failure === 'storage.read-only') {
      throw new ArchiveError(receipt.failure, receipt.reason)
    }
    const line = lineOf(name, receipt)
    count.add({ line, bytes: size, failed: false })
    yield { line }
  }
  return count.summary()
}
