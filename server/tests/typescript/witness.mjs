// What each client and the server say to each other, written down on the way, so that it can be told whose fault something is.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as ask } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

import { WebSocket, WebSocketServer } from 'ws'

/** Stands between one client and the server. It hands on what it hears and changes nothing, but what it is told to lose or to keep. */
export class Witness {
  static async open(lab) {
    const witness = new Witness()
    witness.lab = lab
    witness.heard = []
    witness.open = new Set()
    witness.refusals = 0
    witness.server = createServer((asked, answer) => witness.http(asked, answer))
    witness.sockets = new WebSocketServer({ noServer: true, maxPayload: 1 << 24 })
    witness.server.on('upgrade', (asked, socket, head) => witness.upgrade(asked, socket, head))
    witness.server.listen(0, '127.0.0.1')
    await once(witness.server, 'listening')
    witness.port = witness.server.address().port
    return witness
  }

  note(from, text, line) {
    if (process.env.FRAMES) console.log(`    ${(performance.now() / 1000).toFixed(2)} ${this.name ?? ''} ${from} ${text.slice(0, 2000)}`)
    let frames = []
    try {
      frames = [JSON.parse(text)].flat()
    } catch {}
    for (const frame of frames) this.heard.push({ from, frame, line, at: Date.now() })
  }

  /**
   * The server's next answer to a push of this client that took the events is lost on the way: that alone (`answer`), or with all that the server says meanwhile and the
   * connection (`connection`). Resolves to the events, which are in the log then.
   */
  loseAnswer(how) {
    return new Promise((resolve) => (this.losing = { how, resolve }))
  }

  /** From now on no push of this client comes further than here, and none is answered; or, with `false`, all that are made then. */
  keepPushes(keep) {
    this.keeps = keep
  }

  /** The pushes in a text of the client. */
  pushes(text) {
    return text.includes('Rpc.Push"') ? [JSON.parse(text)].flat().filter(({ payload }) => payload?.batch?.length > 0) : []
  }

  /** What becomes of what the server says on one line: it is handed on, or kept back to be lost. */
  fromServer(line, text, handOn, cut) {
    const losing = this.losing?.line === line ? this.losing : undefined
    const exit = losing && [JSON.parse(text)].flat().find(({ _tag, requestId }) => _tag === 'Exit' && String(requestId) === losing.id)
    if (losing === undefined || (exit === undefined && losing.how === 'answer')) {
      this.note('server', text, line)
      return handOn(text)
    }
    losing.kept.push(text)
    if (exit === undefined) return
    if (exit.exit._tag !== 'Success') {
      // It was not taken: the next one is meant.
      losing.line = undefined
      losing.kept.splice(0).forEach((kept) => this.fromServer(line, kept, handOn, cut))
      return
    }
    this.losing = undefined
    losing.kept.forEach((kept) => this.note('lost', kept, line))
    if (losing.how === 'connection') cut()
    losing.resolve(losing.batch)
  }

  /** Whether what the client says on a line goes to the server. */
  fromClient(line, text) {
    const [push] = this.pushes(text)
    if (push !== undefined && this.keeps) return false
    this.note('client', text, line)
    if (push !== undefined && this.losing !== undefined && this.losing.line === undefined) {
      Object.assign(this.losing, { line, id: String(push.id), batch: push.payload.batch, kept: [] })
    }
    return true
  }

  /** How often the server has told the client in a frame that it is not let in. */
  unauthorized() {
    const says = (frame) => frame._tag === 'Exit' && frame.exit._tag === 'Failure' && /larder\.(Unauthenticated|Forbidden)/.test(JSON.stringify(frame.exit))
    return this.heard.filter(({ from, frame }) => from === 'server' && says(frame)).length
  }

  /** Requests of a kind on connections that are still open, and that nobody has answered or taken back: what `is` finds in them. */
  waiting(is) {
    const waiting = new Map()
    for (const { from, frame, line } of this.heard) {
      const key = String(frame.id ?? frame.requestId)
      const of = waiting.get(line) ?? new Map()
      waiting.set(line, of)
      const found = from === 'client' ? is(frame) : undefined
      if (found !== undefined) of.set(key, found)
      if (frame._tag === 'Exit' || frame._tag === 'Interrupt') of.delete(key)
    }
    return [...this.open].flatMap((line) => [...(waiting.get(line)?.values() ?? [])])
  }

  /** Pushes that wait for an answer. */
  unanswered() {
    return this.waiting((frame) => frame.payload?.batch)
  }

