/** Other people's archives on free loopback ports, each in a folder of its own, stopped by process id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { answers, freePort } from '../bench/orthanc.ts'
import { temporaryDirectory } from './server.ts'

export interface DicomPeer {
  readonly aeTitle: string
  readonly port: number
  readonly pid: number
  /** Folder of its own. */
  readonly folder: string
  stop(): Promise<void>
}

/** Whom a peer may send to. */
export interface Known {
  readonly aeTitle: string
  readonly port: number
}

/** dcmqrscp of DCMTK with one storage area. */
export async function startDcmqrscp(known: readonly Known[]): Promise<DicomPeer> {
  const folder = temporaryDirectory('dcmqrscp')
  const port = await freePort()
  mkdirSync(join(folder.path, 'db'))
  const hosts = known.map(({ aeTitle, port: at }, i) => `h${i} = (${aeTitle}, 127.0.0.1, ${at})`).join('\n')
  writeFileSync(
    join(folder.path, 'dcmqrscp.cfg'),
    `NetworkTCPPort = ${port}
MaxPDUSize = 131072
MaxAssociations = 64
HostTable BEGIN
${hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP ${join(folder.path, 'db')} RW (100000, 4096mb) ANY
AETable END
`,
  )
  const child = spawn('dcmqrscp', ['-c', join(folder.path, 'dcmqrscp.cfg')], { stdio: 'ignore' })
  await listens(port)
  return { aeTitle: 'QRSCP', port, pid: child.pid ?? 0, folder: folder.path, stop: () => stopped(child, folder.remove) }
}

/** storescp of DCMTK, which writes what comes into `folder/got`. */
export async function startStorescp(aeTitle = 'STORESCP'): Promise<DicomPeer> {
  const folder = temporaryDirectory('storescp')
  const port = await freePort()
  const out = join(folder.path, 'got')
  mkdirSync(out)
  const child = spawn('storescp', ['-aet', aeTitle, '-od', out, '+xa', '--max-pdu', '131072', String(port)], {
    stdio: 'ignore',
  })
  await listens(port)
  return { aeTitle, port, pid: child.pid ?? 0, folder: out, stop: () => stopped(child, folder.remove) }
}

export interface OrthancPeer extends DicomPeer {
  /** REST root. */
  readonly url: string
}

/** Orthanc with its DICOM port open, knowing others by their AE titles. */
export async function startOrthancPeer(known: readonly Known[]): Promise<OrthancPeer> {
  const folder = temporaryDirectory('orthanc')
  const [http, port] = [await freePort(), await freePort()]
  const config = join(folder.path, 'orthanc.json')
  mkdirSync(join(folder.path, 'db'))
  writeFileSync(
    config,
    JSON.stringify({
      Name: 'peer',
      StorageDirectory: join(folder.path, 'db'),
      IndexDirectory: join(folder.path, 'db'),
      HttpPort: http,
      DicomPort: port,
      DicomAet: 'ORTHANC',
      DicomAlwaysAllowFind: true,
      DicomAlwaysAllowMove: true,
      DicomAlwaysAllowGet: true,
      DicomAlwaysAllowStore: true,
      RemoteAccessAllowed: false,
      AuthenticationEnabled: false,
      SynchronousCMove: true,
      UnknownSopClassAccepted: true,
      DicomModalities: Object.fromEntries(
        known.map(({ aeTitle, port: at }) => [aeTitle.toLowerCase(), [aeTitle, '127.0.0.1', at]]),
      ),
    }),
  )
  const child = spawn('Orthanc', [config], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${http}`
  await answers(`${url}/system`)
  await listens(port)
  return {
    aeTitle: 'ORTHANC',
    port,
    pid: child.pid ?? 0,
    url,
    folder: folder.path,
    stop: () => stopped(child, folder.remove),
  }
}

async function stopped(child: ChildProcess, remove: () => void): Promise<void> {
  const exited = child.exitCode === null ? new Promise((resolve) => child.once('exit', resolve)) : undefined
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await exited
  clearTimeout(late)
  remove()
}

async function listens(port: number): Promise<void> {
  const until = Date.now() + 20_000
  while (Date.now() < until) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port }, () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nobody listens on ${port}`)
}
