import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startServer, temporaryDirectory } from '../live/server.ts'
import { selfSigned } from '../support/self-signed.ts'

/** A syslog server of Python's own sockets, TLS and XML: it takes frames apart and prints what it understood. */
const PROGRAM = `
import json, re, socketserver, ssl, sys, threading, xml.etree.ElementTree as ET
HEADER = re.compile(r'^<(\\d{1,3})>1 (\\S+) (\\S+) (\\S+) (\\S+) (\\S+) - (.*)$', re.S)
lock = threading.Lock()
def tell(data):
    pri, time, host, app, proc, msgid, text = HEADER.match(data.decode('utf-8')).groups()
    assert text.startswith('\\ufeff'), 'no BOM'
    root = ET.fromstring(text[1:])
    event = root.find('EventIdentification')
    out = dict(pri=int(pri), host=host, app=app, msgid=msgid, root=root.tag, event=event.find('EventID').get('csd-code'),
        outcome=event.get('EventOutcomeIndicator'), user=root.find('ActiveParticipant').get('UserID'),
        ids=[o.get('ParticipantObjectID') for o in root.findall('ParticipantObjectIdentification')])
    with lock: print(json.dumps(out), flush=True)
class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            digits = b''
            while True:
                one = self.rfile.read(1)
                if not one: return
                if one == b' ': break
                digits += one
            tell(self.rfile.read(int(digits)))
class Datagram(socketserver.BaseRequestHandler):
    def handle(self): tell(self.request[0])
class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
kind, port = sys.argv[1], int(sys.argv[2])
server = socketserver.UDPServer(('127.0.0.1', port), Datagram) if kind == 'udp' else Tcp(('127.0.0.1', port), Stream)
if kind == 'tls':
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(json.dumps(dict(port=server.server_address[1])), flush=True)
server.serve_forever()
`

interface Told {
  readonly port?: number
  readonly pri: number
  readonly app: string
  readonly msgid: string
  readonly root: string
  readonly event: string
  readonly user: string
}

async function syslogServer(kind: string, port: number, files: readonly string[] = []) {
  const child: ChildProcess = spawn('python3', ['-c', PROGRAM, kind, String(port), ...files], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const told: Told[] = []
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  if (child.stdout === null) throw new TypeError('no output')
  createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line) as Told))
  const exited = new Promise((resolve) => child.once('exit', resolve))
  for (let i = 0; i < 100 && told.length === 0; i++) await pause(50)
  const first = told.shift()
  assert.ok(first?.port, errors)
  return {
    told,
    port: first.port,
    errors: () => errors,
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

const until = async (holds: () => boolean) => {
  for (let i = 0; i < 200 && !holds(); i++) await pause(50)
}

for (const kind of ['tcp', 'udp', 'tls']) {
  test(`audit messages by ${kind} are understood by a server of another make`, async (context) => {
    const place = temporaryDirectory(`syslog-${kind}`)
    context.after(() => place.remove())
    const [cert, key] = [join(place.path, 'cert.pem'), join(place.path, 'key.pem')]
    const pair = selfSigned(7)
    writeFileSync(cert, pair.certificate)
    writeFileSync(key, pair.key)
    let python = await syslogServer(kind, 0, kind === 'tls' ? [cert, key] : [])
    context.after(() => python.stop())
    const server = await startServer({
      dataDirectory: join(place.path, 'data'),
      env: {
        DIPTYCH_AUDIT_SYSLOG: `${kind}://127.0.0.1:${python.port}`,
        ...(kind === 'tls' ? { DIPTYCH_AUDIT_SYSLOG_AUTHORITIES: cert } : {}),
      },
    })
    context.after(() => server.kill().catch(() => undefined))
    await until(() => python.told.some(({ event }) => event === '110100'))
    const start = python.told.find(({ event }) => event === '110100')
    assert.deepEqual(
      { pri: start?.pri, app: start?.app, msgid: start?.msgid, root: start?.root },
      { pri: 85, app: 'diptych', msgid: 'DICOM+RFC3881', root: 'AuditMessage' },
      python.errors() + server.errors(),
    )
    if (kind !== 'udp') {
      // Away for a while: what happened meanwhile comes when it is back.
      const { port } = python
      await python.stop()
      for (const name of ['A', 'B', 'C']) await fetch(`${server.url}/api/v1/patients?name=Missed${name}`)
      await pause(1500)
      python = await syslogServer(kind, port, kind === 'tls' ? [cert, key] : [])
      await until(() => python.told.filter(({ event }) => event === '110112').length >= 3)
      assert.equal(python.told.filter(({ event }) => event === '110112').length, 3, python.errors())
    }
    assert.equal(await server.stop(), 0)
    await until(() => python.told.some(({ event }) => event === '110100'))
    if (kind !== 'udp')
      assert.ok(
        python.told.some(({ event }) => event === '110100'),
        'the stop goes out too',
      )
    assert.equal(python.errors(), '')
  })
}
