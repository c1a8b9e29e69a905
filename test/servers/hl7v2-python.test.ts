/** A sender written in another language, from the MLLP specification alone: Python's sockets. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer, temporaryDirectory } from '../live/server.ts'

const SENDER = `
import json, socket, sys
port = int(sys.argv[1])
sock = socket.create_connection(("127.0.0.1", port), timeout=20)
def frame(text): return b"\\x0b" + text.encode("utf-8") + b"\\x1c\\r"
def message(kind, number, *segments):
    head = "MSH|^~\\\\&|PY|LAB|||20260101||%s|PY%d|P|2.5.1||||||UNICODE UTF-8" % (kind, number)
    return "\\r".join((head,) + segments) + "\\r"
pid = "PID|1||PY1^^^HOSP^MR||M\\u00fcller^J\\u00f6rg||19700101|M"
sent = [message("ADT^A01", 1, pid), message("ADT^A01", 1, pid), message("ADT^A40", 2, pid, "MRG|PY2^^^HOSP"),
        message("ADT^A40", 3, pid.replace("PY1", "PY2"), "MRG|PY1^^^HOSP"), "nonsense", message("ORU^R01", 4, pid)]
stream = b"".join(frame(text) for text in sent)
for at in range(0, len(stream), 37): sock.sendall(stream[at:at + 37])
data = b""
while data.count(b"\\x1c\\r") < len(sent): data += sock.recv(4096)
answers = [block.lstrip(b"\\x0b").decode("utf-8").split("\\r") for block in data.split(b"\\x1c\\r")[:-1]]
print(json.dumps([[line for line in answer if line.startswith("MSA")][0].split("|")[1:3] for answer in answers]))
print(json.dumps(answers[0] == answers[1]))
`

const missing = spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is not installed'

test('a sender in Python gets one answer per message, in order', { skip: missing, timeout: 60_000 }, async () => {
  const folder = temporaryDirectory('hl7v2-python')
  const server = await startServer({ dataDirectory: join(folder.path, 'data'), args: ['--hl7-port', '0'] })
  try {
    const child = spawn('python3', ['-c', SENDER, String(server.hl7?.port)], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, errors] = ['', '']
    child.stdout.on('data', (text) => {
      out += text
    })
    child.stderr.on('data', (text) => {
      errors += text
    })
    const status = await new Promise((resolve) => child.once('close', resolve))
    assert.equal(status, 0, errors)
    const [codes = '', same = ''] = out.split('\n')
    assert.deepEqual(JSON.parse(codes), [
      ['AA', 'PY1'],
      ['AA', 'PY1'],
      ['AA', 'PY2'],
      ['AE', 'PY3'],
      // `nonsense` begins with no MSH: refused, nothing to echo.
      ['AR', ''],
      ['AA', 'PY4'],
    ])
    assert.equal(same, 'true')
    const found = await fetch(`${server.url}/api/v1/messages?controlId=PY1`)
    assert.equal(((await found.json()) as { items: unknown[] }).items.length, 1)
  } finally {
    await server.stop()
    folder.remove()
  }
})
