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

import { judge, Witness } from './witness.mjs'

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
    lab.witnesses = []
    lab.stores = new Map()
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

  /** Other rules, which the server has read when this is over: it is asked as one who is let in, and as one who is not. */
  async rules(text, { store, permitted, refused }) {
    writeFileSync(this.config, text)
    this.server.kill('SIGHUP')
    const is = (token) => this.log(store, token).then(() => true, () => false)
    while (!(await is(permitted)) || (refused !== undefined && (await is(refused)))) await sleep(50)
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

  /** A client of larder's instead: with its own wire, or as one of LiveStore. */
  larder(name, at, { livestore = false } = {}) {
    return this.client(name, { ...at, larder: true, livestore })
  }

  async client(name, { store, transport, token, larder = false, livestore = false }) {
    const witness = await Witness.open(this)
    witness.name = name
    this.witnesses.push(witness)
    const url = `${transport === 'ws' ? 'ws' : 'http'}://127.0.0.1:${witness.port}/sync`
    const client = await Client.open({ url, transport, store, token, larder, livestore, client: name, data: join(this.folder, name) })
    client.witness = witness
    this.clients.push(client)
    this.stores.set(store, this.stores.get(store) ?? token)
    return client
  }

  /** The log, as any client may pull it. */
  async log(store, token) {
    return (await this.read(store, token)).log
  }

  /** The log with its name, and what the witnesses had heard when it was asked for. */
  async read(store, token) {
    const heard = new Map(this.witnesses.map((witness) => [witness, witness.heard.length]))
    const payload = token === undefined ? undefined : { authToken: token }
    const query = payload === undefined ? '' : `&payload=${encodeURIComponent(encodeURIComponent(JSON.stringify(payload)))}`
    const body = { _tag: 'Request', id: '0', tag: 'SyncHttpRpc.Pull', payload: { storeId: store, payload, cursor: { _tag: 'None' } }, headers: [] }
    const answer = await fetch(`http://127.0.0.1:${this.port}/?storeId=${store}&transport=http${query}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(answer.status, 200)
    const pages = (await answer.json()).flatMap((frame) => frame.values ?? [])
    return { log: pages.flatMap((page) => page.batch.map((pulled) => pulled.eventEncoded)), backendId: pages[0]?.backendId, heard }
  }

  async metric(name) {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text()
    return Number(text.match(new RegExp(`^larder_server_${name} (\\d+)$`, 'm'))[1])
  }

  async close() {
    await Promise.all(this.clients.map((client) => client.close()))
    for (const [store, token] of this.stores) judge(this.witnesses, await this.read(store, token))
    for (const witness of this.witnesses) witness.close()
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

  /** Starts it on what is on its disk, with other options if there are some. */
  async boot(options = {}) {
    Object.assign(this.options, options)
    const file = new URL('client.mjs', import.meta.url).pathname
    const [command, ...args] = this.options.larder ? [process.env.LARDER_NOTES] : [process.execPath, file]
    this.child = start(command, [...args, JSON.stringify(this.options)], { stdio: ['pipe', 'pipe', 'pipe'] })
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

/**
 * The log is one order without holes, and has everything once and in its client's order; but for what a client has numbered more than once itself.
 * Returns the ids of the notes, in the order of the log.
 */
export const whole = (log, renumbered = new Set()) => {
  log.forEach((event, at) => assert.deepEqual([event.seqNum, event.parentSeqNum], [at + 1, at], 'no hole and no fork'))
  const ids = log.filter((event) => event.name === 'v1.Noted').map((event) => event.args.id)
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at)
  assert.deepEqual(twice.filter((id) => !renumbered.has(id)), [], `nothing is there twice: ${ids}`)
  const next = {}
  for (const id of ids.filter((id) => !renumbered.has(id))) {
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
 * Waits until all have converged after a storm. A client of 0.4.0 that commits and rebases at the same time may stop pushing for good, or hand one event to its
 * own leader twice, under two numbers, and then push both. So where they do not converge, or something is there twice, it is told apart whose fault that is:
 * the witnesses have heard all that was said, and the server kept to the rules; what was in the log stays there; and a client with an empty disk has exactly that.
 */
export const settled = async (lab, at, clients, notes) => {
  let log = await converged(lab, at.store, clients, notes, { storm: true, patience: 60_000 })
  if (log === undefined) {
    const before = await lab.log(at.store)
    await startAgain(clients)
    await still(lab, at.store)
    log = await lab.log(at.store)
    assert.deepEqual(log.slice(0, before.length), before, 'what was in the log stays there')
    await Promise.all(clients.map((client) => told(client, log.length)))
  }
  // Nobody waits for the server: what is missing its client has not pushed, or pushed behind a number that it alone has.
  for (const until = Date.now() + 20_000; clients.some(({ witness }) => witness.unanswered().length > 0); await sleep(100)) {
    assert.ok(Date.now() < until, 'every push is answered')
  }
  const renumbered = judge(lab.witnesses, await lab.read(at.store))
  const ids = new Set(whole(log, renumbered))
  const fresh = await lab.client('fresh', at)
  const seen = await converged(lab, at.store, [fresh], ids.size, { storm: true })
  assert.ok(seen !== undefined, 'a client with an empty disk has the whole log')
  const twice = log.length - ids.size
  if (ids.size < notes || twice > 0) {
    console.log(`  of ${notes} notes ${notes - ids.size} never came, and ${twice} came under a second number: their clients pushed them so, and the server kept to the rules`)
  }
  return log
}

/** Waits until a client has been told of the whole log. One of 0.4.0 may have stopped pulling for good: who does not ask is told nothing. */
const told = async ({ options, witness }, length) => {
  for (const until = Date.now() + 60_000; witness.knows() < length; await sleep(200)) {
    if (!options.larder && !witness.pulls(15_000)) return console.log(`  ${options.client} knows ${witness.knows()} of ${length} events, and asks for no more`)
    assert.ok(Date.now() < until, `${options.client} asks for more than the ${witness.knows()} of ${length} events that it was told`)
  }
}

/** Waits until nothing is added to the log any more. */
const still = async (lab, store) => {
  for (let [length, calm] = [-1, 0]; calm < 4; ) {
    const now = (await lab.log(store)).length
    calm = now === length ? calm + 1 : 0
    length = now
    await sleep(1000)
  }
}

/**
 * Waits until the log has so many notes and every client has them all; says whether that came in time, and before all stood still in a storm. Outside of one
 * a client of 0.4.0 that has stalled by itself is started again from its disk, once.
 */
export const converged = async (lab, store, clients, notes, { token, storm = false, patience = 60_000, last = storm } = {}) => {
  const until = Date.now() + patience
  let [moved, seen] = [Date.now(), '']
  for (;;) {
    const read = await lab.read(store, token).catch(() => undefined)
    const log = read?.log ?? []
    const ids = whole(log, storm && read !== undefined ? judge(lab.witnesses, read) : new Set())
    const all = new Set(ids)
    const states = await Promise.all(clients.map((client) => client.state()))
    if (all.size >= notes) {
      assert.equal(all.size, notes, `no more than was committed: ${ids}`)
      const same = states.every((state) => state.notes.length === notes && state.last === ids.at(-1))
      if (same) {
        for (const state of states) assert.deepEqual(state.notes.map(([id]) => id).sort(), [...all].sort())
        return log
      }
    }
    const now = JSON.stringify([ids.length, states.map((state) => [state.notes.length, state.last])])
    if (now !== seen) [moved, seen] = [Date.now(), now]
    if (Date.now() > until || (storm && Date.now() > moved + 9_000)) {
      await show(lab, ids, clients)
      const mayGoOn = !last && (await restarted(log, clients, states))
      return mayGoOn ? converged(lab, store, clients, notes, { token, patience, last: true }) : undefined
    }
    await sleep(100)
  }
}

/**
 * Starts LiveStore's clients again if nobody else can be the reason that they stand still, and says whether it did: the server has told every client the whole
 * log and has answered every push, and larder's clients show all of it.
 */
const restarted = async (log, clients, states) => {
  const notes = log.filter((event) => event.name === 'v1.Noted').length
  const has = ({ options, witness }, at) =>
    witness.knows() >= log.length && witness.unanswered().length === 0 && (!options.larder || states[at].notes.length >= notes)
  const stalled = clients.filter(({ options }) => !options.larder)
  if (stalled.length === 0 || !clients.every(has)) return false
  await startAgain(stalled)
  console.log('  a client of LiveStore stood still though the server had told it all and answered it all; started again from its disk')
  return true
}

/** What the log and each client have, for whoever looks at a failure. */
const show = async (lab, ids, clients) => {
  const refused = `${await lab.metric('refused_total')} refused, ${await lab.metric('server_ahead_total')} not at the head`
  console.log(`  log: ${ids.join(' ')} (${refused})`)
  for (const client of clients) {
    const state = await client.state()
    // With what it was told of the log it is seen whose fault it is: the server's, or its own.
    const told = `told of ${client.witness.knows()} events, ${client.witness.pulls(15_000) ? 'asks for more' : 'asks for no more'}`
    console.log(`  ${client.options.client}: ${state.notes.map(([id]) => id).join(' ')}, last ${state.last} (${told})`)
  }
}

export const must = (log, what) => assert.ok(log !== undefined, `not converged in time: ${what}`)

/** A pull of 0.4 over HTTP ends with the first poll that fails, until the client is started again; one on a WebSocket comes back by itself. */
export const back = async (transport, clients) => {
  if (transport !== 'ws') await startAgain(clients)
}

/** Ends clients and starts them on what is on their disks. */
const startAgain = async (clients) => {
  for (const client of clients) {
    await client.close()
    await client.boot()
  }
}
