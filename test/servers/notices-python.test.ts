/** A receiver written in another language, from the MLLP specification alone: Python's sockets, slow and byte by byte. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { plainPdf } from '../fixtures/pdf.ts'
import { codeOf, message, mllpClient } from '../live/mllp-client.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const RECEIVER = `
import base64, hashlib, json, socket, sys, time
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(5); server.settimeout(60)
print(server.getsockname()[1], flush=True)
seen = 0
while seen < 3:
    connection, _ = server.accept(); connection.settimeout(60)
    data = b""
    while seen < 3:
        chunk = connection.recv(1000)
        if not chunk: break
        data += chunk
        while b"\\x1c\\r" in data:
            block, data = data.split(b"\\x1c\\r", 1)
            segments = [line.split("|") for line in block.lstrip(b"\\x0b").decode("utf-8").split("\\r") if line]
            find = lambda name: next((line for line in segments if line[0] == name), [])
            msh, txa, obx, pid = find("MSH"), find("TXA"), find("OBX"), find("PID")
            document = base64.b64decode(obx[5].split("^")[4]) if obx else b""
            print(json.dumps([msh[8].split("^")[1], txa[12], (txa + [""] * 20)[13], pid[5], hashlib.sha256(document).hexdigest()]), flush=True)
            answer = "MSH|^~\\\\&|PY|PY|||2026||ACK|%d|P|2.5.1\\rMSA|AA|%s\\r" % (seen, msh[9])
            for byte in b"\\x0b" + answer.encode() + b"\\x1c\\r":
                connection.sendall(bytes([byte])); time.sleep(0.002)
            seen += 1
`

const missing = spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is not installed'

test('a receiver in Python takes every version in its order', { skip: missing, timeout: 90_000 }, async () => {
  const folder = temporaryDirectory('notices-python')
  const dataDirectory = join(folder.path, 'data')
  const server = await startServer({ dataDirectory, args: ['--hl7-port', '0'] })
  const client = await mllpClient(server.hl7?.port ?? 0)
  const child = spawn('python3', ['-c', RECEIVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const port = Number((await lines.next()).value)
    const destination = { name: 'python', host: '127.0.0.1', port }
    const rule = { name: 'all', destination: 'python', events: ['kept', 'replaced', 'withdrawn'] }
    const policy = JSON.stringify({ destinations: [destination], rules: [rule] })
    assert.equal((await runCommand(['settings', 'set', 'notices.policy', policy, '--data', dataDirectory])).status, 0)
    const [one, two] = [plainPdf(['one']), plainPdf(['two'])]
    const pid = 'PID|1||Q1^^^HOSP^MR||ŁÓDŹ^Zoë||19700102|F'
    const txa = (number: string, parent: string) => `TXA|1|DI|TX|||||||||${number}|${parent}||||AU||AV`
    const pdf = (bytes: Uint8Array) =>
      `OBX|1|ED|1^R^L||R^application^pdf^Base64^${Buffer.from(bytes).toString('base64')}`
    const tell = async (event: string, segments: readonly string[]) =>
      assert.equal(codeOf(await client.ask(message(`MDM^${event}`, [pid, ...segments]))), 'AA')
    await tell('T02', [txa('1.2.3.1', ''), pdf(one)])
    await tell('T10', [txa('1.2.3.2', '1.2.3.1'), pdf(two)])
    await tell('T11', [txa('1.2.3.2', '')])
    const got: unknown[] = []
    for (let i = 0; i < 3; i++) got.push(JSON.parse(String((await lines.next()).value)))
    const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    assert.deepEqual(got, [
      ['T02', '1.2.3.1', '', 'ŁÓDŹ^Zoë', sha(one)],
      ['T10', '1.2.3.2', '1.2.3.1', 'ŁÓDŹ^Zoë', sha(two)],
      ['T11', '1.2.3.2', '', 'ŁÓDŹ^Zoë', sha(new Uint8Array())],
    ])
  } finally {
    client.close()
    child.kill()
    await server.stop()
    folder.remove()
  }
})
