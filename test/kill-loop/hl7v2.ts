/**
 * Kills the server at random moments while senders of HL7 v2 messages wait for their answers, and checks what they were
 * told against what is there. Every sender resends what was not answered, as senders do.
 *
 *     node test/kill-loop/hl7v2.ts --cycles 20 [--seed 1]
 *
 * An answered message is in the archive with its decisions, once; a resent one has one effect. threats.md K1, K8.
 */
import { parseArgs } from 'node:util'
import { codeOf, mllpClient } from '../live/mllp-client.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

export interface Hl7KillReport {
  readonly cycles: number
  readonly acknowledged: number
  /** Sent again after the connection broke without an answer. */
  readonly resent: number
  readonly lost: readonly string[]
  readonly doubled: readonly string[]
  readonly wrong: readonly string[]
  readonly rebuilt: boolean
  readonly verify: unknown
}

const SENDERS = 4

interface Sent {
  readonly id: string
  readonly text: string
  acknowledged: boolean
}

interface Listed {
  readonly controlId: string
  readonly acknowledgement: string
  readonly entries: readonly string[]
}

export async function hl7KillLoop(options: {
  cycles: number
  seed: number
  say(line: string): void
}): Promise<Hl7KillReport> {
  const folder = temporaryDirectory('kill-hl7')
  const ledger: Sent[] = []
  const open: (Sent | null)[] = Array.from({ length: SENDERS }, () => null)
  const [lost, doubled, wrong] = [new Set<string>(), new Set<string>(), new Set<string>()]
  let [serial, resent, state] = [0, 0, options.seed >>> 0]
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const next = (): Sent => {
    serial++
    const id = `K${options.seed}-${serial}`
    const sent = { id, text: messageOf(id, serial), acknowledged: false }
    ledger.push(sent)
    return sent
  }
  const sending = async (sender: number, server: LiveServer, over: () => boolean): Promise<void> => {
    const client = await mllpClient(server.hl7?.port ?? 0).catch(() => null)
    if (client === null) return
    try {
      while (!over()) {
        if (open[sender] !== null) resent++
        const sent = open[sender] ?? next()
        open[sender] = sent
        const code = codeOf(await client.ask(sent.text))
        if (code !== 'AA') wrong.add(`${sent.id} ${code}`)
        sent.acknowledged = true
        open[sender] = null
      }
    } catch (error) {
      // The server was killed under this message: it stays open and is sent again.
      if (!(error instanceof Error)) throw error
    } finally {
      client.close()
    }
  }
  const check = async (url: string): Promise<readonly Listed[]> => {
    const kept = await allMessages(url)
    const byId = Map.groupBy(kept, ({ controlId }) => controlId)
    for (const { id, acknowledged } of ledger) {
      const found = byId.get(id) ?? []
      if (found.length > 1) doubled.add(id)
      if (acknowledged && found.length === 0) lost.add(id)
      for (const { acknowledgement, entries } of found) {
        if (acknowledgement !== 'AA' || entries.length === 0) wrong.add(`${id} ${acknowledgement} ${entries.length}`)
      }
    }
    return kept
  }

  try {
    for (let cycle = 0; cycle < options.cycles; cycle++) {
      const server = await startServer({ dataDirectory: folder.path, args: ['--hl7-port', '0'] })
      if (cycle % 5 === 0) await check(server.url)
      let over = false
      const senders = open.map((_, sender) => sending(sender, server, () => over))
      await new Promise((resolve) => setTimeout(resolve, 100 + random() * 700))
      await server.kill()
      over = true
      await Promise.all(senders)
      const told = ledger.filter(({ acknowledged }) => acknowledged).length
      options.say(`cycle ${cycle + 1}/${options.cycles}: ${told} of ${ledger.length} acknowledged, ${resent} resent`)
    }
    const last = await startServer({ dataDirectory: folder.path, args: ['--hl7-port', '0'] })
    for (let sender = 0; sender < SENDERS; sender++) {
      if (open[sender] === null) continue
      await sending(sender, last, () => open[sender] === null)
    }
    const kept = await check(last.url)
    await last.stop()
    const verified = await runCommand(['verify', '--data', folder.path, '--json'])
    await runCommand(['rebuild-index', '--data', folder.path])
    const again = await startServer({ dataDirectory: folder.path })
    const rebuilt = JSON.stringify(await allMessages(again.url)) === JSON.stringify(kept)
    await again.stop()
    return {
      cycles: options.cycles,
      acknowledged: ledger.filter(({ acknowledged }) => acknowledged).length,
      resent,
      lost: [...lost],
      doubled: [...doubled],
      wrong: [...wrong],
      rebuilt,
      verify: verified.lines.at(-1) ?? null,
    }
  } finally {
    folder.remove()
  }
}

/** Admissions, merges of a patient of their own, and orders by turns. */
function messageOf(id: string, n: number): string {
  const head = (type: string) => `MSH|^~\\&|KILL|LOOP|DIPTYCH||20260101||${type}|${id}|P|2.5`
  const pid = `PID|1||${id}^^^K||LOOP^N${n}||19700101|F`
  if (n % 3 === 0) return [head('ADT^A40'), pid, `MRG|${id}-OLD^^^K`, ''].join('\r')
  if (n % 3 === 1) return [head('ADT^A04'), pid, `PV1|1|O|||||||||||||||||V${n}`, ''].join('\r')
  return [head('ORM^O01'), pid, `ORC|NW|P${id}|F${id}||SC`, `OBR|1|P${id}|F${id}|C^T^L||||||||||||||A${n}`, ''].join(
    '\r',
  )
}

async function allMessages(url: string): Promise<readonly Listed[]> {
  const all: Listed[] = []
  for (let cursor = ''; ; ) {
    const answer = await fetch(`${url}/api/v1/messages?limit=1000&cursor=${cursor}`)
    const page = (await answer.json()) as { items: (Listed & { arrivals: number })[]; next: string | null }
    all.push(...page.items.map(({ arrivals: _, ...rest }) => rest)) // arrivals are counted in the index alone
    if (page.next === null) return all
    cursor = page.next
  }
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: { cycles: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' } },
  })
  const report = await hl7KillLoop({
    cycles: Number(values.cycles),
    seed: Number(values.seed),
    say: (line) => process.stderr.write(`${line}\n`),
  })
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  process.exitCode = report.lost.length + report.doubled.length + report.wrong.length === 0 && report.rebuilt ? 0 : 1
}