  /** Whether the client asks for what is behind the events that it knows: it waits for a page, or has begun to within the last so many milliseconds. */
  pulls(within) {
    const asks = (frame) => frame.payload?.cursor
    const lately = ({ from, frame, at }) => from === 'client' && asks(frame) !== undefined && at > Date.now() - within
    return this.heard.some(lately) || this.waiting(asks).length > 0
  }

  http(asked, answer) {
    const line = Symbol('request')
    const { method, headers, url } = asked
    const parts = []
    asked.on('data', (part) => parts.push(part))
    asked.on('end', () => {
      const body = Buffer.concat(parts)
      if (!this.fromClient(line, body.toString())) return
      this.open.add(line)
      answer.on('close', () => this.open.delete(line))
      const further = ask({ host: '127.0.0.1', port: this.lab.port, method, path: url, headers }, (answered) => {
        const said = []
        answered.on('data', (part) => said.push(part))
        answered.on('error', () => answer.destroy())
        answered.on('end', () => {
          if (!answered.complete) return answer.destroy()
          const text = Buffer.concat(said).toString()
          const { connection, 'transfer-encoding': encoding, 'content-length': length, ...kept } = answered.headers
          const handOn = () => {
            answer.writeHead(answered.statusCode, kept)
            answer.end(text)
          }
          if ([401, 403].includes(answered.statusCode)) this.refusals += 1
          // A client that has given up hears nothing, and what is no frame is not looked at.
          if (answer.destroyed || answered.statusCode !== 200) return handOn()
          // Over HTTP an answer that is lost is the end of its connection.
          if (this.losing?.line === line) this.losing.how = 'connection'
          this.fromServer(line, text, handOn, () => answer.destroy())
        })
      })
      // As where nobody listens: an end without an answer.
      further.on('error', () => answer.destroy())
      further.end(body)
    })
  }

