// What each client and the server say to each other, written down on the way, so that it can be told whose fault something is.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as ask } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

import { WebSocket, WebSocketServer } from 'ws'

/** Stands between one client and the server. It hands on what it hears and changes nothing. */
export class Witness {
  static async open(lab) {
    const witness = new Witness()
    witness.lab = lab
    witness.heard = []
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
    for (const frame of frames) this.heard.push({ from, frame, line })
  }

  http(asked, answer) {
    const line = Symbol('request')
    const { method, headers, url } = asked
    const parts = []
    asked.on('data', (part) => parts.push(part))
    asked.on('end', () => {
      const body = Buffer.concat(parts)
      this.note('client', body.toString(), line)
      const further = ask({ host: '127.0.0.1', port: this.lab.port, method, path: url, headers }, (answered) => {
        const said = []
        answered.on('data', (part) => said.push(part))
        answered.on('error', () => answer.destroy())
        answered.on('end', () => {
          if (!answered.complete) return answer.destroy()
          const text = Buffer.concat(said)
          // A client that has given up hears nothing.
          if (!answer.destroyed) this.note('server', text.toString(), line)
          const { connection, 'transfer-encoding': encoding, 'content-length': length, ...kept } = answered.headers
          answer.writeHead(answered.statusCode, kept)
          answer.end(text)
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
      socket.end(`HTTP/1.1 ${answered.statusCode} refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      further.terminate()
    })
    further.on('open', () =>
      this.sockets.handleUpgrade(asked, socket, head, (client) => {
        const toClient = (text) => {
          this.note('server', text.toString(), line)
          client.send(text.toString())
        }
        further.removeAllListeners('message')
        early.splice(0).forEach(toClient)
        further.on('message', toClient)
        client.on('message', (text) => {
          this.note('client', text.toString(), line)
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
const retell = ({ heard }, { page, push, answer }) => {
  const open = new Map()
  for (const { from, frame, line } of heard) {
    const key = String(frame.id ?? frame.requestId)
    if (from === 'client' && frame._tag === 'Request') {
      if (!open.has(line)) open.set(line, new Map())
      open.get(line).set(key, { ...frame.payload, at: frame.payload.cursor?.value?.eventSequenceNumber ?? 0 })
      if (frame.payload.batch !== undefined) push?.(frame.payload.batch)
    }
    const asked = open.get(line)?.get(key)
    if (from !== 'server' || asked === undefined) continue
    for (const value of frame.values ?? []) page?.(value, asked)
    if (frame._tag === 'Exit' && asked.batch !== undefined) answer?.(frame.exit, asked)
  }
}

/**
 * Whether the server kept to the rules in all that was heard: each answer to a pull is the piece of the one log behind its cursor, event for event as it was
 * pushed; what was acknowledged is in the log where it was pushed; and a push that follows the head is not refused as one that does not.
 *
 * Returns the ids that a client itself has numbered twice: it pushed an event once more while, by all that it had pushed and was told, the event was in front of it already.
 */
export const judge = (witnesses, log) => {
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
    retell(witness, {
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
        if (exit._tag === 'Success' && backendId?.value !== undefined) batch.forEach((event) => is(backendId.value, event))
        if (error === undefined || batch.length === 0) return
        const parent = batch[0].parentSeqNum
        const follows = batch.every((event, at) => event.parentSeqNum === parent + at && event.seqNum === parent + at + 1)
        assert.ok(error.cause?.name !== 'larder.Invalid' || !follows, 'a batch without a hole is not refused for one')
        if (error._tag === 'ServerAheadError') assert.ok(!follows || error.minimumExpectedNum !== parent, 'a push that follows the head is not refused')
      },
    })
  }
  const isIt = (known) => log.every((event) => !known.has(event.seqNum) || isDeepStrictEqual(without(known.get(event.seqNum)), without(event)))
  assert.ok(logs.size === 0 || [...logs.values()].some(isIt), 'what was told of the log is what is in it')
  return renumbered
}
