// The real server and real clients, each in a process of its own, and what is looked at from outside: the log.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const program = process.env.LARDER_SERVER
const started = new Set()

export { sleep }

/** Ends every process that was started here. */
export const endAll = () => started.forEach((child) => child.kill('SIGKILL'))

const start = (command, args, options) => {
  const child = spawn(command, args, options)
  started.add(child)
  child.on('exit', () => started.delete(child))
  return child
}

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** A server that keeps its port and data when it is stopped and started again. */
export class Lab {
  static async open({ rules } = {}) {
    const lab = new Lab()
    lab.folder = mkdtempSync(join(tmpdir(), 'larder-typescript-'))
    lab.data = join(lab.folder, 'server')
    lab.port = await freePort()
    lab.clients = []
    if (rules !== undefined) {
      lab.config = join(lab.folder, 'server.toml')
      writeFileSync(lab.config, rules)
    }
    await lab.start()
    return lab
  }

  async start() {
    const config = this.config === undefined ? [] : ['--config', this.config]
    const args = ['--data', this.data, '--listen', `127.0.0.1:${this.port}`, ...config]
    this.server = start(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.server.stderr.on('data', (text) => process.env.VERBOSE && process.stderr.write(text))
    const [line] = await once(createInterface({ input: this.server.stdout }), 'line')
    assert.match(line, /^listening on /)
  }

  async stop(signal = 'SIGTERM') {
    const ended = once(this.server, 'exit')
    this.server.kill(signal)
    await ended
  }

  command(...args) {
    const ran = spawnSync(program, args, { encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    return ran.stdout
  }

  async client(name, { store, transport, token }) {
    const url = `${transport === 'ws' ? 'ws' : 'http'}://127.0.0.1:${this.port}/sync`
    const client = await Client.open({ url, transport, store, token, client: name, data: join(this.folder, name) })
    this.clients.push(client)
    return client
  }

  /** The log, as any client may pull it. */
  async log(store, token) {
    const payload = token === undefined ? undefined : { authToken: token }
    const query = payload === undefined ? '' : `&payload=${encodeURIComponent(encodeURIComponent(JSON.stringify(payload)))}`
    const body = { _tag: 'Request', id: '0', tag: 'SyncHttpRpc.Pull', payload: { storeId: store, payload, cursor: { _tag: 'None' } }, headers: [] }
    const answer = await fetch(`http://127.0.0.1:${this.port}/?storeId=${store}&transport=http${query}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
    const frames = await answer.json()
    return frames.flatMap((frame) => frame.values ?? []).flatMap((page) => page.batch.map((pulled) => pulled.eventEncoded))
  }

  async metric(name) {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text()
    return Number(text.match(new RegExp(`^larder_server_${name} (\\d+)$`, 'm'))[1])
  }

  async close() {
    for (const client of this.clients) await client.close()
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

class Client {
  static async open(options) {
    const client = new Client()
    client.options = options
    await client.boot()
    return client
  }

  async boot() {
    const file = new URL('client.mjs', import.meta.url).pathname
    this.child = start(process.execPath, [file, JSON.stringify(this.options)], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stderr.on('data', (text) => process.env.VERBOSE && process.stderr.write(text))
    this.child.stdin.on('error', () => {})
    this.waiting = []
    this.running = true
    this.child.on('exit', () => {
      this.running = false
      this.waiting.forEach(({ reject }) => reject(new Error(`${this.options.client} has ended`)))
    })
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      // What the library prints is no JSON.
      if (line.startsWith('{"')) this.waiting.shift()?.resolve(JSON.parse(line))
    })
    const answer = await this.answer()
    assert.deepEqual(answer, { ready: true })
  }

  answer() {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }))
  }

  async ask(what) {
    if (!this.running) throw new Error(`${this.options.client} has ended`)
    const answer = this.answer()
    this.child.stdin.write(`${JSON.stringify(what)}\n`)
    const said = await answer
    assert.equal(said.error, undefined)
    return said
  }

  note(note, text) {
    return this.ask({ note, text })
  }

  state() {
    return this.ask({ state: true })
  }

  async close() {
    if (!this.running) return
    const ended = once(this.child, 'exit')
    await Promise.race([this.ask({ shutdown: true }).catch(() => {}), sleep(5000)])
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3000)
    await ended
    clearTimeout(timer)
  }

  async kill() {
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
  }
}

/** The log is one order without holes or repetitions, and keeps each client's own. */
export const whole = (log) => {
  log.forEach((event, at) => assert.deepEqual([event.seqNum, event.parentSeqNum], [at + 1, at], 'no hole and no fork'))
  const ids = log.filter((event) => event.name === 'v1.Noted').map((event) => event.args.id)
  assert.equal(new Set(ids).size, ids.length, `nothing is there twice: ${ids}`)
  const next = {}
  for (const id of ids) {
    const [client, number] = id.split('-')
    assert.ok(Number(number) > (next[client] ?? -1), `the order of ${client} is kept: ${ids}`)
    next[client] = Number(number)
  }
  return ids
}

/** Lets clients commit at the same time, each its own notes, with short pauses. */
export const commitTogether = (clients, from, to) =>
  Promise.all(
    clients.map(async (client) => {
      for (let number = from; number < to; number++) {
        await client.note(`${client.options.client}-${number}`)
        await sleep(25)
      }
    }),
  )

/**
 * Waits until all have converged. A client of 0.4.0 that commits and rebases at the same time may stop asking for good, or number its events with
 * holes, on its disk too, and push what follows no head. So where they do not converge it is told apart whose fault that is: the server has refused
 * pushes; its log is whole and keeps what it had; and a client with an empty disk gets exactly that.
 */
export const settled = async (lab, at, clients, notes) => {
  const log = await converged(lab, at.store, clients, notes)
  if (log !== undefined) return log
  const before = whole(await lab.log(at.store))
  for (const client of clients) {
    await client.close()
    await client.boot()
  }
  await sleep(10_000)
  const after = await lab.log(at.store)
  const ids = whole(after)
  assert.deepEqual(ids.slice(0, before.length), before, 'what was in the log stays there')
  const refused = (await lab.metric('refused_total')) + (await lab.metric('server_ahead_total'))
  assert.ok(refused > 0, 'clients that do not converge were refused something')
  const fresh = await lab.client('fresh', at)
  const seen = await converged(lab, at.store, [fresh], ids.length)
  assert.ok(seen !== undefined, 'a client with an empty disk has the whole log')
  console.log(`  ${ids.length} of ${notes} are in the log; the clients of the others have stopped or number them with holes, and ${refused} pushes were refused`)
  return after
}

/** Waits until the log has so many notes and every client has them all; says whether that came in time. */
export const converged = async (lab, store, clients, notes, { token, patience = 40_000 } = {}) => {
  const until = Date.now() + patience
  for (;;) {
    const log = await lab.log(store, token).catch(() => [])
    const ids = whole(log)
    if (ids.length >= notes) {
      assert.equal(ids.length, notes, 'no more than was committed')
      const states = await Promise.all(clients.map((client) => client.state()))
      const same = states.every((state) => state.notes.length === notes && state.last === ids.at(-1))
      if (same) {
        for (const state of states) assert.deepEqual(state.notes.map(([id]) => id).sort(), [...ids].sort())
        return log
      }
    }
    if (Date.now() > until) {
      await told(lab, ids, clients)
      return undefined
    }
    await sleep(100)
  }
}

/** What the log and each client have, for whoever looks at a failure. */
const told = async (lab, ids, clients) => {
  const refused = `${await lab.metric('refused_total')} refused, ${await lab.metric('server_ahead_total')} not at the head`
  console.log(`  log: ${ids.join(' ')} (${refused})`)
  for (const client of clients) {
    const state = await client.state()
    console.log(`  ${client.options.client}: ${state.notes.map(([id]) => id).join(' ')}, last ${state.last}`)
  }
}
