// One LiveStore client in a process of its own. It is told what to do on its standard input, one JSON object a line, and answers in kind.
import { createInterface } from 'node:readline'

import { makeAdapter } from '@livestore/adapter-node'
import { createStorePromise, Events, makeSchema, Schema, State } from '@livestore/livestore'
import { makeHttpSync, makeWsSync } from '@livestore/sync-cf/client'
import { WebSocket } from 'ws'

globalThis.WebSocket = WebSocket

const options = JSON.parse(process.argv[2])

const events = {
  noted: Events.synced({ name: 'v1.Noted', schema: Schema.Struct({ id: Schema.String, text: Schema.String, at: Schema.Date }) }),
  touched: Events.synced({ name: 'v1.Touched', schema: Schema.Void }),
}
const tables = {
  notes: State.SQLite.table({
    name: 'notes',
    columns: { id: State.SQLite.text({ primaryKey: true }), text: State.SQLite.text({ default: '' }) },
  }),
  // What depends on the order: the last one written.
  last: State.SQLite.table({
    name: 'last',
    columns: { name: State.SQLite.text({ primaryKey: true }), note: State.SQLite.text({ default: '' }) },
  }),
}
const materializers = State.SQLite.materializers(events, {
  'v1.Noted': ({ id, text }) => [
    // A client that rebases while it commits applies an event twice, now and then.
    tables.notes.insert({ id, text }).onConflict('id', 'replace'),
    tables.last.insert({ name: 'last', note: id }).onConflict('name', 'replace'),
  ],
  'v1.Touched': () => [],
})
const schema = makeSchema({ events, state: State.SQLite.makeState({ tables, materializers }) })

const backend =
  options.transport === 'ws'
    ? makeWsSync({ url: options.url, ping: { requestInterval: 2000, requestTimeout: 2000 } })
    : makeHttpSync({ url: options.url, livePull: { pollInterval: 300 }, ping: { requestInterval: 2000, requestTimeout: 2000 } })

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)

const store = await createStorePromise({
  adapter: makeAdapter({
    storage: { type: 'fs', baseDirectory: options.data },
    clientId: options.client,
    sync: { backend, initialSyncOptions: { _tag: 'Skip' } },
  }),
  schema,
  storeId: options.store,
  syncPayload: options.token === undefined ? undefined : { authToken: options.token },
  disableDevtools: true,
})
say({ ready: true })

let next = 0
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  try {
    if (asked.note !== undefined) {
      store.commit(events.noted({ id: asked.note, text: asked.text ?? `by ${options.client}`, at: new Date(1_700_000_000_000 + next++) }))
      say({ done: true })
    } else if (asked.touch !== undefined) {
      store.commit(events.touched())
      say({ done: true })
    } else if (asked.state !== undefined) {
      const notes = store.query(tables.notes.select()).map((note) => [note.id, note.text.length])
      const last = store.query(tables.last.select()).map((row) => row.note)
      say({ notes, last: last[0] ?? null })
    } else {
      await store.shutdownPromise()
      say({ done: true })
      process.exit(0)
    }
  } catch (error) {
    say({ error: String(error) })
  }
}
