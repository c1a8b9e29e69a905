/** C-STORE rows: the same sender, which shares no code with the server, against each peer. */
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { StoreClient } from '../live/store-client.ts'
import type { Peer } from './orthanc.ts'
import { cpuSeconds, watchMemory } from './process-figures.ts'
import type { Figures } from './rows.ts'

interface Sendable {
  readonly sopClass: string
  readonly transferSyntax: string
  readonly instance: string
  readonly dataSet: Buffer
}

function sendable(file: Buffer): Sendable {
  const { dataSet, encoding, dataSetStart, transferSyntax } = openPart10(memorySource(file))
  const read = readDataSet(dataSet, encoding)
  return {
    sopClass: string(read, 0x00080016) ?? '',
    instance: string(read, 0x00080018) ?? '',
    transferSyntax: transferSyntax.uid,
    dataSet: file.subarray(dataSetStart),
  }
}

/**
 * Stores the objects over so many associations; each has `window` C-STOREs under way when the peer agrees to it.
 * @param window 1: the next is sent once the one before is answered, as most modalities do
 */
export async function cStoreRow(
  kind: string,
  peer: Peer,
  objects: readonly Buffer[],
  associations: number,
  window = 1,
): Promise<Figures> {
  const { dimse } = peer
  if (dimse === null) throw new TypeError(`${peer.name} has no DICOM door`)
  const items = objects.map(sendable)
  const contexts = [...new Set(items.map(({ sopClass, transferSyntax }) => `${sopClass} ${transferSyntax}`))].map(
    (key) => {
      const [sopClass = '', transferSyntax = ''] = key.split(' ')
      return { sopClass, transferSyntaxes: [transferSyntax] }
    },
  )
  const asked = window > 1 ? { invoked: window } : {}
  const clients = await Promise.all(
    Array.from({ length: associations }, () =>
      StoreClient.open({ port: dimse.port, called: dimse.aeTitle, calling: 'BENCH', contexts, ...asked }),
    ),
  )
  const times: number[] = []
  const memory = watchMemory(peer.pid)
  const cpu = cpuSeconds(peer.pid)
  const began = performance.now()
  let [next, failed] = [0, 0]
  await Promise.all(
    clients.flatMap((client) =>
      Array.from({ length: Math.min(window, client.invoked) }, async () => {
        for (let i = next++; i < items.length; i = next++) {
          const item = items[i]
          if (item === undefined) continue
          const start = performance.now()
          const answer = await client.store(item.sopClass, item.transferSyntax, item.instance, item.dataSet)
          if (answer.status !== 0) failed++
          times.push(performance.now() - start)
        }
      }),
    ),
  )
  const seconds = (performance.now() - began) / 1000
  const spent = cpuSeconds(peer.pid) - cpu
  const { before, peak } = memory.stop()
  await Promise.all(clients.map((client) => client.release()))
  times.sort((a, b) => a - b)
  const many = `${associations} association${associations === 1 ? '' : 's'}${window === 1 ? '' : `, window ${window}`}`
  return {
    row: `C-STORE ${kind}, ${many}`,
    peer: peer.name,
    items: items.length,
    seconds,
    perSecond: items.length / seconds,
    cpuMsPerItem: (spent * 1000) / items.length,
    p50Ms: times[Math.floor(times.length * 0.5)] ?? null,
    p95Ms: times[Math.floor(times.length * 0.95)] ?? null,
    memoryGrowthMB: (peak - before) / 2 ** 20,
    failed,
  }
}