  upgrade(asked, socket, head) {
    const line = Symbol('socket')
    const protocols = (asked.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '')
    const further = new WebSocket(`ws://127.0.0.1:${this.lab.port}${asked.url}`, protocols, { perMessageDeflate: false, maxPayload: 1 << 24 })
    const early = []
    further.on('message', (text) => early.push(text))
    further.on('error', () => socket.destroy())
    further.on('unexpected-response', (_, answered) => {
      if ([401, 403].includes(answered.statusCode)) this.refusals += 1
      socket.end(`HTTP/1.1 ${answered.statusCode} refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      further.terminate()
    })
    further.on('open', () =>
      this.sockets.handleUpgrade(asked, socket, head, (client) => {
        this.open.add(line)
        client.on('close', () => this.open.delete(line))
        const cut = () => {
          client.terminate()
          further.terminate()
        }
        const toClient = (text) => {
          if (client.readyState === WebSocket.OPEN) this.fromServer(line, text.toString(), (said) => client.send(said), cut)
        }
        further.removeAllListeners('message')
        early.splice(0).forEach(toClient)
        further.on('message', toClient)
        client.on('message', (text) => {
          if (!this.fromClient(line, text.toString())) return
          if (further.readyState === WebSocket.OPEN) further.send(text.toString())
        })
        const end = (other) => (code, reason) => {
          const sayable = code === 1000 || (code >= 1001 && code <= 1014 && code !== 1005 && code !== 1006)
          if (sayable) other.close(code, reason)
          else other.terminate()
        }
        client.on('close', end(further))
        further.on('close', end(client))
        client.on('error', () => further.terminate())
        further.on('error', () => client.terminate())
      }),
    )
  }

  /** The last number that the client knows the log's event of: it was told of it, or pushed it and was told that it is in the log. */
  knows() {
    let last = 0
    const heard = (batch) => batch.forEach(({ seqNum }) => (last = Math.max(last, seqNum)))
    retell(this, {
      page: ({ batch }) => heard(batch.map(({ eventEncoded }) => eventEncoded)),
      answer: (exit, { batch }) => exit._tag === 'Success' && heard(batch),
    })
    return last
  }

  /** Waits until the client has asked for what follows a number: it has taken all before over. */
  async has(number) {
    const asks = ({ from, frame }) => from === 'client' && (frame.payload?.cursor?.value?.eventSequenceNumber ?? 0) >= number
    const acks = ({ frame }) => (frame.values ?? []).some((page) => (page.batch.at(-1)?.eventEncoded.seqNum ?? 0) >= number)
    while (!this.heard.some((said) => asks(said) || (said.from === 'server' && acks(said) && this.sockets.clients.size > 0))) await sleep(50)
    await sleep(500)
  }

  close() {
    this.sockets.clients.forEach((client) => client.terminate())
    this.server.closeAllConnections()
    this.server.close()
  }
}

/** What of an event is the same for everybody. */
const without = ({ id, ...event }) => event

/** What one client and the server said, as a story: calls back for each page of a pull, each push, and each answer to one. */
const retell = ({ heard }, { page, push, answer, lost }) => {
  const open = new Map()
  for (const { from, frame, line } of heard) {
    const key = String(frame.id ?? frame.requestId)
    if (from === 'client' && frame._tag === 'Request') {
      if (!open.has(line)) open.set(line, new Map())
      open.get(line).set(key, { ...frame.payload, at: frame.payload.cursor?.value?.eventSequenceNumber ?? 0 })
      if (frame.payload.batch !== undefined) push?.(frame.payload.batch)
    }
    const asked = open.get(line)?.get(key)
    if (from === 'lost' && frame._tag === 'Exit' && asked?.batch !== undefined) lost?.(frame.exit, asked)
    if (from !== 'server' || asked === undefined) continue
    for (const value of frame.values ?? []) page?.(value, asked)
    if (frame._tag === 'Exit' && asked.batch !== undefined) answer?.(frame.exit, asked)
  }
}

/**
 * Whether the server kept to the rules in all that was heard: each answer to a pull is the piece of the one log behind its cursor, event for event as it was
 * pushed; what was acknowledged is in the log where it was pushed, all of it; and a push that follows the head is not refused as one that does not. What was heard
 * after the log was asked for is not judged by it.
 *
 * Returns the ids that a client itself has numbered twice: it pushed an event once more while, by all that it had pushed and was told, the event was in front of it already.
 */
export const judge = (witnesses, { log, backendId: current, heard }) => {
  const logs = new Map()
  const is = (backendId, event) => {
    if (!logs.has(backendId)) logs.set(backendId, new Map())
    const before = logs.get(backendId).get(event.seqNum)
    if (before !== undefined) assert.deepEqual(without(event), without(before), `e${event.seqNum} is the same for everybody`)
    logs.get(backendId).set(event.seqNum, event)
  }
  const renumbered = new Set()
  for (const witness of witnesses) {
    // What the client holds each number for.
    const picture = new Map()
    const acknowledged = (exit, { batch, backendId }) => {
      if (exit._tag === 'Success' && backendId?.value !== undefined) batch.forEach((event) => is(backendId.value, event))
    }
    retell({ heard: witness.heard.slice(0, heard.get(witness)) }, {
      lost: acknowledged,
      push: (batch) => {
        batch.forEach((event) => picture.set(event.seqNum, event.args?.id))
        for (const { seqNum, args } of batch) {
          const before = [...picture].some(([number, id]) => number < seqNum && id !== undefined && id === args?.id)
          if (before) renumbered.add(args.id)
        }
      },
      page: ({ batch, backendId }, asked) => {
        for (const { eventEncoded } of batch) {
          assert.equal(eventEncoded.seqNum, asked.at + 1, 'a pull gets what follows its cursor')
          asked.at += 1
          picture.set(eventEncoded.seqNum, eventEncoded.args?.id)
          is(backendId, eventEncoded)
        }
      },
      answer: (exit, { batch, backendId }) => {
        const error = [exit.cause].flat()[0]?.error
        acknowledged(exit, { batch, backendId })
        if (error === undefined || batch.length === 0) return
        const parent = batch[0].parentSeqNum
        const follows = batch.every((event, at) => event.parentSeqNum === parent + at && event.seqNum === parent + at + 1)
        assert.ok(error.cause?.name !== 'larder.Invalid' || !follows, 'a batch without a hole is not refused for one')
        if (error._tag === 'ServerAheadError') assert.ok(!follows || error.minimumExpectedNum !== parent, 'a push that follows the head is not refused')
      },
    })
  }
  const isIt = (known) => log.every((event) => !known.has(event.seqNum) || isDeepStrictEqual(without(known.get(event.seqNum)), without(event)))
  const now = logs.get(current) ?? new Map()
  for (const [number, event] of now) assert.ok(number <= log.length, `e${number} was acknowledged or told, and is not in the log: ${JSON.stringify(event)}`)
  assert.ok(isIt(now), 'what was acknowledged or told is in the log where it was')
  assert.ok(logs.size === 0 || [...logs.values()].some(isIt), 'what was told of the log is what is in it')
  return renumbered
}
